"""Which constants of digitise.py count for the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from utils import config
from utils.digitise.run import checked
from utils.utils import UserError

NAMES = (  # those that `analyse` and `check_sheet` read
    "barcodes", "symbologies", "correct_by_barcode", "barcode_pattern", "scale", "charts", "required_classes",
    "whole_classes", "review_below", "max_clipped", "max_cast", "barcode_class", "label_class", "chart_class",
    "scale_class", "specimen_class",
)


def read_looked_for(
    script: Path, changes: Mapping[str, Any], name_classes: Sequence[str], specimens: bool
) -> config.Settings:
    """These constants, with those in `changes` having another value. Raises UserError when one does not fit.

    Args:
        script: digitise.py.
        changes: constant -> value.
        name_classes: of the masks, background first.
        specimens: whether a detector looks for them.
    """
    for name in changes:
        if name not in NAMES:
            raise UserError(f'digitise has "{name}": of digitise.py, {", ".join(NAMES)} count for the server.', 2)
    settings = checked(config.read(script, **changes), name_classes, specimens)
    return config.Settings(**{name: getattr(settings, name) for name in NAMES})
