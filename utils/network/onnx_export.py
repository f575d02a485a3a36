"""Exports a network to an ONNX file and checks it against PyTorch, or runs it with ONNX Runtime."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from utils.utils import UserError, atomic_path

OPSETS = range(11, 21)  # 11 is the first with bilinear resizing and aligned corners; the exporter knows up to 20


class Output(NamedTuple):
    """What a network gives, float32.

    Attributes:
        name: of the output in the file.
        free: number and name of each axis of any length.
        tolerance: largest allowed difference from PyTorch.
        checks: (batch, channels, height, width) of the images to compare with. The first is also the one to trace.
    """

    name: str
    free: Mapping[int, str]
    tolerance: float
    checks: tuple[tuple[int, ...], ...]


# A different order of float32 sums changes logits by about 1e-5. One size is odd.
LOGITS = Output("logits", {0: "batch", 2: "height", 3: "width"}, 1e-3, ((1, 3, 96, 128), (2, 3, 129, 77)))
BOXES = Output("boxes", {0: "batch", 1: "boxes"}, 0.05, ((1, 3, 96, 128), (2, 3, 64, 160)))  # pixels, up to some 1000


def export_onnx(
    model: nn.Module, path: str | Path, opset: int, about: Mapping[str, Any], output: Output = LOGITS
) -> float | None:
    """The largest difference between the outputs of ONNX and PyTorch; None if onnxruntime is not installed.

    The file's input is `image`, float32 (N, 3, H, W) RGB in [0, 1], letterboxed. N, H and W are free. The file is
    written only if it passes the check.

    Args:
        model: on the CPU, in evaluation mode.
        path: the file to write.
        opset: version of ONNX's operators, one of OPSETS.
        about: stored as JSON texts in the file's metadata.
        output: LOGITS, (N, C, H, W), or BOXES, (N, boxes, 5 + C).

    Raises:
        UserError: onnx is not installed, `opset` is not allowed, or the results differ.
    """
    if opset not in OPSETS:
        raise UserError(f"onnx_opset is {opset}: it has to be from {OPSETS[0]} to {OPSETS[-1]}.", 2)
    _require_packages("onnx")
    import onnx  # an extra: nothing else here needs it

    with atomic_path(path) as temporary:
        _write_graph(model, str(temporary), opset, output)
        graph = onnx.load(temporary)
        onnx.checker.check_model(graph)
        onnx.helper.set_model_props(graph, {key: json.dumps(value) for key, value in about.items()})
        onnx.save(graph, temporary)
        if find_spec("onnxruntime") is None:
            return None
        difference = largest_difference(model, temporary, output)
        if not difference < output.tolerance:
            raise UserError(f"{path} was not written: its {output.name} differ by {difference:.2g} from PyTorch's.")
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
        _write_graph(model, graph, OPSETS[-1], LOGITS)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # several sheets share the cores
        self.session = onnxruntime.InferenceSession(graph.getvalue(), options, providers=["CPUExecutionProvider"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The logits (N, C, H, W) of x, float32 (N, 3, H, W) RGB in [0, 1]."""
        return torch.from_numpy(self.session.run([LOGITS.name], {"image": x.numpy()})[0])


def _require_packages(*packages: str) -> None:
    """Raises UserError when a package is not installed."""
    for package in packages:
        if find_spec(package) is None:
            raise UserError(f"The {package} package is not installed: pip install -r requirements-extras.txt")


def _write_graph(model: nn.Module, file: str | io.BytesIO, opset: int, output: Output) -> None:
    """Writes `model` to `file` as an ONNX graph. Arguments: see `export_onnx`."""
    free = {"image": LOGITS.free, output.name: output.free}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter would also need onnxscript
        torch.onnx.export(
            model, (torch.zeros(output.checks[0]),), file, opset_version=opset, dynamo=False,
            input_names=["image"], output_names=[output.name], dynamic_axes=free,
        )


@torch.inference_mode()
def largest_difference(model: nn.Module, path: str | Path, output: Output = LOGITS) -> float:
    """The largest absolute difference between the outputs of onnxruntime and of `model`, for the inputs to check."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    differences = []
    for shape in output.checks:
        images = torch.rand(shape, generator=generator)
        expected = model(images).numpy()
        differences.append(np.abs(session.run([output.name], {"image": images.numpy()})[0] - expected).max())
    return float(max(differences))
