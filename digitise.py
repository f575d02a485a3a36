"""Makes a package of a folder of sheets: tables, crops, barcodes, scale, a report. Run `python digitise.py`.

It reads the photographs in img/ and writes to digitised/. Open digitised/report.html by double click: it shows which
sheets need a look, and why. An interrupted run goes on where it stopped.

    python digitise.py
    python digitise.py --input_dir=sheets --output_dir=results --recursive=true
    python digitise.py --crops=false --collages=false --plants=false

The exit status is 0 when all sheets pass, 3 when some need attention, and 1 when a file could not be read.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from deeplab import DeeplabV3
from utils import config
from utils.detection.boxes import SPECIMEN
from utils.digitise.run import digitise_folder
from utils.memory import keep_freed_memory
from utils.utils import NAME_CLASSES
from yolo import Detector

# ---- What to read ----
input_dir: str = "img"                 # folder with .jpg, .jpeg, .png, .tif or .tiff files
output_dir: str = "digitised"          # gets the results; must not be input_dir: originals are never overwritten
recursive: bool = False                # True: also read the subfolders of input_dir
model_path: str = "model_data/deeplab_mobilenetv2.pth"  # checkpoint; it stores its classes, colours and input size
min_confidence: float | None = None    # lower values find more objects, and more false ones; None: the checkpoint's
straighten: bool = True                # show the network turned sheets upright; the results are turned back again
detector_path: str = "model_data/yolov5_mobilenet.pth"  # checkpoint of train_yolo.py, which finds specimens; "": none.
                                       # This file may be missing: then no specimens. Any other has to be there
specimen_confidence: float | None = None  # lower values find more specimens, and more false ones; None: the detector's
# ---- What to write ----
report: bool = True                    # report.html: the sheets that need a look, with pictures; opens by double click
tables: bool = True                    # sheets.csv, objects.csv, barcodes.csv
coco: bool = True                      # objects.json, in COCO's format
audiovisual_core: bool = True          # media.csv, sap.csv, roi.csv: regions of interest as TDWG defines them
labelme: bool = True                   # labelme/<sheet>.json to correct by hand, and the order to do it: to_correct.txt
masks: bool = True                     # masks/<sheet>.png: each pixel's value is its class
crops: bool = True                     # crops/<sheet>_<class>_<n>.jpg: each object, upright, at full resolution
collages: bool = True                  # collages/<sheet>.jpg: labels and barcodes on one image, for OCR programs
plants: bool = True                    # plants/<sheet>.jpg: the sheet with its objects painted over with paper colour
specimens: bool = True                 # specimens/<sheet>_Specimen_<n>.jpg: each specimen, cut out of such a picture
copies: bool = False                   # by_barcode/<barcode>.<suffix>: a copy of each photograph under its barcode
# ---- Barcodes ----
barcodes: bool = True                  # read the barcodes
symbologies: tuple[str, ...] = (       # kinds of barcodes to look for; others may be misread, such as film edges
    "Code 39", "Code 128", "Codabar", "ITF", "EAN-13", "QR Code", "Data Matrix")
correct_by_barcode: bool = True        # correct mask and objects by what was read: unseen, in pieces, side by side
barcode_pattern: str = ""              # "": file names do not hold barcodes. Else how they do, as a regular expression:
                                       # (?P<barcode>.+?)([_-]([A-Za-z]\d?|\d\d?))? fits K000123.jpg and K000123_a.jpg
# ---- Scale and colour ----
scale: bool = True                     # measure pixels per centimetre on the ruler
charts: bool = True                    # measure the colours of the colour chart
# ---- What makes a sheet need attention ----
required_classes: tuple[str, ...] = (*NAME_CLASSES[1:], SPECIMEN)  # each sheet must show at least one object of each
whole_classes: tuple[str, ...] = NAME_CLASSES[1:]  # objects that the border of the photograph must not cut
review_below: float = 0.8              # objects that the network is less sure of are named, 0 to 1
max_clipped: float = 0.02              # share of a colour chart that may be pure white or black
max_cast: float = 5.0                  # how far grey patches may be from neutral, in CIELAB units (ISO 19264-1: 5)
max_drift: float = 4.0                 # how far a chart may be from the batch's own colours, CIEDE2000 (ISO 19264-1: 4)
# ---- Classes: what they are called in your model ----
barcode_class: str = NAME_CLASSES[1]   # objects that are read
label_class: str = NAME_CLASSES[2]     # objects that go into the collage, with the barcodes
chart_class: str = NAME_CLASSES[3]     # objects whose colours are measured
scale_class: str = NAME_CLASSES[4]     # objects that the pixels per centimetre are measured on
specimen_class: str = SPECIMEN         # plants, in the detector; its other classes are not used
# ---- Report and tables ----
report_sheets: int = 200               # most sheets in the report; it grows by about 0.1 MB each
report_title: str = "Herbarium sheets"  # the heading of the report
media_url: str = ""                    # address that the photographs are published under, for Audiovisual Core
rights: str = ""                       # licence of the photographs, for Audiovisual Core
# ---- How to work ----
skip_done: bool = True                 # True: leave out sheets that an earlier run finished; if the file, a constant or
                                       # the weights have changed, the sheet is done again
num_workers: int = 2                   # sheets processed at a time; each needs about 30 bytes of memory per pixel
device: str = "auto"                   # "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps", "cpu"
engine: Literal["local", "ray"] = "local"  # ray: many computers at a time; needs requirements-extras.txt
ray_address: str = ""                  # of a running Ray cluster; "": this computer alone
# ---- nothing below this line needs editing ----


def main(settings: config.Settings) -> int:
    """The exit status: 1 when a file was bad, 3 when a sheet needs attention, else 0."""
    s = settings
    return digitise_folder(
        s, partial(DeeplabV3, str(Path(s.model_path).resolve()), device=s.device, min_confidence=s.min_confidence,
                   straighten=s.straighten),
        partial(Detector, str(Path(s.detector_path).resolve()), device=s.device, min_confidence=s.specimen_confidence))


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
