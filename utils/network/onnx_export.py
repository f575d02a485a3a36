"""Exports a network to an ONNX file and checks it against PyTorch, or runs it with ONNX Runtime."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from utils.utils import UserError, atomic_path

TOLERANCE = 1e-3  # largest allowed difference of logits; a different order of float32 sums makes about 1e-5
OPSETS = range(11, 21)  # 11 is the first with bilinear resizing and aligned corners; the exporter knows up to 20
CHECKS = ((1, 3, 96, 128), (2, 3, 129, 77))  # (batch, channels, height, width) of two checks; one size is odd


def export_onnx(model: nn.Module, path: str | Path, opset: int, about: Mapping[str, Any]) -> float | None:
    """The largest difference between the logits of ONNX and PyTorch; None if onnxruntime is not installed.

    The file's input is `image`, float32 (N, 3, H, W) RGB in [0, 1], letterboxed. Its output is `logits`, float32
    (N, C, H, W). N, H and W are free. The file is written only if it passes the check.

    Args:
        model: on the CPU, in evaluation mode.
        path: the file to write.
        opset: version of ONNX's operators, one of OPSETS.
        about: stored as JSON texts in the file's metadata.

    Raises:
        UserError: onnx is not installed, `opset` is not allowed, or the results differ.
    """
    if opset not in OPSETS:
        raise UserError(f"onnx_opset is {opset}: it has to be from {OPSETS[0]} to {OPSETS[-1]}.", 2)
    _require_packages("onnx")
    import onnx  # an extra: nothing else here needs it

    with atomic_path(path) as temporary:
        _write_graph(model, str(temporary), opset)
        graph = onnx.load(temporary)
        onnx.checker.check_model(graph)
        onnx.helper.set_model_props(graph, {key: json.dumps(value) for key, value in about.items()})
        onnx.save(graph, temporary)
        if find_spec("onnxruntime") is None:
            return None
        difference = largest_difference(model, temporary)
        if not difference < TOLERANCE:
            raise UserError(f"{path} was not written: its logits differ by {difference:.2g} from PyTorch's.")
    return difference


class OnnxNetwork(nn.Module):
    """A network that ONNX Runtime runs on the CPU: float32 (N, 3, H, W) to (N, C, H, W), without gradients.

    It computes the same as `model`, which must be on the CPU in evaluation mode. It uses as many threads as PyTorch
    uses now. Raises UserError when onnx or onnxruntime is not installed.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        _require_packages("onnx", "onnxruntime")
        import onnxruntime

        graph = io.BytesIO()
        _write_graph(model, graph, OPSETS[-1])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # several sheets share the cores
        self.session = onnxruntime.InferenceSession(graph.getvalue(), options, providers=["CPUExecutionProvider"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The logits (N, C, H, W) of x, float32 (N, 3, H, W) RGB in [0, 1]."""
        return torch.from_numpy(self.session.run(["logits"], {"image": x.numpy()})[0])


def _require_packages(*packages: str) -> None:
    """Raises UserError when a package is not installed."""
    for package in packages:
        if find_spec(package) is None:
            raise UserError(f"The {package} package is not installed: pip install -r requirements-extras.txt")


def _write_graph(model: nn.Module, file: str | io.BytesIO, opset: int) -> None:
    """Writes `model` to `file` as an ONNX graph."""
    free = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter would also need onnxscript
        torch.onnx.export(
            model, (torch.zeros(CHECKS[0]),), file, opset_version=opset, dynamo=False,
            input_names=["image"], output_names=["logits"], dynamic_axes={"image": free, "logits": free},
        )


@torch.inference_mode()
def largest_difference(model: nn.Module, path: str | Path) -> float:
    """The largest absolute difference between the logits of onnxruntime and of `model`, for inputs of `CHECKS`."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    differences = []
    for shape in CHECKS:
        images = torch.rand(shape, generator=generator)
        expected = model(images).numpy()
        differences.append(np.abs(session.run(["logits"], {"image": images.numpy()})[0] - expected).max())
    return float(max(differences))
