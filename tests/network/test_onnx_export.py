"""The network as an ONNX file: any batch and size, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from helpers import dot, new_deeplab, randomise
from utils.network import onnx_export
from utils.utils import UserError


def test_onnx_export_takes_any_batch_and_size(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    model = randomise(new_deeplab(5))
    axes = {0: "batch", 2: "height", 3: "width"}
    torch.onnx.export(
        model, (torch.rand(2, 3, 64, 96),), tmp_path / "model.onnx", dynamo=False, input_names=["image"],
        output_names=["logits"], dynamic_axes={"image": axes, "logits": axes},
    )
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    for shape in ((1, 3, 33, 47), (3, 3, 64, 48)):
        x = torch.rand(shape)
        with torch.no_grad():
            expected = model(x).numpy()
        np.testing.assert_allclose(session.run(None, {"image": x.numpy()})[0], expected, atol=1e-4)


def test_onnx_that_differs_is_not_written(tmp_path, monkeypatch):
    assert onnx_export.export_onnx(dot(), tmp_path / "a.onnx", 11, {}) < 1e-6
    assert onnx_export.largest_difference(dot(bias=0.25), tmp_path / "a.onnx") == pytest.approx(0.25)
    monkeypatch.setattr(onnx_export, "largest_difference", lambda model, path: float("nan"))
    with pytest.raises(UserError, match="b.onnx was not written: its logits differ by nan"):
        onnx_export.export_onnx(dot(), tmp_path / "b.onnx", 20, {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


@pytest.mark.parametrize("opset", [10, 21])
def test_onnx_opset_that_cannot_be_exported(tmp_path, opset):
    with pytest.raises(UserError, match=f"onnx_opset is {opset}: it has to be from 11 to 20"):
        onnx_export.export_onnx(dot(), tmp_path / "a.onnx", opset, {})
