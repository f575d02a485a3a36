"""Sheets with their objects tinted in the colours of the classes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import nn

from utils.dataloader import SheetDataset
from utils.letterbox import network_input
from utils.precision import Precision
from utils.utils import default_colors


def tint(image: np.ndarray, mask: np.ndarray, colors: Sequence[Sequence[int]], strength: float = 0.5) -> np.ndarray:
    """`image` uint8 (H, W, 3) with each object's pixels mixed with the colour of its class; the rest as it is.

    mask: uint8 (H, W); background (0) and values that have no colour stay untinted.
    """
    palette = np.zeros((256, 3), np.uint8)
    palette[:len(colors)] = colors
    objects = ((mask > 0) & (mask < len(colors))).astype(np.uint8)
    blend = cv2.addWeighted(image, 1 - strength, palette[mask], strength, 0)
    return cv2.copyTo(blend, objects, image.copy())


@torch.inference_mode()
def draw_overlays(
    model: nn.Module, dataset: SheetDataset, count: int, precision: Precision, device: torch.device
) -> list[np.ndarray]:
    """The first `count` sheets of `dataset`, letterboxed, with the model's classes tinted: each uint8 (h, w, 3)."""
    model.eval()
    overlays = []
    for number in range(min(count, len(dataset))):
        image, _ = dataset[0, number]
        with precision.autocast():
            logits = model(network_input(image[None].to(device)))
        mask = logits[0].argmax(0).byte().cpu().numpy()
        overlays.append(tint(image.numpy(), mask, default_colors(logits.shape[1])))
    return overlays
