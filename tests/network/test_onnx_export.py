"""The network as an ONNX file: any batch and size, and what is refused."""

import pytest
import torch

from helpers import BACKBONE_OF, dot, new_model, randomise
from utils.network import onnx_export
from utils.utils import UserError
from weights import assert_parity


@pytest.mark.parametrize(("model_name", "backbone"), [*BACKBONE_OF.items(), ("pspnet", "resnet50s")])
def test_every_network_can_be_exported_for_any_batch_and_size(model_name: str, backbone: str) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    model = randomise(new_model(model_name, backbone=backbone))
    exported = onnx_export.OnnxNetwork(model)
    for shape in ((1, 3, 33, 47), (3, 3, 64, 48)):
        x = torch.rand(shape)
        with torch.no_grad():
            assert_parity(exported(x), model(x))


def test_onnx_that_differs_is_not_written(tmp_path, monkeypatch):
    assert onnx_export.export_onnx(dot(), tmp_path / "a.onnx", 11, {}) < 1e-6
    assert onnx_export.largest_difference(dot(bias=0.25), tmp_path / "a.onnx") == pytest.approx(0.25)
    monkeypatch.setattr(onnx_export, "largest_difference", lambda *args: float("nan"))
    with pytest.raises(UserError, match="b.onnx was not written: its logits differ by nan"):
        onnx_export.export_onnx(dot(), tmp_path / "b.onnx", 20, {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


@pytest.mark.parametrize("opset", [10, 21])
def test_onnx_opset_that_cannot_be_exported(tmp_path, opset):
    with pytest.raises(UserError, match=f"onnx_opset is {opset}: it has to be from 11 to 20"):
        onnx_export.export_onnx(dot(), tmp_path / "a.onnx", opset, {})
