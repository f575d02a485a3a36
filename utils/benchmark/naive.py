"""The usual ways, plain PyTorch, NumPy and Pillow, which ours are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from nets.blocks import SegmentationNetwork
from nets.models import build_model
from utils.config import Settings
from utils.network.letterbox import GREY, Placement
from utils.training.augmentation import ASPECT_JITTER, BLUR, DEGREES, FLIP, HUE, ROTATE, SATURATION, VALUE
from utils.utils import IGNORE


# ---- evaluation ----

def naive_classes(logits: torch.Tensor, placement: Placement, size: tuple[int, int]) -> np.ndarray:
    """The classes, int64 (H, W), of logits float (C, h, w): softmax of all classes at full size, then argmax."""
    top, left, height, width = placement
    inner = logits[None, :, top:top + height, left:left + width].float().cpu()
    full = F.interpolate(inner, size, mode="bilinear", align_corners=False)
    return torch.softmax(full[0], 0).argmax(0).numpy()


def naive_miou(matrix: np.ndarray) -> float:
    """Mean IoU of a confusion matrix (true classes down); absent classes are left out."""
    union = matrix.sum(0) + matrix.sum(1) - matrix.diagonal()
    return float(np.nanmean(np.where(union > 0, matrix.diagonal() / np.maximum(union, 1), np.nan)))


def naive_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Pixel counts, int64 (num_classes, num_classes), true classes down: one `np.bincount` at full size."""
    valid = truth < num_classes
    pairs = num_classes * truth[valid].astype(int) + prediction[valid]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


# ---- training ----

def naive_network(t: Settings) -> SegmentationNetwork:
    """train.py's network in plain PyTorch, with fresh weights, on the CPU, in training mode.

    It has PyTorch's own convolutions and dropout, as `build_model` gives them: `nets.cpu.for_cpu`, which train.py and
    predict.py use, would replace them by faster ones. t: the constants of train.py.
    """
    return build_model(t.model_name, len(t.name_classes), t.backbone, t.downsample_factor).train()


def naive_samples(
    files: Sequence[tuple[Path, Path]], shape: tuple[int, int], scale: tuple[float, float], num_classes: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Training samples as the usual code for this network makes them, with the augmentation of `utils.dataloader`.

    Image float64 (3, h, w) in [0, 1], mask int64 (h, w) whose ignored pixels are num_classes, and one-hot mask float64
    (h, w, num_classes + 1). Each sheet is decoded and resized by Pillow at its full size.

    Args:
        files: (image, mask) of each sheet.
        shape: height, width of the samples.
        scale: smallest and largest size of a sheet, as a share of `shape`.
        num_classes: the background is one of them.
        seed: the same seed gives the same samples.
    """
    rng = np.random.default_rng(seed)
    height, width = shape
    for image_path, mask_path in files:
        image, mask = Image.open(image_path).convert("RGB"), Image.fromarray(np.array(Image.open(mask_path)))
        jitter = rng.uniform(1 - ASPECT_JITTER, 1 + ASPECT_JITTER, 2)
        aspect = image.width / image.height * jitter[0] / jitter[1]
        factor = rng.uniform(*scale)
        if aspect < 1:
            size = int(factor * height * aspect), int(factor * height)
        else:
            size = int(factor * width), int(factor * width / aspect)
        image, mask = image.resize(size, Image.Resampling.BICUBIC), mask.resize(size, Image.Resampling.NEAREST)
        if rng.random() < FLIP:
            image, mask = (each.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for each in (image, mask))
        at = tuple(int(rng.uniform(0, 1) * (outer - inner)) for outer, inner in zip((width, height), size))
        canvas, labels = Image.new("RGB", (width, height), (GREY,) * 3), Image.new("L", (width, height), IGNORE)
        canvas.paste(image, at)
        labels.paste(mask, at)
        pixels, classes = np.array(canvas), np.array(labels)
        if rng.random() < BLUR:
            pixels = cv2.GaussianBlur(pixels, (5, 5), 0)
        if rng.random() < ROTATE:
            matrix = cv2.getRotationMatrix2D((width // 2, height // 2), rng.uniform(-DEGREES, DEGREES), 1)
            pixels = cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=(GREY,) * 3)
            classes = cv2.warpAffine(classes, matrix, (width, height), flags=cv2.INTER_NEAREST, borderValue=IGNORE)
        gain = rng.uniform(-1, 1, 3) * (HUE, SATURATION, VALUE) + 1
        steps = np.arange(256)
        tables = (steps * gain[0] % 180, (steps * gain[1]).clip(0, 255), (steps * gain[2]).clip(0, 255))
        channels = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV))
        hsv = cv2.merge([cv2.LUT(channel, each.astype(np.uint8)) for channel, each in zip(channels, tables)])
        pixels = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float64) / 255
        classes = np.minimum(classes, num_classes).astype(np.int64)
        yield pixels.transpose(2, 0, 1), classes, np.eye(num_classes + 1)[classes]
