"""The number format that a device computes in. Mixed and full precision share one code path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from utils.network.letterbox import network_input


@dataclass(frozen=True)
class Precision:
    """Mixed precision on a device, or full precision if `dtype` is float32."""

    device_type: str
    dtype: torch.dtype

    def forward(self, model: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> torch.Tensor:
        """What `model` returns for `images`, uint8 (N, H, W, 3) RGB on its device. It gets them as `network_input`."""
        mixed = self.dtype != torch.float32
        with torch.autocast(self.device_type, dtype=self.dtype if mixed else torch.bfloat16, enabled=mixed):
            return model(network_input(images))

    def scaler(self) -> torch.amp.GradScaler:
        """A gradient scaler. It does nothing unless the format is float16, because bfloat16 needs none."""
        return torch.amp.GradScaler(self.device_type, enabled=self.dtype == torch.float16)


def choose_precision(fp16: bool, device: torch.device) -> Precision:
    """Mixed precision if `fp16` is True and the device is faster with it, else full precision.

    CUDA uses bfloat16 from compute capability 8.0 (Ampere), and float16 below. A CPU uses bfloat16 if it has
    instructions for it (AVX-512 BF16 or AMX); without them bfloat16 would be slower than float32. MPS uses float32.
    """
    dtype = torch.float32
    if fp16 and device.type == "cuda":
        dtype = torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    elif fp16 and device.type == "cpu" and cpu_has_bf16():
        dtype = torch.bfloat16
    return Precision(device.type, dtype)


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
