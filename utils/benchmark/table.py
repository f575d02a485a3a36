"""What comes out of a benchmark: rows, their Markdown table, and the machine that it is true for."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch


class Row(NamedTuple):
    """One line of the table: measured values, and what they are compared with in the same unit."""

    name: str
    unit: str
    values: Sequence[float]
    reference: str = ""
    reference_values: Sequence[float] = ()
    memory: float = 0.0  # bytes at the peak; 0: not measured


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table: medians, smallest and largest value, and the medians' ratio."""
    lines = ["| What | Median (spread) | Compared with | Median (spread) | Ratio | Peak memory |",
             "|:--|--:|:--|--:|--:|--:|"]
    for row in rows:
        ratio = f"{np.median(row.values) / np.median(row.reference_values):.2f}" if row.reference else ""
        lines.append(f"| {row.name} | {_spread(row.values, row.unit)} | {row.reference} | "
                     f"{_spread(row.reference_values, row.unit)} | {ratio} | "
                     f"{f'{row.memory / 1e6:.0f} MB' if row.memory else ''} |")
    return "\n".join(lines)


def _spread(values: Sequence[float], unit: str) -> str:
    if not len(values):
        return ""
    low, median, high = (f"{value:.3g}" for value in (min(values), np.median(values), max(values)))
    return f"{median} {unit}" + (f" ({low} to {high})" if len(values) > 1 else "")


def machine(device: torch.device) -> str:
    """The machine in a line: processor, cores, GPU, versions."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        fields = dict(map(str.strip, line.split(":", 1)) for line in cpuinfo.read_text().splitlines() if ":" in line)
        name = fields.get("model name", name)
    gpu = f", {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ", Apple GPU" * (device.type == "mps")
    return (f"{name}, {os.cpu_count()} cores{gpu}; {platform.system()}, Python {platform.python_version()}, "
            f"torch {torch.__version__}, OpenCV {cv2.__version__}")
