"""What every measurement is given: the settings, the sheets, and ways to make a model and to evaluate one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from torch import nn

from utils.benchmark.processes import in_fresh_process
from utils.benchmark.progress import Progress
from utils.benchmark.sheets import link_dataset
from utils.config import Settings
from utils.detection.predicting.folder import Detector
from utils.files.voc import VocDataset
from utils.network.checkpoint import Checkpoint
from utils.network.precision import Precision
from utils.predicting.folder import Segmenter

CPU_MODES = (("one CPU thread", 1), ("all CPU threads", None))
START = 4.5  # seconds until a new process has imported everything and loaded a model, on two cores; for estimates


class Model(Segmenter, Protocol):
    """What is needed of a `DeeplabV3`."""

    input_shape: tuple[int, int]
    device: torch.device
    precision: Precision
    checkpoint: Checkpoint
    model: nn.Module


class Evaluation(Protocol):
    """Prepares a run of get_miou.py; what is returned runs it, as often as it is called.

    Args:
        data: the data set; results go to its folder `split`.
        split: the list of sheets.
        changes: constants of get_miou.py.
    """

    def __call__(self, data: VocDataset, split: str, **changes: Any) -> Callable[[], Any]: ...


@dataclass
class Setup:
    """One benchmark. It is sent to new processes, so all of it can be pickled."""

    settings: Settings                     # constants of benchmark.py
    files: Sequence[tuple[Path, Path]]     # different sheets: (image, mask)
    predicting: Settings                   # constants of predict.py
    training: Settings                     # constants of train.py
    detecting: Settings                    # constants of predict_yolo.py
    digitising: Settings                   # constants of digitise.py
    serving: Settings                      # constants of serve.py
    make_model: Callable[..., Model]        # with other arguments of DeeplabV3, if wanted
    make_detector: Callable[[], Detector]
    evaluation: Evaluation
    progress: Progress = field(default_factory=Progress)

    @property
    def megapixels(self) -> float:
        """The size of the first sheet."""
        with Image.open(self.files[0][0]) as image:
            return image.width * image.height / 1e6

    def linked(self, name: str, count: int, files: Sequence[tuple[Path, Path]] | None = None) -> VocDataset:
        """The data set `name` in work_dir, made anew, of `count` sheets: `files` (or all) again and again."""
        return link_dataset(Path(self.settings.work_dir) / name, files or self.files, count)

    def measure(
        self,
        title: str,
        seconds: float,
        work: Callable[..., Any],
        *arguments: Any,
        threads: int | None = None,
        plain: bool = False,
    ) -> tuple[Any, float]:
        """What `work(self, *arguments)` gives in a new process, and its peak memory in bytes; says so on stderr.

        Args:
            title: what is measured.
            seconds: about how long `work` takes on two cores.
            work: a function at the top level of a module.
            arguments: for `work`.
            threads, plain: see `in_fresh_process`.

        Raises:
            UserError: `work` fails.
        """
        with self.progress.line(title, START + seconds):
            return in_fresh_process(work, self, *arguments, threads=threads, plain=plain)
