"""The Natural History Museum's network: de la Hidalga et al. 2022, Machine Vision and Applications 33:39.

It segments classes and tells objects of one class apart: each pixel gets an embedding, near those of the same object
and far from those of others (see `nets/discriminative.py`). It also learns from sheets without labels, by removing
noise from the image and from its first features, like a ladder network (Rasmus et al. 2015, arXiv 1507.02672).
Layers and arithmetic are those of the museum's program, whose weights load (see `nets/community.py`). It differs from
ladder networks as follows:
- Only the image and the first features are reconstructed, each by one convolution instead of the paper's combinator.
- The encoder is the first half of a ResNet-18.
It differs from the museum's publication and program as follows:
- The noise has a standard deviation of 0.1, as in the program; there, 0.1 is called its variance.
- In training, the pass without noise ends at the first features. Predictions come from this pass alone.
- The class loss is the one that the constants of train.py ask for, and ignored pixels do not count in it.
- The instance loss is that of its own paper, unless `original_instances` is True.
- Features are upsampled to the size of what they join, so any image size will do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nets.blocks import SegmentationNetwork
from nets.discriminative import discriminative_loss
from nets.resnet import ResNet18

NOISE = 0.1  # standard deviation of what is added to image and first features in training
RECONSTRUCTION_WEIGHT = 20.0  # of the reconstruction loss; this and the next are those of the museum's program
CLASS_WEIGHT = 10.0  # of the class loss; the instance loss has 1
DILATIONS = (6, 12, 18)  # of the 3x3 convolutions of `Context`
EMBEDDING = 2  # numbers of an embedding


class NoisyPass(NamedTuple):
    """What the network returns in training, computed from an image with noise."""

    logits: Tensor  # float32 (N, C, H, W)
    embeddings: Tensor  # float32 (N, EMBEDDING, H, W)
    reconstruction: Tensor  # float32 scalar: the reconstruction loss


class Context(nn.Module):
    """Depthwise convolutions of growing dilation and the mean of each image, joined by a 1x1 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.atrous = nn.ModuleList([nn.Conv2d(channels, channels, 1, groups=channels)])
        for dilation in DILATIONS:
            self.atrous.append(
                nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, groups=channels)
            )
        self.join = nn.Conv2d(channels * (len(self.atrous) + 1), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape as x, (N, channels, H, W)."""
        mean = x.mean((2, 3), keepdim=True).expand_as(x)
        return self.join(torch.cat([*(conv(x) for conv in self.atrous), mean], dim=1))


class Decoder(nn.Module):
    """Removes the noise from features, with the help of coarser ones.

    Args:
        channels: channels of the features with noise, and of the result.
        coarse_channels: channels of the coarser features.
    """

    def __init__(self, channels: int, coarse_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels + coarse_channels, channels, 3, padding=1)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, noisy: Tensor, coarse: Tensor) -> Tensor:
        """Features like `noisy`, (N, channels, H, W), from it and `coarse`, (N, coarse_channels, h, w)."""
        coarse = F.interpolate(coarse, noisy.shape[-2:], mode="nearest")
        return self.bn(F.relu(self.conv(torch.cat((noisy, coarse), dim=1))))


class NHM(SegmentationNetwork):
    """The network for `num_classes` classes on half a ResNet-18.

    Args:
        num_classes: number of classes, background included.
        backbone: resnet18 of nets/resnet.py.
        original_instances: True computes the instance loss as the museum's program does.
    """

    needs_instances = True

    def __init__(self, num_classes: int, backbone: ResNet18, original_instances: bool = False) -> None:
        super().__init__()
        self.backbone = backbone
        self.original_instances = original_instances
        self.noise = NOISE
        fine, channels = backbone.channels
        self.context = Context(channels)
        self.image_decoder = Decoder(3, fine)
        self.feature_decoder = Decoder(fine, channels)
        self.class_head = _head(channels, num_classes)
        self.embedding_head = _head(channels, EMBEDDING)

    def forward(self, x: Tensor) -> Tensor | NoisyPass:
        """Logits, float32 (N, num_classes, H, W), for x, float (N, 3, H, W) RGB in [0, 1]; in training a NoisyPass."""
        if self.training:
            return self.noisy_pass(x)
        features = self.context(self.backbone(x)[-1])
        return _resize(self.class_head(features), x)

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and embeddings, float32 (N, num_classes, H, W) and (N, EMBEDDING, H, W), for x as above."""
        features = self.context(self.backbone(x)[-1])
        return _resize(self.class_head(features), x), _resize(self.embedding_head(features), x)

    def noisy_pass(self, x: Tensor) -> NoisyPass:
        """The pass with noise, for x as above. Classes and embeddings learn from it, as in ladder networks."""
        noisy_x = self.add_noise(x)
        noisy = self.add_noise(self.backbone.first(noisy_x))
        with torch.no_grad():  # not before the noisy pass: autocast would keep weights without gradients
            clean = self.backbone.first(x)
        features = self.backbone.second(noisy)
        restored, restored_x = self.reconstruct(noisy_x, noisy, features)
        reconstruction = _squared_error(restored, clean) + _squared_error(restored_x, x)
        features = self.context(features)
        logits, embeddings = self.class_head(features), self.embedding_head(features)
        return NoisyPass(_resize(logits, x), _resize(embeddings, x), reconstruction)

    def add_noise(self, x: Tensor) -> Tensor:
        """x plus normal noise."""
        return x + self.noise * torch.randn_like(x)

    def reconstruct(self, noisy_x: Tensor, noisy: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """The first features and the image without noise, in the shapes of those with noise.

        Args:
            noisy_x: the image with noise, (N, 3, H, W).
            noisy: the first features with noise, (N, 64, H / 4, W / 4).
            features: the second features, (N, 128, H / 8, W / 8).
        """
        restored = self.feature_decoder(noisy, features)
        return restored, self.image_decoder(noisy_x, restored)

    def training_loss(
        self,
        output: NoisyPass,
        masks: Tensor,
        instances: Tensor | None,
        loss_fn: Callable[[Tensor, Tensor], Tensor],
    ) -> Tensor:
        """The loss of a batch, scalar; of sheets without labels only the reconstruction counts.

        Args:
            output: what `forward` returned in training.
            masks: classes, uint8 (N, H, W); all IGNORE for a sheet without labels.
            instances: the number of each pixel's object, uint8 (N, H, W), 0 = none; None: no sheet has objects.
            loss_fn: the class loss of (logits, masks).
        """
        instances = torch.zeros_like(masks) if instances is None else instances
        apart = discriminative_loss(output.embeddings, masks, instances, self.original_instances)
        return RECONSTRUCTION_WEIGHT * output.reconstruction + CLASS_WEIGHT * loss_fn(output.logits, masks) + apart


def _head(channels: int, out_channels: int) -> nn.Sequential:
    """The layers from features to logits or embeddings. BatchNorm comes after ReLU, as in the museum's program."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 1), nn.ReLU(inplace=True), nn.BatchNorm2d(channels),
        nn.Conv2d(channels, out_channels, 1),
    )


def _resize(x: Tensor, like: Tensor) -> Tensor:
    """x, (N, C, h, w), resized bilinearly to the height and width of `like`, in float32."""
    return F.interpolate(x.float(), like.shape[-2:], mode="bilinear", align_corners=False)


def _squared_error(x: Tensor, truth: Tensor) -> Tensor:
    """The mean squared error of x, float32 scalar."""
    return F.mse_loss(x.float(), truth.float())
