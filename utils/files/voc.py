"""Where the files of a data set in the VOC layout lie: <dataset>/{JPEGImages,SegmentationClass,ImageSets}."""

from __future__ import annotations

from pathlib import Path

from utils.utils import UserError, find_images


class VocDataset:
    """The files of `<dataset_path>/<dataset>`; sheets are named by their stems, exactly as on disk.

    Raises UserError when the folders are not there.
    """

    def __init__(self, dataset_path: str | Path, dataset: str) -> None:
        self.root = Path(dataset_path) / dataset
        self.image_dir = self.root / "JPEGImages"
        self.mask_dir = self.root / "SegmentationClass"
        self.list_dir = self.root / "ImageSets" / "Segmentation"
        for folder in (self.image_dir, self.mask_dir):
            if not folder.is_dir():
                raise UserError(
                    f"{folder} is not a folder: dataset_path and dataset have to name a folder with JPEGImages, "
                    "SegmentationClass and ImageSets/Segmentation."
                )

    def stems(self, split: str) -> list[str]:
        """The stems listed in ImageSets/Segmentation/<split>.txt. Raises UserError: no such list, or an empty one."""
        path = self.list_dir / f"{split}.txt"
        if not path.is_file():
            raise UserError(f"{path} does not exist: run get_annotation.py to make the lists.")
        stems = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
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
        return self.mask_dir / f"{stem}.png"
