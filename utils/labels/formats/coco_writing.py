"""COCO data sets, written one image at a time. Format: https://cocodataset.org/#format-data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TextIO

from utils.utils import UserError, atomic_path, require_written

AddImage = Callable[[str, tuple[int, int], Iterable[Mapping[str, Any]]], None]


@contextmanager
def coco_file(path: Path, names: Mapping[int, str], description: str) -> Iterator[AddImage]:
    """Yields a function that adds one image to a COCO file: (file name, (height, width), its annotations).

    The ids of images and annotations count from 1 and are added here; annotations wait in a second file until all
    images are listed. `path` appears at the end.

    Args:
        path: the file.
        names: id of each category -> its name.
        description: of the data set.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        with (
            atomic_path(path) as temporary,
            open(temporary, "w", encoding="utf-8") as file,
            TemporaryFile("w+", encoding="utf-8", dir=path.parent) as annotations,
        ):
            categories = [{"id": index, "name": name, "supercategory": ""} for index, name in names.items()]
            info = {"description": description}
            file.write(f'{{"info": {json.dumps(info)},\n"licenses": [],\n"categories": {json.dumps(categories)},\n'
                       '"images": [')
            yield _Writer(file, annotations).write
            annotations.seek(0)
            file.write('\n],\n"annotations": [')
            shutil.copyfileobj(annotations, file)
            file.write("\n]}\n")
            file.flush()
            require_written(temporary, file.tell())
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error}): check the folder and the free space.") from error


class _Writer:
    """Adds images to one file and their annotations to another, and counts both for their ids."""

    def __init__(self, images: TextIO, annotations: TextIO) -> None:
        self.files = images, annotations
        self.counts = [0, 0]

    def write(self, name: str, size: tuple[int, int], annotations: Iterable[Mapping[str, Any]]) -> None:
        image = self._add(0, {"file_name": name, "width": size[1], "height": size[0]})
        for annotation in annotations:
            self._add(1, {"image_id": image, **annotation})

    def _add(self, which: int, entry: Mapping[str, Any]) -> int:
        """The id that the entry was given in one of the two lists."""
        self.counts[which] += 1
        comma = "," if self.counts[which] > 1 else ""
        self.files[which].write(f"{comma}\n{json.dumps({'id': self.counts[which], **entry}, allow_nan=False)}")
        return self.counts[which]
