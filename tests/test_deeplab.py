"""Segmenter against PyTorch's own functions, and against a network that sees only colours."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from deeplab import GPU_BATCH, DeeplabV3, Segmenter
from helpers import ROOT, checkpoint_of, new_deeplab, together
from utils.files.images import read_image
from utils.network.batching import Batcher
from utils.network.checkpoint import load_checkpoint, save_checkpoint
from utils.network.precision import cpu_has_bf16
from utils.utils import UserError

NAMES = ["_background_", "Barcode", "Label"]


class SeesColours(nn.Module):
    """Red is a barcode, green a label, all else background."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        red, green, blue = x.unbind(1)
        return self.gain * torch.stack((torch.full_like(red, 0.5), red - green, green - red), dim=1)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "Modell ü.pth"
    network = new_deeplab(3)
    network.cls_conv.weight.data *= 100  # fresh weights see one class everywhere
    save_checkpoint(path, checkpoint_of(network, [64, 96]))
    return path


@pytest.fixture
def colour_model(path):
    model = Segmenter(path, device="cpu", fp16=False)
    model.model = SeesColours()
    return model


def sheet() -> np.ndarray:
    """Grey, with a barcode of 40 x 60 and a label of 30 x 80 pixels."""
    image = np.full((300, 200, 3), 120, np.uint8)
    image[20:60, 10:70] = (255, 0, 0)
    image[250:280, 100:180] = (0, 255, 0)
    return image


def test_a_checkpoint_needs_nothing_else(path):
    model = Segmenter(path, device="cpu")
    assert model.name_classes == NAMES
    assert model.colors == [(0, 0, 0), (200, 0, 0), (0, 0, 250)]
    assert model.input_shape == (64, 96)
    assert model.checkpoint.backbone == "mobilenet" and not model.checkpoint.model
    assert not model.model.training and type(model) is DeeplabV3


def test_mask_is_the_argmax_of_the_upsampled_logits(path):
    """An image that fits the network's input without bars or scaling, then at twice its size."""
    model = Segmenter(path, device="cpu", fp16=False, straighten=False)
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    with torch.inference_mode():
        logits = model.model(torch.from_numpy(image).permute(2, 0, 1)[None] / 255)
    assert len(logits.argmax(1).unique()) > 1
    np.testing.assert_array_equal(model.segment(image), logits[0].argmax(0).numpy())
    double = F.interpolate(logits, scale_factor=2, mode="bilinear", align_corners=False)[0].argmax(0).numpy()
    mask = model.segment(image.repeat(2, 0).repeat(2, 1))
    assert (mask == double).mean() > 0.999  # sums in another order may move a tie


@pytest.mark.skipif(not cpu_has_bf16(), reason="takes minutes on a CPU without bfloat16")
def test_mixed_precision_gives_the_same_mask():
    image = read_image(ROOT / "herbarium_sheets" / "demo" / "JPEGImages" / "synthetic_000000.jpg")
    shipped = ROOT / "model_data" / "deeplab_mobilenetv2.pth"
    full, mixed = (
        Segmenter(shipped, device="cpu", fp16=fp16, input_shape=(480, 320)) for fp16 in (False, True))
    assert (full.precision.dtype, mixed.precision.dtype) == (torch.float32, torch.bfloat16)
    masks = [model.segment(image) for model in (full, mixed)]
    assert len(np.unique(masks[0])) > 2
    assert (masks[0] == masks[1]).mean() > 0.999


def test_onnxruntime_gives_the_same_mask(path):
    image = np.random.default_rng(0).integers(0, 256, (96, 70, 3), dtype=np.uint8)
    masks = [Segmenter(path, device="cpu", fp16=False, engine=engine).segment(image)
             for engine in ("torch", "onnxruntime")]
    assert len(np.unique(masks[0])) > 1
    assert (masks[0] == masks[1]).mean() > 0.999  # sums in another order may move a tie


def test_engine_that_is_not_there(path, monkeypatch):
    with pytest.raises(UserError, match='engine is "tflite" on cpu'):
        Segmenter(path, device="cpu", engine="tflite")
    monkeypatch.setattr("utils.network.onnx_export.find_spec", lambda name: None)
    with pytest.raises(UserError, match="onnx package is not installed: pip install -r requirements-extras.txt"):
        Segmenter(path, device="cpu", engine="onnxruntime")


