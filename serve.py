"""Serves what digitise.py finds on a sheet: a page for curators, an API for programs. Run `python serve.py`.

Open http://127.0.0.1:5000/ and drop photographs on the page, or send one to the API (docs/serving.md):

    python serve.py
    python serve.py --host=0.0.0.0 --token_variable=SHEETS_TOKEN
    curl -F file=@img/sheet_1.jpg http://127.0.0.1:5000/api/v1/sheets

It keeps neither photographs nor results. Ctrl-C ends it, after it has finished what is in work.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from deeplab import Segmenter
from utils import config
from utils.digitise.plan import file_hash
from utils.digitise.reading.specimens import is_wanted
from utils.digitise.sheet import Models
from utils.files.jobs import worker_threads
from utils.memory import keep_freed_memory
from utils.utils import UserError
from utils.web.app import make_app
from utils.web.guard import log_to_stderr
from utils.web.looked_for import read_looked_for
from utils.web.server import serve
from yolo import Detector

# ---- Where ----
host: str = "127.0.0.1"                # this computer alone; "0.0.0.0": the whole network; then set token_variable, too
port: int = 5000                       # on macOS, AirPlay uses 5000: take 5001 there
# ---- The model ----
model_path: str = "model_data/deeplab_mobilenetv2.pth"  # checkpoint; it stores its classes, colours and input size
min_confidence: float | None = None    # lower values find more objects, and more false ones; None: the checkpoint's
straighten: bool = True                # show the network turned sheets upright; the results are turned back again
detector_path: str = "model_data/yolov5_mobilenet.pth"  # checkpoint of train_yolo.py, which finds specimens; "": none.
                                       # This file may be missing: then no specimens. Any other has to be there
specimen_confidence: float | None = None  # lower values find more specimens, and more false ones; None: the detector's
device: str = "auto"                   # "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps", "cpu"
# ---- What is looked for ----
digitise: dict[str, bool | float | str | tuple[str, ...]] = {}  # the constants of digitise.py count here, too. Those
                                       # to change for this server, such as {"scale": False, "review_below": 0.7}
# ---- Uploads ----
max_upload_mb: float = 150.0           # megabytes of a photograph; a 16-bit TIFF of 21 megapixels has 126
max_megapixels: float = 100.0          # of a photograph; each needs about 30 MB of memory while it is in work
receive_seconds: float = 300.0         # longest time for a request to arrive: 150 MB at 4 Mbit/s
connections: int = 100                 # at a time; others wait until the system gives them up
# ---- How to work ----
threads: int = 2                       # photographs in work at a time
queue_length: int = 8                  # photographs that wait for it; more are refused: "try again in 5 seconds"
request_seconds: float = 60.0          # longest time to wait for a result; the client is then asked to try again
# ---- Who may use it ----
token_variable: str = ""               # environment variable with a token that programs and the page must show;
                                       # "": everybody who reaches the server may use it
allowed_origins: tuple[str, ...] = ()  # other web pages whose scripts may use the API: "https://herbarium.example.org"
trusted_proxy: str = ""                # address of a proxy in front of the server, which tells who the client is
# ---- nothing below this line needs editing ----

ROOT = Path(__file__).parent
RANGES = {  # constant -> the least and the most that it may be
    "port": (0, 65_535), "max_upload_mb": (0.01, 1000), "max_megapixels": (0.01, 700), "receive_seconds": (1, 86_400),
    "connections": (1, 10_000), "threads": (1, 256), "queue_length": (0, 1000), "request_seconds": (1, 86_400),
}


def main(settings: config.Settings) -> int:
    """0 when the server was ended, 1 when it failed. Raises UserError when a constant does not fit."""
    s = settings
    check(s)
    model = Segmenter(s.model_path, device=s.device, min_confidence=s.min_confidence, straighten=s.straighten)
    about, detector = {**describe(model, s.model_path), "detector": None}, None
    if is_wanted(s.detector_path):
        detector = Detector(s.detector_path, device=s.device, min_confidence=s.specimen_confidence)
        about["detector"] = describe(detector, s.detector_path)
    looked_for = read_looked_for(ROOT / "digitise.py", s.digitise, model.name_classes, detector is not None)
    log_to_stderr()
    with worker_threads(s.threads) as executor:
        return serve(make_app(Models(model, detector), s, looked_for, executor, about), s)


def describe(model: Segmenter | Detector, path: str) -> dict[str, Any]:
    """What /api/v1/model says of a network. path: its file."""
    return {
        "id": file_hash(Path(path))[:12], "name": model.checkpoint.model_name, "backbone": model.checkpoint.backbone,
        "classes": model.name_classes, "input_shape": list(model.input_shape),
        "min_confidence": model.checkpoint.min_confidence, "device": str(model.device),
    }


def check(s: config.Settings) -> None:
    """Raises UserError when a constant does not fit. Says what is allowed and still unwise."""
    for name, (least, most) in RANGES.items():
        if not least <= getattr(s, name) <= most:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be from {least} to {most}.", 2)
    for origin in s.allowed_origins:
        if not re.fullmatch(r"https?://[^/\s]+", origin):
            raise UserError(f'allowed_origins has "{origin}": it has to be like "https://herbarium.example.org".', 2)
    if s.host not in ("127.0.0.1", "localhost", "::1") and not s.token_variable:
        print(f"host is {s.host} and there is no token: everybody who reaches this computer can use the server.")


if __name__ == "__main__":
    keep_freed_memory()
    config.run(main)
