"""MobileNetV2 as encoder: Sandler et al. 2018, arXiv 1801.04381.

The layers are torchvision's (`torchvision.models.mobilenet_v2`, width 1.0) without the last 1x1 convolution and the
classifier. Deviation from the paper: the last strides are replaced by dilation, as DeepLab does (Chen et al. 2017,
arXiv 1706.05587).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2


class MobileNetV2(nn.Module):
    """Encoder: see `forward`. `features` holds torchvision's blocks 0 to 17 under torchvision's names."""

    def __init__(self, downsample_factor: int = 16) -> None:
        super().__init__()
        self.features = mobilenet_v2(weights=None).features[:-1]
        strides_to_dilation(self.features, downsample_factor)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(low_level (N, 24, H/4, W/4), high_level (N, 320, H/ds, W/ds)) of x, float (N, 3, H, W) RGB in [0, 1].

        Sizes that the strides do not divide are rounded up.
        """
        low_level = self.features[:4](x)
        return low_level, self.features[4:](low_level)


def mobilenetv2(pretrained: bool = False, downsample_factor: int = 16) -> MobileNetV2:
    """The encoder, for input in [0, 1]; `pretrained` loads torchvision's ImageNet weights (downloaded once).

    Raises ConnectionError when they cannot be had.
    """
    model = MobileNetV2(downsample_factor)
    if pretrained:
        model.features.load_state_dict(imagenet_features())
    return model


def strides_to_dilation(features: nn.Module, downsample_factor: int) -> None:
    """Sets strides of 2 to 1 in `features` once their product is `downsample_factor`, dilating what follows instead.

    Each replaced stride doubles the dilation of the 3x3 convolutions after it (not its own), so every filter tap
    still meets the values it was trained on, only more densely.
    """
    stride, dilation = 1, 1
    for parent in list(features.modules()):
        for name, conv in list(parent.named_children()):
            if not isinstance(conv, nn.Conv2d) or conv.kernel_size != (3, 3):
                continue
            if dilation > 1:
                setattr(parent, name, AtrousDepthwise(conv.in_channels, dilation))
            if conv.stride == (2, 2):
                if stride < downsample_factor:
                    stride *= 2
                else:
                    conv.stride = (1, 1)
                    dilation *= 2


class AtrousDepthwise(nn.Conv2d):
    """A depthwise 3x3 convolution without bias that keeps the size, its taps `dilation` pixels apart."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__(channels, channels, 3, padding=dilation, dilation=dilation, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as x (N, C, H, W).

        On a CPU, PyTorch's gradient of a dilated depthwise convolution is slow (223 ms against 15 ms, 8 x 960 x 28 x 22
        on two AVX2 cores). So for training every `dilation`-th row and column make images of their own, which a plain
        convolution filters: the same sums.
        """
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x)
        (count, channels, height, width), step = x.shape, self.dilation[0]
        x = F.pad(x, (0, -width % step, 0, -height % step))
        rows, columns = x.shape[2] // step, x.shape[3] // step
        x = x.permute(0, 2, 3, 1).reshape(count, rows, step, columns, step, channels)
        x = x.permute(2, 4, 0, 1, 3, 5).reshape(-1, rows, columns, channels).permute(0, 3, 1, 2)
        x = F.conv2d(x, self.weight, padding=1, groups=channels)
        x = x.permute(0, 2, 3, 1).reshape(step, step, count, rows, columns, channels)
        x = x.permute(2, 3, 0, 4, 1, 5).reshape(count, rows * step, columns * step, channels)
        return x[:, :height, :width].permute(0, 3, 1, 2)


def imagenet_features() -> dict[str, Tensor]:
    """torchvision's ImageNet weights of features 0 to 17 (keys without `features.`), for RGB in [0, 1].

    They were trained on (x - mean) / std, which `fold_normalisation` puts into the first layer.
    Raises ConnectionError when they cannot be downloaded (or, on the way, were damaged).
    """
    weights = MobileNet_V2_Weights.IMAGENET1K_V1
    try:
        state = weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:  # no network (URLError is an OSError); wrong checksum
        raise ConnectionError(
            f"pretrained is True and {weights.url} could not be fetched ({error}): connect to the internet, save that "
            f"file in {torch.hub.get_dir()}/checkpoints, or set pretrained = False."
        ) from error
    features = {
        key.removeprefix("features."): value
        for key, value in state.items()
        if key.startswith("features.") and not key.startswith("features.18.")
    }
    preprocessing = weights.transforms()
    return fold_normalisation(features, preprocessing.mean, preprocessing.std)


def fold_normalisation(features: dict[str, Tensor], mean: list[float], std: list[float]) -> dict[str, Tensor]:
    """`features` (0.0: a 3x3 convolution without bias, 0.1: its BatchNorm) made for x instead of (x - mean) / std.

    W * ((x - mean) / std) = (W / std) * x - sum(W * mean / std): the first term rescales the filters, the second is a
    constant of each filter and moves to BatchNorm's running mean. Exact wherever the filter lies inside the image; at
    the border the zero padding now stands for black where it stood for the mean colour. `mean`, `std`: RGB in [0, 1].
    """
    scaled = features["0.0.weight"] / torch.tensor(std).view(1, 3, 1, 1)
    constant = (scaled * torch.tensor(mean).view(1, 3, 1, 1)).sum(dim=(1, 2, 3))
    return {**features, "0.0.weight": scaled, "0.1.running_mean": features["0.1.running_mean"] + constant}
