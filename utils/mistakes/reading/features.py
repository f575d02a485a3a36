"""What a plant looks like to a network: numbers that are alike for plants that look alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import nn

from nets.blocks import fold_batchnorm
from nets.cpu import for_cpu
from nets.mobilenetv2 import mobilenetv2
from utils.mistakes.reading.plant import PAPER, Plant
from utils.network.checkpoint import load_backbone, load_checkpoint
from utils.network.precision import choose_precision
from utils.utils import UserError, pick_device

STRIDE = 16        # largest stride of the features: multiples of it are the sides of the network's input
FINEST = 4         # stride of the finest features that are used: finer ones hold noise and the grain of the photograph
POWER = 3.0        # generalised mean: 1 is the mean, large values are near the maximum; 3 as in Radenovic et al.
STATISTICS = 3     # mean, standard deviation and generalised mean of each channel
# Pixels of the longer side of the whole sheet: larger for margins and veins of leaves, smaller for the whole form.
SIDES = (1120, 768)
OWN, IMAGENET = "model", "imagenet"  # values of the constant `features`; else it is the path of a file of weights


class Describer(Protocol):
    """What describes a plant; `Extractor` does."""

    def __call__(self, plants: Sequence[Plant]) -> list[np.ndarray]:
        """Blocks of numbers, float32 (d,) each, of one plant that is shown at each size of SIDES."""
        ...


class Extractor:
    """The backbone of a network, and the statistics of its features over the pixels of a plant.

    For each feature and channel: mean, standard deviation and generalised mean (Radenovic, Tolias and Chum 2018, arXiv
    1711.02512) over the plant's pixels. Where the plant lies on the sheet does not count.
    """

    def __init__(self, weights: str, model_path: str, device: str) -> None:
        """Loads the backbone.

        Args:
            weights: "model", "imagenet", or the path of a file with weights of a MobileNetV2 in torchvision's names.
            model_path: the checkpoint whose backbone "model" stands for.
            device: see `pick_device`.

        Raises:
            UserError: the weights cannot be read or downloaded, or the device is not there.
        """
        self.device = pick_device(device)
        self.precision = choose_precision(True, self.device)
        backbone = load_weights(weights, model_path)
        self.strides = backbone.strides
        self.backbone = for_cpu(fold_batchnorm(backbone)).to(self.device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, plants: Sequence[Plant]) -> list[np.ndarray]:
        blocks = []
        for plant in plants:
            pixels = _padded(plant.pixels, PAPER)
            weights = torch.from_numpy(_padded(plant.weights, 0))[None, None]
            features = self.precision.forward(self.backbone, torch.from_numpy(pixels)[None].to(self.device))
            blocks += [statistics(feature[0].float(), weights).cpu().numpy()
                       for feature, stride in zip(features, self.strides) if stride >= FINEST]
        return blocks


def load_weights(weights: str, model_path: str) -> nn.Module:
    """A backbone with its weights, on the CPU. Arguments and errors: see `Extractor`."""
    if weights == OWN:
        return load_checkpoint(model_path, downsample_factor=STRIDE).build().backbone
    try:
        backbone = mobilenetv2(weights == IMAGENET, STRIDE)
    except ConnectionError as error:
        raise UserError(f'features is "{IMAGENET}", and the weights are not there: {error}') from error
    if weights != IMAGENET:
        load_backbone(backbone, weights)
    return backbone


def statistics(feature: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean, standard deviation and generalised mean of each channel over the plant, float32 (3 C,).

    feature: float32 (C, h, w). weights: float32 (1, 1, H, W) on the CPU (Apple's GPU cannot pool all sizes), the share
    of each pixel of the picture that is plant.
    """
    shares = nn.functional.adaptive_avg_pool2d(weights, feature.shape[1:])[0, 0].to(feature.device)
    shares = shares / shares.sum().clamp_min(1e-6)
    mean = (feature * shares).sum((1, 2))
    deviation = ((feature - mean[:, None, None]) ** 2 * shares).sum((1, 2)).sqrt()
    general = (feature.clamp_min(1e-6) ** POWER * shares).sum((1, 2)) ** (1 / POWER)
    return torch.cat([mean, deviation, general])


def standardise(blocks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Each number minus its mean over the batch, in its standard deviations, float32 (N, d) for each block.

    blocks: float32 (N, d) each: one feature of the network at one size of the picture.
    """
    spreads = [block.std(0) for block in blocks]
    return [(block - block.mean(0)) / np.maximum(spread, 1e-6 * max(float(spread.max()), 1e-6))
            for block, spread in zip(blocks, spreads)]


def normalise(blocks: Sequence[np.ndarray]) -> np.ndarray:
    """The features of a batch, float32 (N, D), of which each row has the length 1: products are cosines.

    blocks: from `standardise`; each gets the same weight.
    """
    parts = [block / np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-9) for block in blocks]
    return np.concatenate(parts, 1).astype(np.float32) / np.float32(len(parts) ** 0.5)


def _padded(values: np.ndarray, fill: int) -> np.ndarray:
    """`values`, (h, w) or (h, w, 3), with rows and columns of `fill` below and beside it up to multiples of STRIDE."""
    below, beside = (-length % STRIDE for length in values.shape[:2])
    return cv2.copyMakeBorder(values, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=(fill,) * 3)
