"""Letterbox, normalisation and the way back, against OpenCV and PyTorch."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from utils.network.letterbox import (
    Placement, highest_class, letterbox, letterbox_mask, letterbox_tightly, network_input, place,
    place_tightly, resize, unletterbox_classes,
)


@pytest.mark.parametrize(("size", "shape", "expected"), [
    ((200, 100), (100, 100), (0, 25, 100, 50)),
    ((100, 200), (100, 100), (25, 0, 50, 100)),
    ((50, 50), (100, 200), (0, 50, 100, 100)),
    ((5616, 3744), (512, 512), (0, 85, 512, 341)),
    ((10000, 1), (64, 64), (0, 31, 64, 1)),
])
def test_place(size, shape, expected):
    assert place(size, shape) == Placement(*expected)


@pytest.mark.parametrize(("size", "shape", "expected"), [
    ((5616, 3744), (512, 512), (512, 352)),  # 512 x 341.3
    ((3744, 5616), (512, 512), (352, 512)),
    ((100, 100), (512, 384), (384, 384)),
    ((4000, 10), (512, 512), (512, 16)),
    ((300, 299), (96, 96), (96, 96)),
    ((1400, 1095), (512, 512), (512, 400)),  # 512 x 400.5: in a letterbox of 512 x 400 it would be 511.4 x 400
])
def test_a_tight_letterbox_scales_alike_and_drops_the_bars(size, shape, expected):
    stride = 8 if expected == (512, 400) else 16
    tight, placement = place_tightly(size, shape, stride)
    assert tight == expected
    assert placement[2:] == place(size, shape)[2:]
    assert (placement.top, placement.left) == ((tight[0] - placement[2]) // 2, (tight[1] - placement[3]) // 2)
    boxed, placed = letterbox_tightly(np.full((*size, 3), 7, np.uint8), shape, stride)
    assert boxed.shape == (*expected, 3) and placed == placement
    assert (boxed == 7).all(2).sum() == placement[2] * placement[3]


def test_letterbox_has_grey_bars_and_the_mask_ignored_ones():
    image, mask = np.full((200, 100, 3), 7, np.uint8), np.full((200, 100), 2, np.uint8)
    boxed, placement = letterbox(image, (100, 100))
    boxed_mask = letterbox_mask(mask, (100, 100))
    assert boxed.shape == (100, 100, 3) and boxed_mask.shape == (100, 100)
    inside = np.zeros((100, 100), bool)
    inside[:, 25:75] = True
    assert (boxed[inside] == 7).all() and (boxed[~inside] == 128).all()
    assert (boxed_mask[inside] == 2).all() and (boxed_mask[~inside] == 255).all()
    assert placement == (0, 25, 100, 50)


def test_letterbox_averages_when_it_shrinks():
    checkers = np.indices((64, 64)).sum(0) % 2 * 255
    boxed, _ = letterbox(np.dstack([checkers] * 3).astype(np.uint8), (16, 16))
    assert np.abs(boxed.astype(int) - 127.5).max() <= 1  # picking pixels would give 0 and 255


def test_a_strong_reduction_in_steps_is_about_that_in_one():
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (12, 8, 3), dtype=np.uint8), (1207, 1803), interpolation=cv2.INTER_CUBIC)
    one_step = cv2.resize(image, (127, 181), interpolation=cv2.INTER_AREA).astype(int)
    assert one_step.std() > 50
    assert np.abs(resize(image, (181, 127)) - one_step).mean() < 2


def test_network_input_is_channels_last_and_in_0_1():
    images = torch.randint(0, 256, (2, 5, 7, 3), dtype=torch.uint8)
    x = network_input(images)
    assert x.dtype == torch.float32 and x.shape == (2, 3, 5, 7)
    assert x.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(x.numpy(), images.numpy().transpose(0, 3, 1, 2) / 255, rtol=1e-6)


@pytest.mark.parametrize("size", [(40, 31), (128, 128), (301, 520), (700, 333), (1, 1)])
def test_unletterbox_is_the_argmax_of_the_upsampled_logits(size):
    rng = np.random.default_rng(1)
    coarse = cv2.resize(rng.normal(size=(12, 12, 5)).astype(np.float32), (64, 48), interpolation=cv2.INTER_CUBIC)
    logits = torch.from_numpy(coarse.transpose(2, 0, 1).copy())
    placement = place(size, (48, 64))
    mask = unletterbox_classes(logits, placement, size)
    top, left, height, width = placement
    inner = logits[:, top:top + height, left:left + width]
    full = F.interpolate(inner[None], size, mode="bilinear", align_corners=False)[0]
    best = full.topk(2, dim=0).values
    clear = (best[0] - best[1] > 1e-4).numpy()  # elsewhere rounding decides
    assert mask.shape == size and mask.dtype == np.uint8
    assert (mask == full.argmax(0).numpy())[clear].all() and clear.mean() > 0.99
    if min(size) > 100:
        assert len(np.unique(mask)) > 2  # there was something to get wrong


def test_unletterbox_undoes_letterbox():
    mask = np.zeros((300, 200), np.uint8)
    mask[60:120, 30:150] = 3
    boxed = letterbox_mask(mask, (96, 96))
    one_hot = torch.from_numpy(np.stack([boxed == index for index in range(5)])).float()
    back = unletterbox_classes(one_hot, place(mask.shape, (96, 96)), mask.shape)
    intersection, union = ((back == 3) & (mask == 3)).sum(), ((back == 3) | (mask == 3)).sum()
    near = cv2.dilate((mask == 3).astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert intersection / union > 0.95 and (back[~near] == 0).all()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_highest_class_is_numpys_argmax(count):
    logits = np.random.default_rng(count).integers(-3, 3, (count, 30, 20)).astype(np.float32)  # many are equal
    before = logits.copy()
    np.testing.assert_array_equal(highest_class(logits), logits.argmax(0))
    np.testing.assert_array_equal(logits, before)
