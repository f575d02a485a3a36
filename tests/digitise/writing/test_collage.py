"""Collages: where their pixels lie on the sheet, how they are packed, what is kept, no collage of nothing."""

import json
import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictures import SRGB, noise
from utils.digitise.writing import collage
from utils.digitise.writing.collage import BORDER, Entry, arrange, make_collage, to_sheet, write_collage
from utils.files.images import Kept, read_picture
from utils.objects.regions import find_regions
from utils.predicting.crops import Cut, cut_out
from utils.utils import UserError

KEPT = Kept("JPEG", {"quality": 95, "subsampling": 0, "icc_profile": SRGB})
ANGLE = math.radians(12)


def at(u: float, v: float) -> tuple[float, float]:
    """Where the point (u, v) of a card that is turned by ANGLE around x = 200, y = 150 lies on the sheet."""
    return 200 + u * math.cos(ANGLE) - v * math.sin(ANGLE), 150 + u * math.sin(ANGLE) + v * math.cos(ANGLE)


def sheet() -> tuple[np.ndarray, np.ndarray]:
    """White, with a turned label of 140 x 60 that has a red spot at (40, -15), and a barcode with a blue spot."""
    y, x = np.mgrid[:300, :400] + 0.5
    u = (x - 200) * math.cos(ANGLE) + (y - 150) * math.sin(ANGLE)
    v = (y - 150) * math.cos(ANGLE) - (x - 200) * math.sin(ANGLE)
    label = (abs(u) < 70) & (abs(v) < 30)
    pixels = np.full((300, 400, 3), 255, np.uint8)
    pixels[label] = 200
    pixels[(u - 40) ** 2 + (v + 15) ** 2 < 25] = (255, 0, 0)
    pixels[250:280, 20:90] = 180
    pixels[258:266, 30:38] = (0, 0, 255)  # centre: x = 34, y = 262
    mask = label * np.uint8(2)
    mask[250:280, 20:90] = 1
    return pixels, mask


def entries(turns: tuple[int, int]) -> list[Entry]:
    pixels, mask = sheet()
    regions = find_regions(mask, ["_background_", "Barcode", "Label"])
    cuts = [cut_out(pixels, region, 4, turn) for region, turn in zip(regions, turns)]
    return [Entry(cut, 1, f"crops/x_{cut.name}_1.jpg") for cut in cuts]


def spots(pixels: np.ndarray) -> list[tuple[float, float]]:
    """x and y of the centres of gravity of the red and of the blue spot."""
    rows, columns = np.indices(pixels.shape[:2]) + 0.5
    redness = pixels[..., 0].astype(int) - pixels[..., 2]
    found = []
    for weights in ((redness - 80).clip(0), (-redness - 80).clip(0)):  # below are the edges of the other spot
        found.append(((columns * weights).sum() / weights.sum(), (rows * weights).sum() / weights.sum()))
    return found


@pytest.mark.parametrize("turns", [(0, 0), (1, 2), (3, 3)])
@pytest.mark.parametrize("largest", [25_000_000, 6000])
def test_spots_are_found_again_on_the_sheet(turns, largest, monkeypatch):
    monkeypatch.setattr(collage, "MAX_PIXELS", largest)
    pixels, found = make_collage(entries(turns))
    assert pixels.shape == (found["height"], found["width"], 3) and found["height"] * found["width"] <= largest
    assert (found["scale"] == 1) == (largest > 6000)
    red, blue = spots(sheet()[0])
    np.testing.assert_allclose([red, blue], [at(40, -15), (34, 262)], atol=0.2)
    for spot, expected in zip(spots(pixels), (red, blue)):
        np.testing.assert_allclose(to_sheet(found, *spot), expected, atol=0.05 if found["scale"] == 1 else 0.5)
    assert to_sheet(found, 1, 1) is None
    for item, entry in zip(found["objects"], entries(turns)):
        expected = found["scale"] * np.array(entry.cut.pixels.shape[:2])
        np.testing.assert_allclose(item["box"][3:1:-1], expected, rtol=0.02)


def test_the_map_is_exact():
    """An object that was not turned: each corner of its box is one of the crop's on the sheet."""
    _, found = make_collage(entries((0, 0)))
    barcode, label = found["objects"]
    left, top, width, height = barcode["box"]
    assert (width, height) == (78, 38)  # 70 x 30 and a margin of 4
    assert to_sheet(found, left, top) == (16, 246) and to_sheet(found, left + 77, top + 37) == (93, 283)
    assert [barcode[key] for key in ("class", "number", "crop")] == ["Barcode", 1, "crops/x_Barcode_1.jpg"]
    assert label["to_sheet"][0][0] == pytest.approx(math.cos(ANGLE), abs=0.01)


def test_objects_stand_apart_and_close_together():
    rng = np.random.default_rng(0)
    for count in (1, 2, 9, 40):
        sizes = [tuple(map(int, rng.integers(20, 500, 2))) for _ in range(count)]
        places, (height, width) = arrange(sizes)
        boxes = [(left, top, left + size[1], top + size[0]) for (left, top), size in zip(places, sizes)]
        for left, top, right, bottom in boxes:
            assert left >= BORDER and top >= BORDER and right <= width - BORDER and bottom <= height - BORDER
        for one, other in combinations(boxes, 2):
            apart = max(other[0] - one[2], one[0] - other[2], other[1] - one[3], one[1] - other[3])
            assert apart >= BORDER
        filled = sum((size[0] + BORDER) * (size[1] + BORDER) for size in sizes) / (height * width)
        assert filled > 0.6 and 1 / 3 < height / width < 3


def test_the_files(tmp_path):
    path = tmp_path / "collages" / "a" / '=x"\n<b>.jpg'
    name = Path("a", path.name)
    assert write_collage(path, name, (300, 400), entries((0, 0)), KEPT) == [path, path.with_suffix(".json")]
    with Image.open(path) as image:
        assert image.info["icc_profile"] == SRGB
        size = image.size
    found = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert found["sheet"] == 'a/=x"\n<b>.jpg' and (found["sheet_height"], found["sheet_width"]) == (300, 400)
    assert (found["width"], found["height"]) == size and found["collage"] == path.name and found["scale"] == 1
    assert write_collage(path, name, (300, 400), [], KEPT) == [] == list(path.parent.iterdir())
    assert write_collage(path, name, (300, 400), [], KEPT) == []
    path.mkdir()
    for some in ([], entries((0, 0))):
        with pytest.raises(UserError, match="cannot be written"):
            write_collage(path, name, (300, 400), some, KEPT)


def test_a_16_bit_sheet(tmp_path):
    """Its collage is a JPEG of 8 bits with the sheet's profile."""
    Image.fromarray(noise(9, 9, 3)).save(tmp_path / "x.tif", icc_profile=SRGB)
    _, kept = read_picture(tmp_path / "x.tif")
    cut = Cut("Label", np.full((30, 40, 3), 65535 // 3, np.uint16), np.eye(3)[:2])
    write_collage(tmp_path / "x.jpg", Path("x.tif"), (9, 9), [Entry(cut, 1, "")], kept)
    with Image.open(tmp_path / "x.jpg") as image:
        assert image.format == "JPEG" and image.info["icc_profile"] == SRGB
        assert image.getpixel((BORDER + 20, BORDER + 15)) == (85, 85, 85)
