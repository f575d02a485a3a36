"""The names of the files that hold the results of each sheet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from utils.utils import UserError, find_images, require_distinct


class SheetFiles(NamedTuple):
    """One input file and the files for its results."""

    source: Path
    picture: Path
    mask: Path
    instances: Path | None  # None: the network finds none
    crops: Path  # folder for all crops
    name: Path  # path of the source within input_dir

    def written(self) -> list[Path]:
        """The files that are always written, without crops."""
        return [path for path in (self.picture, self.mask, self.instances) if path]


def find_sheets(input_dir: Path, output_dir: Path, recursive: bool) -> list[Path]:
    """The images in `input_dir`, sorted by path, without the results of an earlier run.

    Args:
        input_dir: the folder to read.
        output_dir: the folder for the results; what is in it is left out.
        recursive: also read the subfolders.

    Raises:
        UserError: there are no images, or the results would overwrite them.
    """
    same = same_file_key(input_dir) == same_file_key(output_dir)
    if same or is_in(input_dir, output_dir):
        raise UserError(f"output_dir is {output_dir}, which {'is' if same else 'holds'} input_dir: choose another "
                        "folder, so that no original is overwritten.", 2)
    sources = [path for path in find_images(input_dir, recursive) if not is_in(path, output_dir)]
    if not sources:
        hint = "" if recursive else " (recursive = True looks into its subfolders)"
        raise UserError(f"{input_dir} holds no .jpg, .jpeg, .png, .tif or .tiff images{hint}: check input_dir.")
    return sources


def plan(
    sources: Sequence[Path], input_dir: Path, output_dir: Path, mix_type: int, instances: bool
) -> list[SheetFiles]:
    """The output files of each source: a picture with its own name in `output_dir`, and masks/<stem>.png.

    Subfolders are kept.

    Args:
        sources: the input files.
        input_dir: the folder that they are in.
        output_dir: the folder to write to.
        mix_type: kind of picture; with 1, a colour mask, the picture is a PNG.
        instances: also plan instances/<stem>.png.

    Raises:
        UserError: two sources have the same output, or an output is itself a source.
    """
    sheets = []
    for source in sources:
        name = source.relative_to(input_dir)
        picture = name.with_suffix(".png") if mix_type == 1 else name
        mask = output_dir / "masks" / name.with_suffix(".png")
        numbers = output_dir / "instances" / name.with_suffix(".png") if instances else None
        sheets.append(SheetFiles(source, output_dir / picture, mask, numbers, output_dir / "crops", name))
    require_safe([(sheet.source, path) for sheet in sheets for path in sheet.written()])
    return sheets


def require_safe(outputs: Sequence[tuple[Path, Path]]) -> None:
    """Raises UserError when two sources of the (source, output) pairs have the same output, or one is a source."""
    require_distinct(outputs)
    originals = {same_file_key(source) for source in dict.fromkeys(source for source, _ in outputs)}
    for _, path in outputs:
        if same_file_key(path) in originals:
            raise UserError(f"{path} is an input and would be overwritten: set output_dir to another folder.", 2)


def same_file_key(path: Path) -> str:
    """A text that is equal for two paths of one file, even if they differ in letter case."""
    return os.path.normcase(_resolved(path)).casefold()


def is_in(path: Path, folder: Path) -> bool:
    """Whether `path` lies in `folder` or is it."""
    return _resolved(path).is_relative_to(_resolved(folder))


def _resolved(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises for links that lead in a circle