def test_mask_has_the_size_of_the_input(colour_model):
    image = sheet()
    mask = colour_model.segment(image)
    assert mask.dtype == np.uint8 and mask.shape == (300, 200)
    for (top, bottom, left, right), index in (((20, 60, 10, 70), 1), ((250, 280, 100, 180), 2)):
        margin = 300 // 64 + 1  # one pixel of the network's input
        assert (mask[top + margin:bottom - margin, left + margin:right - margin] == index).all()
        outside = mask == index
        outside[top - margin:bottom + margin, left - margin:right + margin] = False
        assert not outside.any()


def test_other_kinds_of_input_give_the_same_mask(colour_model):
    image = sheet()
    expected = colour_model.segment(image)
    for same in (image.astype(np.uint16) * 257, image[:, ::-1][:, ::-1], Image.fromarray(image),
                 Image.fromarray(image).convert("RGBA")):
        np.testing.assert_array_equal(colour_model.segment(same), expected)
    assert not colour_model.segment(image[..., 0]).any()  # grey has no colours


def test_pillow_images_are_turned_upright(colour_model):
    stored = Image.fromarray(np.rot90(sheet()).copy())  # lies on its left side: 6 says, turn it clockwise
    stored.getexif()[274] = 6
    np.testing.assert_array_equal(colour_model.segment(stored), colour_model.segment(sheet()))


@pytest.mark.parametrize("image, words", [
    (np.zeros((4, 4, 3), np.float32), "float32 of shape .* has to be uint8 or uint16"),
    (np.zeros((0, 4, 3), np.uint8), "not empty"),
    (np.zeros((4, 4, 4), np.uint8), "has to be .H, W, 3. RGB"),
    (Image.new("F", (4, 4)), "has mode F: open it with"),
])
def test_other_images_are_refused(colour_model, image, words):
    with pytest.raises(UserError, match=words):
        colour_model.segment(image)


def test_a_gpu_without_enough_memory_says_what_to_change(colour_model, monkeypatch):
    def run_out(images):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(colour_model, "_forward", run_out)
    with pytest.raises(UserError, match="memory ran out: lower num_workers, or make input_shape smaller"):
        colour_model.segment(sheet())


def test_detect_image(colour_model, monkeypatch):
    mask = np.array([[0, 1], [2, 0]], np.uint8)
    monkeypatch.setattr(colour_model, "segment", lambda image: mask)
    image = np.full((2, 2, 3), 100, np.uint8)
    overlay = colour_model.detect_image(image)
    assert overlay.tolist() == [[[100] * 3, [150, 50, 50]], [[50, 50, 175], [100] * 3]]
    assert colour_model.detect_image(image, mix_type=1).tolist() == [[[0] * 3, [200, 0, 0]], [[0, 0, 250], [0] * 3]]
    assert colour_model.detect_image(image, mix_type=2).tolist() == [[[0] * 3, [100] * 3], [[100] * 3, [0] * 3]]
    picture, counts = colour_model.detect_image(Image.fromarray(image), count=True)
    assert isinstance(picture, Image.Image) and np.asarray(picture).tolist() == overlay.tolist()
    assert counts == {"_background_": 2, "Barcode": 1, "Label": 1}
    deep = colour_model.detect_image(image.astype(np.uint16) * 257)
    assert deep.dtype == np.uint16 and deep[0, 1].tolist() == [150 * 257, 50 * 257, 50 * 257]
    with pytest.raises(UserError, match="mix_type is 4"):
        colour_model.detect_image(image, mix_type=4)


