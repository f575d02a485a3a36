"""Where the files of a data set in the VOC layout lie: <dataset>/{JPEGImages,SegmentationClass,ImageSets}.

InstanceClass may lie beside them. It holds instance masks, see `utils/files/masks.py`.
"""

from __future__ import annotations

import locale
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from utils.utils import IMAGE_SUFFIXES, UserError, find_images, list_files

INSTANCE_DIR = "InstanceClass"
MAX_LIST_BYTES = 100_000_000  # of a list of sheets


class VocDataset:
    """The files of `<dataset_path>/<dataset>`; sheets are named by their stems, exactly as on disk.

    lists: another folder with lists of sheets, instead of the data set's ImageSets/Segmentation. "": its own.
    labels: the folder that labels are read from.
    Raises UserError when the folders are not there.
    """

    def __init__(
        self, dataset_path: str | Path, dataset: str, lists: str | Path = "", labels: str = "SegmentationClass"
    ) -> None:
        self.root = Path(dataset_path) / dataset
        self.image_dir = self.root / "JPEGImages"
        self.mask_dir = self.root / "SegmentationClass"
        self.list_dir = Path(lists) if lists else self.root / "ImageSets" / "Segmentation"
        for folder in (self.image_dir, self.root / labels):
            if not folder.is_dir():
                raise UserError(
                    f"{folder} is not a folder: dataset_path and dataset have to name a folder with JPEGImages, "
                    f"{labels} and ImageSets/Segmentation."
                )

    def stems(self, split: str) -> list[str]:
        """The stems listed in <split>.txt. Raises UserError: no such list, or an empty one."""
        path = self.list_dir / f"{split}.txt"
        if not path.is_file():
            raise UserError(f"{path} does not exist: run get_annotation.py to make the lists.")
        stems = read_stems(path, self.images().keys())
        if not stems:
            raise UserError(f"{path} is empty: run get_annotation.py with other percentages, or list sheets in it.")
        return stems

    def files(self, split: str) -> list[tuple[Path, Path]]:
        """Image and mask file of each stem of a list, whether they exist or not. Raises like `stems` and `images`."""
        images = self.images()
        return [(images.get(stem, self.image_dir / stem), self.mask(stem)) for stem in self.stems(split)]

    def images(self) -> dict[str, Path]:
        """Stem -> image file, for every image in JPEGImages. Raises UserError when two files share a stem."""
        found: dict[str, Path] = {}
        for path in find_images(self.image_dir):
            first = found.setdefault(path.stem, path)
            if first != path:
                raise UserError(f"{first} and {path} have the same stem, and with it the same mask: rename one.")
        return found

    def mask(self, stem: str) -> Path:
        """The mask file of a stem, whether it exists or not."""
        return _png(self.mask_dir, stem)

    def instances(self, stem: str) -> Path:
        """The instance mask of a stem, whether it exists or not."""
        return instance_file(self.mask(stem))

    def masks(self) -> dict[str, Path]:
        """Stem -> mask file, for every PNG in SegmentationClass."""
        return {path.stem: path for path in list_files(self.mask_dir, (".png",), recursive=False)}

    def mask_faults(self) -> list[str]:
        """A sentence when SegmentationClass holds images that are no PNG, and so no masks."""
        others = [path.name for path in find_images(self.mask_dir) if path.suffix.lower() != ".png"]
        return [] if not others else [
            f"{self.mask_dir} holds {len(others)} images that are no masks ({', '.join(others[:3])}): masks are PNGs. "
            "Convert them with convert_labelled.py --mode=colour_to_palette."
        ]

    def instance_faults(self, split: str) -> list[str]:
        """A sentence when only some of the sheets of a list have an instance mask."""
        stems = self.stems(split)
        without = [stem for stem in stems if not self.instances(stem).exists()]
        return [] if len(without) in (0, len(stems)) else [
            f"{len(without)} of {len(stems)} sheets in {split}.txt have no instance mask in {self.root / INSTANCE_DIR} "
            f"({', '.join(without[:3])}): every connected group of pixels of one class is an instance there."
        ]

    def list_faults(self) -> list[str]:
        """A sentence when sheets are both in train.txt and in val.txt."""
        both = sorted(set(self.stems("train")) & set(self.stems("val")))
        return [] if not both else [
            f"{len(both)} sheets are in train.txt and in val.txt ({', '.join(both[:3])}): the validation scores are "
            "too good. Take them out of one list, or run get_annotation.py again."
        ]


def instance_file(mask: Path) -> Path:
    """The instance mask that belongs to the mask file of a data set, whether it exists or not."""
    return _png(mask.parent.parent / INSTANCE_DIR, mask.stem)


def _png(folder: Path, stem: str) -> Path:
    """The PNG of a stem, whether it exists or not; its suffix may be in capitals."""
    path = folder / f"{stem}.png"
    upper = path.with_name(f"{stem}.PNG")
    return upper if not path.exists() and upper.is_file() else path


def read_stems(path: Path, known: Collection[str]) -> list[str]:
    """The stems in a list, one a line; file names with a suffix, and paths in the first of several columns, too.

    The list may be in UTF-8, UTF-16 (PowerShell's `>`) or a national code page: of those that fit, the one in which
    most lines are `known`, the stems that there are images of. Raises UserError when it is no text, or too large for
    a list.
    """
    if path.stat().st_size > MAX_LIST_BYTES:
        raise UserError(
            f"{path} has more than {MAX_LIST_BYTES // 10**6} MB, which no list of sheets has: choose another.")
    data = path.read_bytes()
    best: list[str] | None = None
    for encoding in ("utf-8-sig", "utf-16", locale.getpreferredencoding(False), "gb18030", "cp1252"):
        if encoding == "utf-16" and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            continue
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        stems = [_stem(line.strip(), known) for line in text.splitlines() if line.strip()]
        if best is None or sum(stem in known for stem in stems) > sum(stem in known for stem in best):
            best = stems
        if "\0" not in text and all(stem in known for stem in stems):
            break
    if best is None or any("\0" in stem for stem in best):
        raise UserError(f"{path} is no text: save it in UTF-8, one stem a line, or run get_annotation.py again.")
    return best


def _stem(line: str, known: Collection[str]) -> str:
    """The known stem that a line of a list stands for, else the line as it is."""
    for words in (line, line.split()[0]):
        name = PurePosixPath(words.replace("\\", "/")).name
        for stem in (words, name, name[:-len(suffix)] if (suffix := _image_suffix(name)) else name):
            if stem in known:
                return stem
    return line


def _image_suffix(name: str) -> str:
    """The suffix of an image's name, as it is written there, or ""."""
    return next((name[-len(suffix):] for suffix in IMAGE_SUFFIXES if name.lower().endswith(suffix)), "")
