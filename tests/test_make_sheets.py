"""make_sheets.py as a user runs it: the files it writes, that they agree, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from PIL import Image

import make_sheets
from helpers import ROOT, group_exists, wait_for
from utils import config
from utils.labels import shapes
from utils.labels.formats import labelme
from utils.sheets.compose import NAMES
from utils.sheets.write import write_lists
from utils.utils import IGNORE, NAME_CLASSES, UserError, find_images

COUNT = 8
VALUES = {**{name: index for index, name in enumerate(NAME_CLASSES)}, "_ignore_": IGNORE}


def settings(folder: Path, **changes: object) -> config.Settings:
    """The script's constants for small sheets in `folder`/sheets."""
    values = {"count": COUNT, "height": 384, "output_dir": str(folder), "dataset": "sheets", "num_samples": 3}
    return config.read(make_sheets, **{**values, **changes})


def contents(root: Path) -> dict[str, bytes]:
    """Relative name -> bytes of every file."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data set of eight small sheets."""
    folder = tmp_path_factory.mktemp("drawn")
    assert make_sheets.main(settings(folder)) == 0
    yield folder / "sheets"


@pytest.fixture(scope="module")
def askew(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of six turned sheets with things that are rare elsewhere."""
    folder = tmp_path_factory.mktemp("askew")
    rare = ("rulers_in_line", "logo_ruler", "cut_ruler", "slip_on_label", "clear_tape", "small_slip", "letterhead")
    assert make_sheets.main(settings(folder, count=6, turned=(-180, 180), often={name: 50.0 for name in rare})) == 0
    return folder / "sheets"


def masks(root: Path) -> list[np.ndarray]:
    """All masks of a data set as they are on disk."""
    return [np.asarray(Image.open(path)) for path in sorted((root / "SegmentationClass").iterdir())]


def test_writes_the_layout(root: Path) -> None:
    stems = [f"synthetic_{index:06d}" for index in range(COUNT)]
    for folder, suffix in (("JPEGImages", ".jpg"), ("SegmentationClass", ".png"), ("labelme", ".json")):
        assert sorted(path.name for path in (root / folder).iterdir()) == [stem + suffix for stem in stems]
    paths = (root / "ImageSets/Segmentation").iterdir()
    lists = {path.stem: path.read_text(encoding="utf-8").split() for path in paths}
    assert sorted(lists) == ["test", "train", "trainval", "val"]
    assert (len(lists["train"]), len(lists["val"]), lists["test"]) == (7, 1, [])  # a tenth of 8, rounded
    assert sorted(lists["train"] + lists["val"]) == lists["trainval"] == stems
    assert Image.open(root / "samples.png").width > 3 * 2 * 100  # three sheets, each beside its mask


@pytest.mark.parametrize(("count", "val_share", "val"), [
    (1, 0.9, 0), (2, 0.8, 1), (2, 0.0, 0), (10, 0.01, 1), (10, 0.99, 9),
])
def test_lists_leave_sheets_to_train_on(tmp_path: Path, count: int, val_share: float, val: int) -> None:
    write_lists(tmp_path, [f"s{number}" for number in range(count)], val_share, np.random.default_rng(1))
    lists = {path.stem: path.read_text().split() for path in (tmp_path / "ImageSets/Segmentation").iterdir()}
    assert (len(lists["train"]), len(lists["val"])) == (count - val, val) and len(lists["trainval"]) == count


def test_images_and_masks_fit(root: Path) -> None:
    for path in find_images(root / "JPEGImages"):
        image, mask = Image.open(path), Image.open(root / "SegmentationClass" / f"{path.stem}.png")
        assert image.mode == "RGB" and mask.mode == "P"
        assert image.size == mask.size and max(image.size) == 384
        assert mask.getpalette()[:15] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128]


def test_every_class_is_there(root: Path) -> None:
    pixels = np.bincount(np.concatenate([mask.ravel() for mask in masks(root)]), minlength=256)
    assert set(np.flatnonzero(pixels)) == {0, 1, 2, 3, 4, IGNORE}
    assert pixels[0] > pixels.sum() / 2


@pytest.mark.parametrize("drawn", ["root", "askew"])
def test_the_converter_gives_the_same_masks(request: pytest.FixtureRequest, drawn: str) -> None:
    root = request.getfixturevalue(drawn)
    for path, mask in zip(sorted((root / "labelme").iterdir()), masks(root), strict=True):
        annotation = labelme.read_labelme(path)
        assert annotation.size == mask.shape
        assert labelme.find_image(annotation)[0].resolve() == (root / "JPEGImages" / f"{path.stem}.jpg").resolve()
        np.testing.assert_array_equal(shapes.paint(annotation.shapes, mask.shape, VALUES, 10, 5)[0], mask)


@pytest.mark.parametrize("drawn", ["root", "askew"])
def test_matplotlib_fills_the_polygons_alike(request: pytest.FixtureRequest, drawn: str) -> None:
    root = request.getfixturevalue(drawn)
    for path, mask in zip(sorted((root / "labelme").iterdir()), masks(root), strict=True):
        rows, columns = np.indices(mask.shape)
        centres = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], 1)
        expected = np.zeros(mask.size, np.uint8)
        for shape in labelme.read_labelme(path).shapes:
            expected[Outline(shape.points).contains_points(centres)] = VALUES[shape.label]
        assert (expected != mask.ravel()).mean() < 1e-3  # centres on an edge, where an edge leaves the picture


def test_same_seed_same_bytes_with_any_workers(root: Path, tmp_path: Path) -> None:
    make_sheets.main(settings(tmp_path, num_workers=2))
    assert contents(tmp_path / "sheets") == contents(root)


def test_seeds_and_sheets_differ(root: Path, tmp_path: Path) -> None:
    make_sheets.main(settings(tmp_path, count=1, seed=1, num_samples=0))
    names = [path.read_bytes() for path in (root / "JPEGImages").iterdir()]
    assert len(set(names)) == COUNT
    assert (tmp_path / "sheets/JPEGImages/synthetic_000000.jpg").read_bytes() not in names
    assert not (tmp_path / "sheets/samples.png").exists()


def test_heights_and_system_fonts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_sheets.main(settings(tmp_path, count=3, height=(300, 500), fonts="system", val_share=0.0))
    long_sides = [max(Image.open(path).size) for path in find_images(tmp_path / "sheets/JPEGImages")]
    assert len(set(long_sides)) == 3 and 300 <= min(long_sides) and max(long_sides) <= 500
    assert (tmp_path / "sheets/ImageSets/Segmentation/val.txt").read_bytes() == b""
    assert "sheets per second and core" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "value"), [
    ("count", 0), ("seed", -1), ("height", 255), ("height", (600, 500)), ("jpeg_quality", (0, 90)),
    ("jpeg_quality", (90, 40)), ("val_share", 1.0), ("num_workers", -1), ("num_samples", -1),
    ("often", {"tag": 0.0}), ("turned", 361.0), ("turned", (20.0, 10.0)),
])
def test_constants_out_of_range(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(UserError, match=f"^{name} is ") as caught:
        make_sheets.main(settings(tmp_path, **{name: value}))
    assert caught.value.exit_status == 2 and not list(tmp_path.iterdir())


def test_things_drawn_more_often(root: Path, tmp_path: Path) -> None:
    make_sheets.main(settings(tmp_path, often={"pair": 1e9, "patch_card": 1e9}))
    charts, usual = (
        sum(shape.label == "Color chart" for path in (folder / "labelme").iterdir()
            for shape in labelme.read_labelme(path).shapes) for folder in (tmp_path / "sheets", root)
    )
    assert charts > usual  # two on a sheet with one of the others


def test_an_unknown_name_lists_the_names(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='often has "tags": the names are .*pair, .*tag, ') as caught:
        make_sheets.main(settings(tmp_path, often={"tags": 2.0}))
    assert caught.value.exit_status == 2


def test_every_name_is_documented() -> None:
    text = (ROOT / "docs/synthetic.md").read_text(encoding="utf-8")
    assert not [name for name in NAMES if f"`{name}`" not in text]
    named = {name for line in text.splitlines() if "1e9" in line for name in re.findall(r"'(\w+)': 1e9", line)}
    assert len(named) > 15 and named <= set(NAMES)


def test_replaces_its_own_sheets_only_when_told(tmp_path: Path) -> None:
    make_sheets.main(settings(tmp_path, count=2, height=256))
    before = contents(tmp_path / "sheets")
    with pytest.raises(UserError, match="overwrite = True"):
        make_sheets.main(settings(tmp_path, count=1, height=256))
    assert contents(tmp_path / "sheets") == before
    make_sheets.main(settings(tmp_path, count=1, height=256, overwrite=True))
    after = contents(tmp_path / "sheets")
    assert "JPEGImages/synthetic_000001.jpg" not in after
    assert after["JPEGImages/synthetic_000000.jpg"] == before["JPEGImages/synthetic_000000.jpg"]


@pytest.mark.parametrize("name", [
    "JPEGImages/K000123.jpg", "JPEGImages/synthetic_000000.tif", "SegmentationClass/synthetic_000000.jpg", "notes.md",
    "ImageSets/Segmentation/train.txt",
])
def test_never_touches_files_of_others(tmp_path: Path, name: str) -> None:
    make_sheets.main(settings(tmp_path, count=1, height=256))
    path = tmp_path / "sheets" / name
    path.write_text("K000123 \xe4\n", encoding="latin-1")
    before = contents(tmp_path / "sheets")
    with pytest.raises(UserError, match="was not made by make_sheets.py"):
        make_sheets.main(settings(tmp_path, count=1, height=256, overwrite=True))
    assert contents(tmp_path / "sheets") == before


@pytest.mark.skipif(os.name != "posix", reason="no groups of processes")
def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "make_sheets.py", "--count=500", "--height=256", "--num_workers=2", f"--output_dir={tmp_path}",
         "--dataset=sheets"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    assert wait_for(lambda: any(tmp_path.rglob("*.json")) or process.poll() is not None, 120)
    process.kill()
    process.wait()
    assert wait_for(lambda: not group_exists(process.pid), 60)


@pytest.mark.parametrize("drawn", ["root", "askew"])
def test_boxes_of_plants_lie_on_the_sheets(request: pytest.FixtureRequest, drawn: str) -> None:
    root = request.getfixturevalue(drawn)
    plants = json.loads((root / "specimens.json").read_text())
    assert list(plants) == sorted(path.name for path in (root / "JPEGImages").iterdir())
    for name, sheet in plants.items():
        width, height = Image.open(root / "JPEGImages" / name).size
        assert 1 <= len(sheet["specimens"]) <= 8
        for x1, y1, x2, y2 in sheet["specimens"]:
            assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
