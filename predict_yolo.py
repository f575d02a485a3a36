"""Finds objects and specimens on herbarium sheets as boxes: edit the constants, then run `python predict_yolo.py`.

The default mode "folder" reads img/ and writes to img_out/boxes/. Each sheet gets a picture with the boxes, with the
same name, format, size and bit depth, labels/<sheet>.txt (YOLO) and labelme/<sheet>.json. All sheets together get
boxes.csv and boxes.json (COCO).

    python predict_yolo.py
    python predict_yolo.py --input_dir=sheets --output_dir=results --recursive=true
    python predict_yolo.py --mode=image --image=sheets/K000123.jpg
    python predict_yolo.py --mode=map --dataset=mine
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from utils import config
from utils.detection.data.layouts import open_boxes
from utils.detection.data.samples import read_boxes
from utils.detection.predicting.drawing import draw_boxes
from utils.detection.predicting.evaluate import class_rows, evaluate
from utils.detection.predicting.folder import clean, plan, predict_folder, predict_sheet
from utils.memory import keep_freed_memory
from utils.network.onnx_export import BOXES, export_onnx
from utils.predicting.timing import time_image
from utils.predicting.video import annotate_video
from utils.utils import UserError, printable
from utils.utils_metrics import percent
from yolo import Detector

# ---- What to do ----
mode: Literal["folder", "image", "video", "camera", "fps", "onnx", "map"] = "folder"  # map: scores on labelled sheets
model_path: str = "model_data/yolov5_mobilenet.pth"  # checkpoint; it stores its classes, colours and input size
min_confidence: float | None = None    # lower values find more objects, and more false ones; None: the checkpoint's
overlap: float = 0.45                  # 0 to 1; of two boxes of a class with a higher IoU, the surer one is kept
device: str = "auto"                   # "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps", "cpu"
fp16: bool = True                      # mixed precision: faster on most GPUs; ignored where it would be slower
input_shape: tuple[int, int] | None = None  # height, width of the network's input, multiples of 32; None: checkpoint's
# ---- Folder and image ----
input_dir: str = "img"                 # folder with .jpg, .jpeg, .png, .tif or .tiff files
output_dir: str = "img_out/boxes"      # must not be input_dir: originals are never overwritten
recursive: bool = False                # True: also read the subfolders of input_dir
num_workers: int = 2                   # sheets processed at a time; each needs about 20 bytes of memory per pixel
image: str = ""                        # mode "image": the file; mode "fps": a file, "" is the first
# ---- Video and camera ----
video_path: str = ""                   # mode "video": the file
video_save_path: str = "img_out/boxes.mp4"  # .mp4 or .avi; "": save nothing
video_fps: float = 0.0                 # frames per second of the saved video; 0: as in the input
camera: int = 0                        # number of the camera, counted from 0
show: bool = False                     # mode "video": also show the frames, as mode "camera" always does; q or Esc ends
# ---- Speed ----
fps_repeats: int = 50                  # mode "fps": how often boxes are found; more repeats give a steadier figure
# ---- Export ----
onnx_path: str = "model_data/yolov5_mobilenet.onnx"  # the file to write; it gives boxes before non-maximum suppression
onnx_opset: int = 17                   # version of ONNX's operators; all programs since 2022 read 17
# ---- Scores (mode "map") ----
dataset_path: str = "herbarium_sheets"  # folder that holds the data sets
dataset: str = "demo"                   # as in train_yolo.py
lists: str = ""                         # VOC layout: another folder with <split>.txt; "": the data set's own
split: Literal["train", "val", "test"] = "val"  # the sheets to score on
label_names: dict[str, str] = {"Color_chart": "Color chart"}  # name in the label files -> class, or "_ignore_"
map_dir: str = "map_out"                # folder for scores, plots and pictures of failures
failures: int = 24                      # most pictures of sheets with missed or false boxes
# ---- nothing below this line needs editing ----


def main(settings: config.Settings) -> int:
    """The exit status, after running the mode: 1 when a file was bad, else 0."""
    s = settings
    for name in ("video_fps", "failures"):
        if getattr(s, name) < 0:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be 0 or more.", 2)
    model = Detector(
        s.model_path, device="cpu" if s.mode == "onnx" else s.device, fp16=s.fp16 and s.mode != "onnx",
        input_shape=s.input_shape, min_confidence=s.min_confidence, overlap=s.overlap,
    )
    if s.mode == "folder":
        bad = predict_folder(model, s.input_dir, s.output_dir, recursive=s.recursive, num_workers=s.num_workers)
        return 1 if bad else 0
    if s.mode == "image":
        predict_image(model, s)
    elif s.mode == "fps":
        print(time_image(model.detect, s.image, s.input_dir, s.fps_repeats, model.device))
    elif s.mode == "onnx":
        difference = export_onnx(model.model, s.onnx_path, s.onnx_opset, model.checkpoint.description(), BOXES)
        checked = "not checked: pip install -r requirements-extras.txt" if difference is None else (
            f"its boxes differ by at most {difference:.1e} from PyTorch's at two sizes")
        print(f"{s.onnx_path} written ({checked}). It gives boxes before non-maximum suppression.")
    elif s.mode == "map":
        score(model, s)
    else:
        frames = annotate_video(
            s.camera if s.mode == "camera" else s.video_path, s.video_save_path,
            lambda frame: draw_boxes(frame, model.detect(frame), model.colors),
            fps=s.video_fps, show=s.show or s.mode == "camera",
        )
        print(f"{frames} frames" + (f" written to {s.video_save_path}." if s.video_save_path else "."))
    return 0


def predict_image(model: Detector, s: config.Settings) -> None:
    """Writes and prints what is found on `image`. Raises UserError when that cannot be read."""
    source = Path(s.image)
    if not s.image:
        raise UserError("Mode image needs a file: set image.", 2)
    (sheet,) = plan([source], source.parent, Path(s.output_dir))
    clean([sheet])
    for box in predict_sheet(model, sheet).boxes:
        print(f"{box.name:20} score {box.score:.2f}, x {box.x1:.0f} to {box.x2:.0f}, y {box.y1:.0f} to {box.y2:.0f}")
    print(f"{', '.join(printable(path) for path in sheet.written())} written.")


def score(model: Detector, s: config.Settings) -> None:
    """Scores the model on a split of a data set, prints a table and writes the rest to map_dir."""
    sheets = read_boxes(
        open_boxes(s.dataset_path, s.dataset, model.name_classes, s.label_names, s.lists), s.split)
    scores = evaluate(model, sheets, Path(s.map_dir), s.num_workers, s.failures)
    print(f"{'class':<20}{'boxes':>7}{'AP50':>9}{'AP50-95':>9}{'precision':>11}{'recall':>9}")
    for name, boxes, half, mean, precision, recall in class_rows(scores, model.name_classes):
        print(f"{name:<20}{boxes:>7}{percent(half):>9}{percent(mean):>9}{percent(precision):>11}{percent(recall):>9}")
    print(f"mAP50 {percent(scores.map50)}, mAP50-95 {percent(scores.map50_95)} on {len(sheets)} sheets; precision and "
          f"recall at a score of {scores.confidence:.2f}, where their mean F1 is best. The rest is in {s.map_dir}.")


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
