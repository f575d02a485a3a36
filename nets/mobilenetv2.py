"""MobileNetV2 as encoder: Sandler et al. 2018, arXiv 1801.04381.

Layers, names and weights are those of `torchvision.models.mobilenet_v2` (width 1.0) without the last 1x1 convolution
and the classifier; torchvision itself is not needed. Deviation from the paper: the last strides are replaced by
dilation, as DeepLab does (Chen et al. 2017, arXiv 1706.05587).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nets.winograd import is_recorded

# The paper's table 2: expansion, output channels, blocks in a row, stride of the first of them.
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
# torchvision's weights (IMAGENET1K_V1), and what it subtracts from and divides RGB in [0, 1] by.
IMAGENET_URL = "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth"
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
PRECISE, PRECISE_IN_TRAINING = 11, 7  # first layers that autocast leaves in the format of the input
BAND, MARGIN = 48, 3  # rows of the low level worked out at a time, and how many more these depend on above and below


class InvertedResidual(nn.Module):
    """Expansion (none for 1), depthwise 3x3 convolution, linear projection; the input is added where shapes allow."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int, dilation: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        depthwise = nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False)
        if dilation > 1:
            depthwise = AtrousDepthwise(hidden, dilation)
        self.shortcut = stride == 1 and in_channels == out_channels
        self.conv = nn.Sequential(
            *([bn_relu6(nn.Conv2d(in_channels, hidden, 1, bias=False))] if expansion > 1 else []),
            bn_relu6(depthwise),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, out_channels, H / stride, W / stride), sizes rounded up, from x (N, in_channels, H, W)."""
        return x + self.conv(x) if self.shortcut else self.conv(x)


class MobileNetV2(nn.Module):
    """Encoder: see `forward`. `features` holds the first convolution and the 17 blocks under torchvision's names.

    Strides of 2 become 1 once their product is `downsample_factor`. Each one replaced doubles the dilation of the 3x3
    convolutions after it (not its own), so every filter tap still meets the values it was trained on, more densely.
    """

    def __init__(self, downsample_factor: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = [bn_relu6(nn.Conv2d(3, 32, 3, 2, 1, bias=False))]
        in_channels, product, dilation = 32, 2, 1
        for expansion, out_channels, count, first_stride in BLOCKS:
            for stride in (first_stride, *[1] * (count - 1)):
                kept = stride if product < downsample_factor else 1
                layers.append(InvertedResidual(in_channels, out_channels, kept, expansion, dilation))
                product *= kept
                dilation *= stride // kept
                in_channels = out_channels
        self.features = nn.Sequential(*layers)
        for module in self.features.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")  # torchvision's choice

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(low_level (N, 24, H/4, W/4), high_level (N, 320, H/ds, W/ds)) of x, float (N, 3, H, W) RGB in [0, 1].

        Sizes that the strides do not divide are rounded up. Within autocast the first layers are still computed in the
        format of x: of all, they are where bfloat16 rounds most of the result away, and gain least. (Masks of 47 real
        sheets at 1024 x 1024, compared with float32, by weights of runs 43 and 44: PRECISE_IN_TRAINING layers so,
        99.981% of the pixels have the same class, on the worst sheet 99.90%, and the mIoU differs by 1e-4; PRECISE
        layers, 99.990%, 99.94% and 5e-5, for 7% more time of the network, which training does without; 14 layers,
        99.993%, 99.97% and 1e-6, for 15%, and more memory.)
        """
        precise = PRECISE_IN_TRAINING if self.training else PRECISE
        with torch.autocast(x.device.type, enabled=False):
            whole = self.training or torch.is_grad_enabled() or x.device.type != "cpu" or is_recorded()
            low_level = self.features[:4](x) if whole else self._in_bands(x)
            features = self.features[4:precise](low_level)
        return low_level, self.features[precise:](features)

    def _in_bands(self, x: Tensor) -> Tensor:
        """The low level of x, the same values, from bands of rows: they have the most channels at half the size.

        At 1024 x 688 the largest tensor has 14 MB, not 68, and two threads take three quarters of the time.
        """
        height, bands = -(-x.shape[2] // 4), []
        for top in range(0, height, BAND):
            first, last = max(top - MARGIN, 0), top + BAND + MARGIN
            bands.append(self.features[:4](x[:, :, 4 * first:4 * last])[:, :, top - first:top - first + BAND])
        return torch.cat(bands, dim=2)


def bn_relu6(conv: nn.Conv2d) -> nn.Sequential:
    """The convolution, BatchNorm, ReLU6."""
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU6(inplace=True))


def mobilenetv2(pretrained: bool = False, downsample_factor: int = 16) -> MobileNetV2:
    """The encoder, for input in [0, 1]; `pretrained` loads torchvision's ImageNet weights (downloaded once).

    Raises ConnectionError when they cannot be had.
    """
    model = MobileNetV2(downsample_factor)
    if pretrained:
        model.features.load_state_dict(imagenet_features())
    return model


class AtrousDepthwise(nn.Conv2d):
    """A depthwise 3x3 convolution that keeps the size, its taps `dilation` pixels apart; a bias may be folded in."""

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
        x = F.conv2d(x, self.weight, self.bias, padding=1, groups=channels)
        x = x.permute(0, 2, 3, 1).reshape(step, step, count, rows, columns, channels)
        x = x.permute(2, 3, 0, 4, 1, 5).reshape(count, rows * step, columns * step, channels)
        return x[:, :height, :width].permute(0, 3, 1, 2)


def imagenet_features() -> dict[str, Tensor]:
    """torchvision's ImageNet weights of features 0 to 17 (keys without `features.`), for RGB in [0, 1].

    They were trained on (x - mean) / std, which `fold_normalisation` puts into the first layer.
    Raises ConnectionError when they cannot be downloaded (or, on the way, were damaged).
    """
    try:
        state = torch.hub.load_state_dict_from_url(IMAGENET_URL, map_location="cpu", check_hash=True)
    except (OSError, RuntimeError) as error:  # no network (URLError is an OSError); wrong checksum
        raise ConnectionError(
            f"pretrained is True and {IMAGENET_URL} could not be fetched ({error}): connect to the internet, save that "
            f"file in {torch.hub.get_dir()}/checkpoints, or set pretrained = False."
        ) from error
    features = {
        key.removeprefix("features."): value
        for key, value in state.items()
        if key.startswith("features.") and not key.startswith("features.18.")
    }
    return fold_normalisation(features, IMAGENET_MEAN, IMAGENET_STD)


def fold_normalisation(features: dict[str, Tensor], mean: list[float], std: list[float]) -> dict[str, Tensor]:
    """`features` (0.0: a 3x3 convolution without bias, 0.1: its BatchNorm) made for x instead of (x - mean) / std.

    W * ((x - mean) / std) = (W / std) * x - sum(W * mean / std): the first term rescales the filters, the second is a
    constant of each filter and moves to BatchNorm's running mean. Exact wherever the filter lies inside the image; at
    the border the zero padding now stands for black where it stood for the mean colour. `mean`, `std`: RGB in [0, 1].
    """
    scaled = features["0.0.weight"] / torch.tensor(std).view(1, 3, 1, 1)
    constant = (scaled * torch.tensor(mean).view(1, 3, 1, 1)).sum(dim=(1, 2, 3))
    return {**features, "0.0.weight": scaled, "0.1.running_mean": features["0.1.running_mean"] + constant}
