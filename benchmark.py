"""Measures how fast this machine is at everything, beside what is physically needed for it: run `python benchmark.py`.

Prints the machine and one Markdown table, and on stderr what is being measured. Sheets are drawn once (8 s each) or
taken from a data set. What is measured are the functions that predict.py, train.py and get_miou.py call; each
measurement has a process of its own.

    python benchmark.py
    python benchmark.py --quick=true
    python benchmark.py --parts=predict,miou --repeats=3
    python benchmark.py --parts=step --batch_sizes=4,8 --steps=50
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from deeplab import DeeplabV3
from nets.yolov5 import yolov5
from utils import config
from utils.benchmark.detecting import measure_detect
from utils.benchmark.digitising import measure_digitise
from utils.benchmark.growth import measure_growth
from utils.benchmark.predicting import measure_predict
from utils.benchmark.scoring import measure_miou
from utils.benchmark.serving import measure_serve
from utils.benchmark.setup import Setup
from utils.benchmark.sheets import draw_sheets
from utils.benchmark.table import machine, table
from utils.benchmark.training import measure_loader, measure_step
from utils.detection.checkpoint import DetectionCheckpoint
from utils.files.voc import VocDataset
from utils.memory import keep_freed_memory
from utils.network.checkpoint import save_checkpoint
from utils.utils import UserError, pick_device
from yolo import Detector

# ---- What to measure ----
parts: tuple[Literal["predict", "detect", "digitise", "serve", "loader", "step", "miou", "growth"], ...] = (
    "predict", "detect", "digitise", "serve", "loader", "step", "miou", "growth")  # growth: more, larger sheets; slow
quick: bool = False                 # the whole table in four minutes, not ten or more: fewer and smaller sheets, fewer
                                    # repeats. Good for a look; what is given as --name=value stays as given
repeats: int = 5                    # measurements of each thing; the table has median, smallest and largest
device: str = "auto"                # of the network: "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "mps", "cpu"
model_path: str = "model_data/deeplab_mobilenetv2.pth"  # to predict with; training is measured without start weights
detector_path: str = "model_data/yolov5_mobilenet.pth"  # to find boxes with; without this file: fresh weights
# ---- Sheets ----
work_dir: str = "cache/benchmark"   # sheets drawn, copies and results; can be deleted
dataset: str = ""                   # folder of a data set whose val sheets, JPEGs, are measured with; "": drawn ones
drawn: int = 4                      # different sheets to draw; the others are copies of them
sheet_size: tuple[int, int] = (5616, 3744)  # height, width of drawn sheets
sheets: int = 8                     # in a folder, for all but the growth
# ---- Training step ----
input_shape: tuple[int, int] = (512, 512)   # height, width
batch_sizes: tuple[int, ...] = (4,)         # sheets a step
steps: int = 4                              # a repeat; give many on a GPU, so that starting an epoch does not count
num_workers: int = 2                        # processes that load sheets; beside a GPU, 4
# ---- Growth ----
growth_sheets: tuple[int, ...] = (10, 100, 500)             # in a folder: time a sheet and memory should not change
growth_megapixels: tuple[float, ...] = (5.0, 20.0, 60.0)   # a sheet: time should grow no faster than these
# ---- nothing below this line needs editing ----

ROOT = Path(__file__).parent
PARTS = {
    "predict": measure_predict, "detect": measure_detect, "digitise": measure_digitise, "serve": measure_serve,
    "loader": measure_loader, "step": measure_step, "miou": measure_miou, "growth": measure_growth,
}
QUICK = {  # what `quick` changes
    "repeats": 1, "drawn": 2, "sheet_size": (1872, 1248), "sheets": 2, "input_shape": (256, 256), "batch_sizes": (2,),
    "steps": 1, "num_workers": 1, "growth_sheets": (2, 4), "growth_megapixels": (6.0,),
}


def main(settings: config.Settings) -> int:
    """Prints the table; 0 at the end. Raises UserError when a constant does not fit or a measurement fails."""
    setup = make_setup(with_quick(settings))
    s = setup.settings
    rows = [row for part in s.parts for row in PARTS[part](setup)]
    print(f"{machine(pick_device(s.device))}; sheets of {setup.megapixels:.3g} megapixels\n\n{table(rows)}")
    return 0


def make_setup(s: config.Settings) -> Setup:
    """What the measurements are given. Raises UserError when a constant does not fit."""
    check(s)
    return Setup(
        settings=s,
        files=sheets_to_measure(s),
        predicting=(predicting := config.read(ROOT / "predict.py")),
        training=config.read(ROOT / "train.py"),
        detecting=(detecting := config.read(ROOT / "predict_yolo.py")),
        digitising=config.read(ROOT / "digitise.py"),
        serving=config.read(ROOT / "serve.py"),
        make_model=partial(DeeplabV3, s.model_path, device=s.device, fp16=predicting.fp16),
        make_detector=partial(Detector, detector_file(s), device=s.device, fp16=detecting.fp16),
        evaluation=partial(evaluation, s.model_path, s.device),
    )


def with_quick(s: config.Settings) -> config.Settings:
    """The settings to measure with: where `quick` is set, those of QUICK, but for what the command line gives."""
    own = config.read(ROOT / "benchmark.py").to_dict()
    changes = {name: value for name, value in QUICK.items() if getattr(s, name) == own[name]}
    return config.Settings(**{**s.to_dict(), **(changes if s.quick else {})})


def check(s: config.Settings) -> None:
    """Raises UserError when a constant does not fit."""
    for name in ("repeats", "drawn", "sheets", "steps"):
        if getattr(s, name) < 1:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be 1 or more.", 2)
    if s.num_workers < 0:
        raise UserError(f"num_workers is {s.num_workers}: it has to be 0 or more.", 2)


def sheets_to_measure(s: config.Settings) -> list[tuple[Path, Path]]:
    """(image, mask) of each different sheet: drawn ones, or those of `dataset`. Raises UserError."""
    if not s.dataset:
        return draw_sheets(Path(s.work_dir) / "drawn_{}x{}".format(*s.sheet_size), s.drawn, s.sheet_size)
    files = VocDataset(Path(s.dataset).parent, Path(s.dataset).name).files("val")
    if any(image.suffix.lower() not in (".jpg", ".jpeg") for image, _ in files):
        raise UserError(f'dataset {s.dataset} has val sheets that are no JPEG: list others, or set it to "".', 2)
    return files


def detector_file(s: config.Settings) -> Path:
    """The file at detector_path or, without it, a checkpoint in work_dir with fresh weights for train_yolo.py."""
    if Path(s.detector_path).is_file():
        return Path(s.detector_path)
    t, path = config.read(ROOT / "train_yolo.py"), Path(s.work_dir) / "fresh_detector.pth"
    about = DetectionCheckpoint.of_run(t.to_dict(), input_shape=list(t.predict_shape or t.input_shape))
    save_checkpoint(path, replace(about, model=yolov5(t.backbone, len(t.name_classes)).state_dict()))
    return path


def evaluation(model_path: str, device: str, data: VocDataset, split: str, **changes: Any) -> Callable[[], int]:
    """A run of get_miou.py, ready to be called. Results go to the folder `split` of the data set.

    Args:
        model_path, device: constants of get_miou.py.
        data: the data set.
        split: its list of sheets.
        changes: more constants of get_miou.py.
    """
    import get_miou  # not at the top: it brings Matplotlib, whose memory predict.py does not take

    return partial(get_miou.main, config.read(
        get_miou, model_path=model_path, device=device, dataset_path=str(data.root.parent), dataset=data.root.name,
        split=split, out_dir=str(data.root / split), **changes,
    ))


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
