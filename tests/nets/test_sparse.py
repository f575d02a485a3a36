"""Where DeepLabv3+ is computed for boxes alone, it gives what the whole network gives."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers import new_deeplab, new_model, randomise
from nets import winograd
from nets.blocks import upsample
from nets.sparse import BAND, CERTAIN, GROWN, Box, SparseDeepLab, boxes_around, convolve_at, covered
from weights import assert_parity

MARK_NOTHING, MARK_ALL = (torch.tensor([0.0] * 320 + [bias]) for bias in (-1.0, 1.0))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return randomise(new_deeplab(4, downsample_factor=8))


@pytest.fixture(scope="module")
def image():
    return torch.rand(2, 3, 150, 203, generator=torch.Generator().manual_seed(0)).contiguous(
        memory_format=torch.channels_last)


@torch.inference_mode()
@pytest.mark.parametrize("downsample_factor", [8, 16])
@pytest.mark.parametrize("exact", [True, False])
def test_inside_the_boxes_it_is_the_whole_network(downsample_factor, exact, image, monkeypatch):
    monkeypatch.setattr(winograd, "FEWEST", 0)
    torch.manual_seed(1)
    model = randomise(new_deeplab(4, downsample_factor=downsample_factor, exact_upsampling=exact))
    low_level, high_level = model.pick(model.backbone(image))
    features = upsample(model.aspp(high_level), low_level, downsample_factor // 4, exact)
    whole = model.cls_conv(model.cat_conv(torch.cat((features, model.shortcut_conv(low_level)), dim=1)))
    rows, columns = high_level.shape[2:]
    boxes = [Box(0, 0, 2, 0, 3), Box(0, 4, 6, 5, 6), Box(0, rows - 1, rows, columns - 2, columns), Box(1, 2, 7, 4, 9)]
    logits = SparseDeepLab(model, MARK_ALL).decode(low_level, high_level, boxes)
    inside = covered(boxes, high_level)[:, None].float()
    inside = F.interpolate(inside, scale_factor=downsample_factor // 4)[..., :logits.shape[2], :logits.shape[3]] > 0
    inside = inside.expand_as(logits)
    assert 0.02 < inside.float().mean() < 0.5
    assert_parity(logits[inside], whole[inside])
    background = torch.tensor([CERTAIN, 0, 0, 0]).view(1, 4, 1, 1).expand_as(logits)
    assert torch.equal(logits[~inside], background[~inside])


@torch.inference_mode()
def test_with_most_cells_marked_it_is_the_whole_network(model, image):
    assert torch.equal(SparseDeepLab(model, MARK_ALL)(image), model(image))


@torch.inference_mode()
def test_with_no_cell_marked_all_is_background(model, image):
    logits = SparseDeepLab(model, MARK_NOTHING)(image)
    assert logits.shape == (2, 4, 150, 203) and (logits.argmax(1) == 0).all()
    assert logits.softmax(1)[:, 0].min() > 0.999


@torch.inference_mode()
def test_the_probe_marks_where_its_sum_is_above_0(model, image):
    """A probe for the cell in which channel 7 is highest, in the upper image alone."""
    features = model.backbone(image)[-1]
    probe = torch.zeros(321)
    first, second = features[:, 7].flatten().topk(2).values
    probe[7], probe[-1] = 1.0, -(first + second) / 2
    logits = SparseDeepLab(model, probe)(image)
    number, row, column = (features[:, 7] == first).nonzero()[0].tolist()
    left_alone = (logits[:, 0] == CERTAIN) & (logits[:, 1:] == 0).all(1)
    expected = torch.ones_like(left_alone)
    span = [slice(max(at - GROWN, 0) * 8, (at + GROWN + 1) * 8) for at in (row, column)]
    expected[number, span[0], span[1]] = False
    assert (left_alone == expected).float().mean() > 0.98  # but for the pixels between that upsampling mixes


@torch.inference_mode()
@pytest.mark.parametrize("rounded", [True, False])
def test_in_bfloat16(model, image, rounded):
    probe = torch.randn(321, generator=torch.Generator().manual_seed(3))
    features = model.backbone(image)[-1]
    scores = features.permute(0, 2, 3, 1) @ probe[:-1]
    probe[-1] = -scores.flatten().topk(3).values[-1]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=rounded):
        logits = SparseDeepLab(model, probe)(image)
    whole = model(image)
    computed = logits[:, 0] < CERTAIN / 2
    assert logits.dtype == torch.float32 and 0.01 < computed.float().mean() < 0.6
    computed = computed[:, None].expand_as(logits)
    inner = -F.max_pool2d(-computed.float(), 9, 1, 4) > 0
    limit = (0.05 if rounded else 1e-4) * whole.abs().max()
    assert (logits - whole)[inner].abs().max() < limit


def test_boxes_by_hand():
    marked = torch.zeros(2, 40, 30, dtype=torch.bool)
    marked[0, 10, 8] = marked[0, 38, 29] = marked[1, BAND, 0] = True
    assert GROWN == 2 and BAND == 16
    assert boxes_around(marked) == [
        Box(0, 8, 13, 6, 11), Box(0, 36, 40, 27, 30), Box(1, 14, 16, 0, 3), Box(1, 16, 19, 0, 3)]
    assert boxes_around(torch.zeros(1, 4, 4, dtype=torch.bool)) == []


def test_boxes_hold_what_is_marked_and_do_not_overlap():
    marked = torch.rand(3, 50, 37, generator=torch.Generator().manual_seed(0)) > 0.99
    boxes = boxes_around(marked)
    cells = covered(boxes, marked[:, None])
    assert (cells | ~marked).all()
    assert cells.sum() == sum((bottom - top) * (right - left) for _, top, bottom, left, right in boxes)


@torch.inference_mode()
@pytest.mark.parametrize("dilation", [1, 3, 12])
def test_a_convolution_at_some_places(dilation):
    conv = nn.Conv2d(5, 7, 3, padding=dilation, dilation=dilation)
    x = torch.rand(2, 5, 9, 11)
    where = torch.rand(2, 9, 11) > 0.7
    torch.testing.assert_close(convolve_at(conv, x, where)[0, :, 0].T, conv(x).permute(0, 2, 3, 1)[where])


@pytest.mark.parametrize(("make", "probe", "sentence"), [
    (lambda: new_model("pspnet"), MARK_ALL, "only deeplabv3_plus with its decoder"),
    (lambda: new_deeplab(3, decoder=False), MARK_ALL, "only deeplabv3_plus with its decoder"),
    (lambda: new_deeplab(3), torch.zeros(320), r"shape \(320,\), not \(321,\)"),
])
def test_what_a_probe_does_not_fit(make, probe, sentence):
    with pytest.raises(ValueError, match=sentence):
        SparseDeepLab(make(), probe)
