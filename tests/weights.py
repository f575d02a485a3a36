"""Networks whose weights are drawn from their names, so that any two implementations can have the same."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nets.blocks import SegmentationNetwork
from nets.community import from_community, to_community


def drawn(name: str, shape: torch.Size) -> Tensor:
    """The tensor of this name in the fixtures, whose README says how it is drawn."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith(".num_batches_tracked"):
        return torch.tensor(0)
    if name.endswith((".running_mean", ".bias")):
        values = 0.1 * rng.standard_normal(shape)
    elif len(shape) == 1:
        values = 0.5 + rng.random(shape)
    else:
        values = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32))


def drawn_state(make: Callable[[], SegmentationNetwork]) -> dict[str, Tensor]:
    """Weights for the network that `make` gives, drawn from the community's names; names and tensors are theirs."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in to_community(make().state_dict()).items()}
    return {name: drawn(name, shape) for name, shape in shapes.items()}


def with_weights(make: Callable[[], SegmentationNetwork], community: dict[str, Tensor]) -> SegmentationNetwork:
    """The network that `make` gives, in evaluation mode, with these weights themselves (no copies)."""
    with torch.device("meta"):
        model = make()
    model.load_state_dict(from_community(community), assign=True)
    return model.eval()


def picture(height: int, width: int) -> Tensor:
    """An image float32 (1, 3, H, W) in [0, 1], the same on each machine."""
    return torch.from_numpy(np.random.default_rng(0).random((1, 3, height, width), dtype=np.float32))


def eight(values: Tensor) -> Tensor:
    """Eight of the values, spread evenly from the first to the last."""
    return values.flatten()[torch.linspace(0, values.numel() - 1, 8).long()]


def assert_parity(result: Tensor, expected: Tensor | np.ndarray, largest: float | None = None) -> None:
    """Differences are at most 1e-4 of the largest absolute value expected, or of `largest`."""
    expected = torch.as_tensor(expected)
    limit = 1e-4 * (expected.abs().max().item() if largest is None else largest)
    torch.testing.assert_close(result, expected, rtol=0, atol=limit)
