"""Finds sheets that are filed under the wrong name, sheets that are there twice, and odd ones.

Run `python find_mistakes.py`. It compares the plants of a folder of sheets with one another. Open
mistakes/mistakes.html by double click: it shows each suspicious sheet beside the five that are most like it.
A botanist decides; no file is changed. A second run is fast, because what was computed of each sheet is kept.

    python find_mistakes.py --input_dir=sheets --taxon_folders=true
    python find_mistakes.py --input_dir=sheets --taxon_pattern="(?P<taxon>[A-Za-z]+_[a-z]+)_"
    python find_mistakes.py --input_dir=sheets --taxon_table=names.csv

The exit status is 0 when nothing is suspicious, 3 when sheets need attention, and 1 when a file could not be read.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from deeplab import Segmenter
from utils import config
from utils.memory import keep_freed_memory
from utils.mistakes.reading.features import Extractor
from utils.mistakes.run import find_mistakes

# ---- What to read ----
input_dir: str = "img"                 # folder with .jpg, .jpeg, .png, .tif or .tiff files
recursive: bool = False                # True: also read the subfolders of input_dir; taxon_folders always does
# ---- How the taxon of a sheet is known: set exactly one of these ----
taxon_folders: bool = False            # True: by its folder: input_dir/Viola alba/K000123.jpg
taxon_pattern: str = ""                # by its file name: a regular expression with the group taxon, found anywhere in
                                       # the name: (?P<taxon>[A-Za-z]+_[a-z]+)_ fits Viola_alba_K000123.jpg
taxon_table: str = ""                  # by a CSV file with the columns file (path within input_dir, or file name) and
                                       # taxon
# ---- What to write ----
output_dir: str = "mistakes"           # gets the results; must not be input_dir: originals are never overwritten
report_sheets: int = 200               # most sheets on the page; it grows by about 0.1 MB each
report_title: str = "Herbarium sheets"  # the heading of the page
shown_neighbours: int = 5              # sheets that are shown beside each
# ---- What is suspicious ----
min_score: float = 0.5                 # 0 to 1; lower values list more names, and more that are right. 0.5: the sheet
                                       # is no more like its taxon than sheets of other taxa are
neighbours: int = 5                    # most similar sheets that vote on the name, and that an odd sheet is far from
# ---- Networks ----
model_path: str = "model_data/deeplab_mobilenetv2.pth"  # finds labels, barcodes, charts and rulers, to leave them out
min_confidence: float | None = None    # lower values find more of them, and more false ones; None: the checkpoint's
features: str = "model"                # what compares plants: "model": the backbone in model_path; "imagenet":
                                       # torchvision's MobileNetV2, downloaded once, better; or a file of such weights
# ---- How to work ----
num_workers: int = 2                   # sheets processed at a time; each needs about 30 bytes of memory per pixel
device: str = "auto"                   # "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps", "cpu"
# ---- nothing below this line needs editing ----


def main(settings: config.Settings) -> int:
    """The exit status: 1 when a file was bad, 3 when a sheet needs attention, else 0."""
    s = settings
    return find_mistakes(
        s, partial(Segmenter, str(Path(s.model_path).resolve()), device=s.device, min_confidence=s.min_confidence),
        partial(Extractor, s.features, s.model_path, s.device))


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
