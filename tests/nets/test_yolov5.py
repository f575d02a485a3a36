"""YOLOv5: its size, its outputs, and what it shares with the other networks."""

import math
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from helpers import ROOT, randomise, state
from nets.blocks import fold_batchnorm
from nets.cpu import BandedResidual, for_cpu
from nets.winograd import WinogradConv2d
from nets.yolov5 import ANCHORS, STRIDES, yolov5
from utils.detection.decoding import DecodedYolo
from utils.detection.loss import detection_loss
from utils.network.checkpoint import load_checkpoint
from utils.network.onnx_export import OnnxNetwork
from weights import assert_parity

both_backbones = pytest.mark.parametrize("size", ["n", "mobilenet"])
BOXES = torch.tensor([[0, 1, 10, 12, 40, 50], [0, 0, 2, 2, 20, 9], [1, 4, 0, 0, 96, 64], [1, 3, 0, 0, 60, 60.0]])


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(0)
    return torch.rand(2, 3, 64, 96).contiguous(memory_format=torch.channels_last)


def parameters(size: str, num_classes: int) -> int:
    with torch.device("meta"):
        return sum(weight.numel() for weight in yolov5(size, num_classes).parameters())


@pytest.mark.parametrize(("size", "of_80", "of_5"), [
    ("n", 1_872_157, 1_770_682), ("s", 7_235_389, 7_033_114), ("m", 21_190_557, 20_887_482),
    ("l", 46_563_709, 46_159_834), ("x", 86_749_405, 86_244_730),
])
def test_every_size_has_the_published_number_of_parameters(size: str, of_80: int, of_5: int) -> None:
    assert (parameters(size, 80), parameters(size, 5)) == (of_80, of_5)


@both_backbones
def test_three_levels_come_out(size: str, images: Tensor) -> None:
    outputs = yolov5(size, 4)(images)
    assert [tuple(output.shape) for output in outputs] == [
        (2, 3, 64 // stride, 96 // stride, 9) for stride in STRIDES]


def test_an_unknown_size_is_named() -> None:
    with pytest.raises(ValueError, match="size is t: it has to be one of n, s, m, l, x, mobilenet."):
        yolov5("t", 4)


def test_batchnorms_are_those_of_the_description_and_mobilenet_keeps_its_own() -> None:
    def kinds(module: nn.Module) -> set[tuple[float, float]]:
        return {(norm.eps, norm.momentum) for norm in module.modules() if isinstance(norm, nn.BatchNorm2d)}

    with torch.device("meta"):
        model = yolov5("mobilenet", 5)
        assert kinds(yolov5("n", 5)) == kinds(model.neck) == {(1e-3, 0.03)}
    assert kinds(model.backbone) == {(1e-5, 0.1)}


def test_a_fresh_head_expects_eight_objects_at_640_pixels() -> None:
    for conv, stride in zip(yolov5("n", 5).head, STRIDES):
        bias = conv.bias.detach().view(3, 10)
        limit = 1 / math.sqrt(conv.in_channels)  # of PyTorch's own fresh values
        assert (bias[:, 4] - math.log(8 / (640 / stride) ** 2)).abs().max() <= limit
        assert (bias[:, 5:] - math.log(0.6 / 4.00001)).abs().max() <= limit
        assert bias[:, :4].abs().max() <= limit


@both_backbones
def test_a_loss_teaches_every_weight_also_without_boxes(size: str, images: Tensor) -> None:
    model = yolov5(size, 5)
    for boxes in (BOXES, BOXES[:0]):
        loss = detection_loss(model(images), boxes, model.anchors, (64, 96)).total
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


@both_backbones
@torch.no_grad()
def test_what_makes_it_fast_changes_no_outputs(size: str, images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nets.cpu.BAND", 100_000)
    model = randomise(yolov5(size, 5))
    expected = model(images)
    model = for_cpu(fold_batchnorm(model)).to(memory_format=torch.channels_last)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert any(isinstance(module, WinogradConv2d if size == "n" else BandedResidual) for module in model.modules())
    for output, values in zip(model(images), expected, strict=True):
        assert_parity(output, values)


@torch.no_grad()
def test_autocast_gives_float32_outputs_and_other_sizes_are_rounded(images: Tensor) -> None:
    model = yolov5("mobilenet", 5)
    with torch.autocast("cpu", torch.bfloat16):
        assert {output.dtype for output in model(images)} == {torch.float32}
    assert [output.shape[2:4] for output in model.eval()(images[..., :75])] == [(8, 10), (4, 5), (2, 3)]


@both_backbones
def test_a_frozen_backbone_is_frozen_whole(size: str, images: Tensor) -> None:
    model = yolov5(size, 5)
    model.freeze_backbone(True)
    before, optimizer = state(model), torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        detection_loss(model.train()(images), BOXES, model.anchors, (64, 96)).total.backward()
        optimizer.step()
    same = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
    assert same == {name for name in before if name.startswith("backbone.")} | {"anchors"}
    model.freeze_backbone(False)
    assert all(module.training for module in model.modules())
    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize(("size", "fixed"), [
    ("n", ("backbone.stem.", "backbone.stages.0.")),
    ("mobilenet", ("backbone.features.0.", "backbone.features.1.")),
])
def test_the_first_layers_of_the_backbone_never_learn(size: str, fixed: tuple[str, ...], images: Tensor) -> None:
    model = yolov5(size, 5)
    model.fix_layers(2)
    model.freeze_backbone(True)
    model.freeze_backbone(False)
    before, optimizer = state(model), torch.optim.SGD(model.parameters(), lr=0.1)
    detection_loss(model.train()(images), BOXES, model.anchors, (64, 96)).total.backward()
    optimizer.step()
    same = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
    assert same == {name for name in before if name.startswith(fixed)} | {"anchors"}
    copied = deepcopy(model).train()
    assert not copied.backbone.get_submodule(fixed[0].removeprefix("backbone.").rstrip(".")).training


def test_mobilenet_takes_the_backbone_of_the_segmentation_weights() -> None:
    weights = load_checkpoint(ROOT / "model_data" / "deeplab_mobilenetv2.pth").model
    own = {name.removeprefix("backbone."): value for name, value in weights.items() if name.startswith("backbone.")}
    with torch.device("meta"):
        backbone = yolov5("mobilenet", 5).backbone
    backbone.load_state_dict(own, assign=True)  # raises an error when a weight is missing or has another shape


def test_anchors_are_saved_with_the_weights() -> None:
    assert yolov5("n", 5).anchors.tolist() == [[list(map(float, anchor)) for anchor in level] for level in ANCHORS]
    own = [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]] * 3
    model = yolov5("n", 5)
    model.load_state_dict(yolov5("n", 5, own).state_dict())
    assert model.anchors.tolist() == own


@torch.no_grad()
def test_the_onnx_network_gives_decoded_boxes_of_any_batch_and_size(images: Tensor) -> None:
    model = randomise(yolov5("n", 5))
    network, decoded = OnnxNetwork(DecodedYolo(model)), DecodedYolo(model).eval()
    for x in (images, images[:1, :, :32]):
        expected = decoded(x)
        assert expected.shape == (len(x), 3 * x[0, 0].numel() * 21 // 1024, 10)
        assert_parity(network(x), expected)
