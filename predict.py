"""Finds the objects on herbarium sheets: edit the constants, then run `python predict.py`.

The default mode "folder" reads img/ and writes two files per sheet to img_out/: an overlay with the same name, format,
size and bit depth, and masks/<sheet>.png, in which each pixel's value is its class. A network that tells objects of one
class apart (nhm) also writes instances/<sheet>.png, in which each pixel's value is the number of its object.

    python predict.py
    python predict.py --input_dir=sheets --output_dir=results --recursive=true --count=true --crops=true
    python predict.py --mode=image --image=sheets/K000123.jpg
    python predict.py --mode=video --video_path=sheets.mp4
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from deeplab import Segmenter
from nets.models import BackboneName, DownsampleFactor
from utils import config
from utils.files.jobs import warn
from utils.memory import keep_freed_memory
from utils.network.onnx_export import export_onnx
from utils.objects.drawing import draw_mask
from utils.predicting.folder import clean, predict_folder, predict_sheet
from utils.predicting.plan import plan
from utils.predicting.timing import time_image
from utils.predicting.video import annotate_video
from utils.utils import UserError, printable

# ---- What to do ----
mode: Literal["folder", "image", "video", "camera", "fps", "onnx"] = "folder"  # fps: time the network; onnx: export it
model_path: str = "model_data/deeplab_mobilenetv2.pth"  # checkpoint; it stores its classes, colours and input size
mix_type: Literal[0, 1, 2] = 0         # 0: objects tinted; 1: colour mask; 2: objects cut out, background black
min_confidence: float | None = None    # lower values find more objects, and more false ones; None: the checkpoint's
straighten: bool = True                # show the network turned sheets upright; the results are turned back again
count: bool = False                    # True: also list pixels of each class and all objects: classes.csv, objects.csv
crops: bool = False                    # True: also cut out each object into its own file: crops/<sheet>_Label_1.jpg
device: str = "auto"                   # "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps", "cpu"
fp16: bool = True                      # mixed precision: faster on most GPUs; ignored where it would be slower
engine: Literal["torch", "onnxruntime"] = "torch"  # onnxruntime: CPU, no instances; needs requirements-extras.txt
# ---- Folder and image ----
input_dir: str = "img"                 # folder with .jpg, .jpeg, .png, .tif or .tiff files
output_dir: str = "img_out"            # must not be input_dir: originals are never overwritten
recursive: bool = False                # True: also read the subfolders of input_dir
num_workers: int = 2                   # sheets processed at a time; each needs about 20 bytes of memory per pixel
image: str = ""                        # mode "image": a file, "" asks for files; mode "fps": a file, "" is the first
# ---- Video and camera ----
video_path: str = ""                   # mode "video": the file
video_save_path: str = "img_out/video.mp4"  # .mp4 or .avi; "": save nothing
video_fps: float = 0.0                 # frames per second of the saved video; 0: as in the input
camera: int = 0                        # number of the camera, counted from 0
show: bool = False                     # mode "video": also show the frames, as mode "camera" always does; q or Esc ends
# ---- Speed ----
fps_repeats: int = 50                  # how often the image is segmented; more repeats give a steadier figure
# ---- Export ----
onnx_path: str = "model_data/deeplab_mobilenetv2.onnx"  # the file to write
onnx_opset: int = 17                   # version of ONNX's operators; all programs since 2022 read 17
# ---- Network ----
input_shape: tuple[int, int] | None = None         # height, width of the network's input; None: the checkpoint's
downsample_factor: DownsampleFactor | None = None  # None: the checkpoint's
name_classes: tuple[str, ...] | None = None        # only for community weights, which store none; background first
backbone: BackboneName | None = None               # only for community weights, which do not name it


def main(settings: config.Settings) -> int:
    """The exit status, after running the mode: 1 when a file was bad, else 0."""
    s = settings
    if s.video_fps < 0:
        raise UserError(f"video_fps is {s.video_fps}: it has to be 0 or more.", 2)
    model = Segmenter(
        s.model_path, device="cpu" if s.mode == "onnx" else s.device, fp16=s.fp16, name_classes=s.name_classes,
        backbone=s.backbone, downsample_factor=s.downsample_factor, input_shape=s.input_shape,
        min_confidence=s.min_confidence, engine="torch" if s.mode == "onnx" else s.engine, straighten=s.straighten,
    )
    if s.mode == "folder":
        bad = predict_folder(
            model, s.input_dir, s.output_dir,
            mix_type=s.mix_type, recursive=s.recursive, count=s.count, crops=s.crops, num_workers=s.num_workers,
        )
        return 1 if bad else 0
    if s.mode == "image":
        return predict_images(model, s)
    if s.mode == "fps":
        print(time_image(model.segment, s.image, s.input_dir, s.fps_repeats, model.device))
    elif s.mode == "onnx":
        export(model, s)
    else:
        source = s.camera if s.mode == "camera" else s.video_path
        frames = annotate_video(
            source, s.video_save_path, lambda frame: draw_mask(frame, model.segment(frame), model.colors, s.mix_type),
            fps=s.video_fps, show=s.show or s.mode == "camera",
        )
        print(f"{frames} frames" + (f" written to {s.video_save_path}." if s.video_save_path else "."))
    return 0


def predict_images(model: Segmenter, s: config.Settings) -> int:
    """The exit status, after predicting `image`, or every file that the user names until an empty line.

    It is 1 when a file was bad, else 0.
    """
    status = 0
    while name := s.image or ask_for_image():
        try:
            source = Path(name)
            (sheet,) = plan([source], source.parent, Path(s.output_dir), s.mix_type, model.finds_instances)
            clean([sheet], s.crops)
            found = predict_sheet(model, sheet, s.mix_type, s.crops)
            *names, last = map(printable, sheet.written())
            print(f"{', '.join(names)} and {last} written.")
            for crop in found.crops:
                print(f"{printable(crop)} written.")
            if s.count:
                total = sum(found.pixels.values())
                for class_name, pixels in found.pixels.items():
                    print(f"{class_name:20} {pixels:12} pixels {100 * pixels / total:8.3f} %")
                for region in found.regions:
                    print(f"{region.name:20} {region.area:12} pixels at row {region.top}, column {region.left}, "
                          f"{region.height} high, {region.width} wide")
        except UserError as error:
            warn(error)
            status = 1
        if s.image:
            break
    return status


def ask_for_image() -> str:
    """The file name that the user types or pastes, without quotes; "" for an empty line or the end of the input."""
    try:
        return input("Input image filename (empty line ends): ").strip().strip("\"'")
    except EOFError:
        return ""


def export(model: Segmenter, s: config.Settings) -> None:
    """Writes onnx_path and prints how much its logits differ from PyTorch's, and what is left out."""
    difference = export_onnx(model.model, s.onnx_path, s.onnx_opset, model.checkpoint.description())
    checked = "not checked: pip install -r requirements-extras.txt" if difference is None else (
        f"logits differ by at most {difference:.1e} from PyTorch's at two sizes")
    print(f"{s.onnx_path} written ({checked}).")
    if model.finds_instances:
        print(f"{s.onnx_path} gives the classes only: the instances of {model.checkpoint.model_name} are not exported.")


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