def test_regions_of_a_segmented_sheet(colour_model):
    barcode, label = colour_model.regions(colour_model.segment(sheet()))
    assert (barcode.name, barcode.index, label.name, label.index) == ("Barcode", 1, "Label", 2)
    for region, box in ((barcode, (20, 10, 40, 60)), (label, (250, 100, 30, 80))):
        assert np.abs(np.subtract(region[2:6], box)).max() <= 2 * (300 // 64 + 1)
    assert barcode.centroid == pytest.approx((39.5, 39.5), abs=2)


def test_unsure_objects_are_left_out(path, tmp_path):
    """Logits of (0.5, 1, -1) and (0.5, -1, 1): a probability of 0.57 for both."""
    save_checkpoint(tmp_path / "sure.pth", replace(load_checkpoint(path), min_confidence=0.6))
    found = {}
    for name, file, given in (("old checkpoint", path, None), ("argument", path, 0.6), ("below", path, 0.5),
                              ("checkpoint", tmp_path / "sure.pth", None), ("all", tmp_path / "sure.pth", 0.0)):
        model = Segmenter(file, device="cpu", fp16=False, min_confidence=given)
        model.model = SeesColours()
        found[name] = model.segment(sheet()).any()
    assert found == {"old checkpoint": True, "argument": False, "below": True, "checkpoint": False, "all": True}
    with pytest.raises(UserError, match="min_confidence is 2: it has to be from 0 to 1"):
        Segmenter(path, device="cpu", min_confidence=2)


def test_the_calibration_of_a_checkpoint_makes_the_confidence(path, tmp_path):
    """Barcodes become a tenth as likely, by the odds; labels are left as they are, with 0.57."""
    lines = [[1.0, 0.0], [1.0, -float(np.log(10))], [1.0, 0.0]]
    save_checkpoint(tmp_path / "calibrated.pth", replace(load_checkpoint(path), calibration=lines, min_confidence=0.5))
    found = {}
    for least in (None, 0.0):
        model = Segmenter(tmp_path / "calibrated.pth", device="cpu", fp16=False, min_confidence=least)
        model.model = SeesColours()
        mask, probability = model.segment_with_probability(sheet())
        found[least] = {one.name: one.confidence for one in model.regions(mask, probability=probability)}
    share = 1 / (1 + np.exp(-0.5) + np.exp(-2))
    assert set(found[None]) == {"Label"} and found[0.0]["Label"] == pytest.approx(share, abs=0.03)
    odds = share / (1 - share) / 10
    assert found[0.0]["Barcode"] == pytest.approx(odds / (1 + odds), abs=0.03)


def test_other_colours_and_input_shape(path):
    model = Segmenter(path, device="cpu", colors=[(1, 1, 1), (2, 2, 2), (3, 3, 3)], input_shape=(32, 48))
    assert model.colors[2] == (3, 3, 3) and model.input_shape == (32, 48)
    assert model.segment(sheet()).shape == (300, 200)
    with pytest.raises(UserError, match="colors has 1 entries"):
        Segmenter(path, device="cpu", colors=[(1, 1, 1)])
    with pytest.raises(UserError, match="input_shape is .0, 48.: height and width have to be positive"):
        Segmenter(path, device="cpu", input_shape=(0, 48))


def test_missing_checkpoint_and_unknown_device(path, tmp_path):
    with pytest.raises(UserError, match="none.pth"):
        Segmenter(tmp_path / "none.pth")
    with pytest.raises(UserError, match='device is "gpu"'):
        Segmenter(path, device="gpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("fp16", [False, True])
def test_gpu_agrees_with_cpu(path, fp16):
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    on_cpu = Segmenter(path, device="cpu", fp16=False).segment(image)
    assert (Segmenter(path, device="cuda", fp16=fp16).segment(image) == on_cpu).mean() > (0.9 if fp16 else 0.99)


def test_sheets_of_several_threads_in_one_batch_are_as_each_alone(path, monkeypatch):
    model = Segmenter(path, device="cpu", straighten=False)
    rng = np.random.default_rng(3)
    sheets = [rng.integers(0, 256, (40, 30 if k % 3 else 80, 3), dtype=np.uint8) for k in range(6)]
    alone = [model.segment(sheet) for sheet in sheets]
    sizes = []

    def forward(images):
        sizes.append(len(images))
        return model._forward(images)

    batcher = Batcher(forward, GPU_BATCH)
    monkeypatch.setattr(model, "_batcher", batcher)
    for mask, same in zip(together(batcher, model.segment, sheets), alone):
        assert len(np.unique(same)) > 1 and (mask == same).mean() > 0.999
    assert sorted(sizes) == [2, 4]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_computes_waiting_sheets_together(path):
    model = Segmenter(path, device="cuda", fp16=False)
    sheets = [np.random.default_rng(k).integers(0, 256, (64, 96, 3), dtype=np.uint8) for k in range(GPU_BATCH)]
    alone = [model.segment(sheet) for sheet in sheets]
    for mask, same in zip(together(model._batcher, model.segment, sheets), alone):
        assert (mask == same).mean() > 0.99
