"""Polygons to pixels and back: by hand, against Matplotlib, labelme's drawing and pycocotools."""

import cv2
import numpy as np
import pytest
from matplotlib.path import Path as MatplotlibPath
from PIL import Image, ImageDraw

from utils.labels.polygons import area, fill_polygon, outlines, rectangle


def filled(points, height: int, width: int) -> np.ndarray:
    """Bool (height, width) of one polygon."""
    mask = np.zeros((height, width), np.uint8)
    pixels = fill_polygon(mask, np.asarray(points, float), 1)
    assert pixels == mask.sum()
    return mask > 0


def picture(text: str) -> np.ndarray:
    """A mask from rows of digits, 9 standing for 255."""
    rows = [[int(digit) for digit in row] for row in text.split()]
    mask = np.array(rows, np.uint8)
    mask[mask == 9] = 255
    return mask


def test_triangle_by_hand():
    expected = picture("1110 1100 1000 0000")  # centres exactly on the slanted edge belong to the other side
    np.testing.assert_array_equal(filled([(0, 0), (4, 0), (0, 4)], 4, 4), expected > 0)


def test_pixel_edges_are_kept_and_centres_decide():
    assert filled(rectangle(2, 1, 5, 3), 6, 8)[1:3, 2:5].all() and filled(rectangle(2, 1, 5, 3), 6, 8).sum() == 6
    assert filled(rectangle(2.4, 1.4, 5.4, 3.4), 6, 8).sum() == 6  # the centres inside are the same
    assert filled(rectangle(2.6, 1, 5, 3), 6, 8).sum() == 4  # column 2 has its centre at 2.5
    assert filled(rectangle(2.6, 1, 3.4, 3), 6, 8).sum() == 0  # between two centres


def test_parts_outside_are_cut_off():
    np.testing.assert_array_equal(filled(rectangle(-5, -7, 2, 1), 3, 4), picture("1100 0000 0000") > 0)
    np.testing.assert_array_equal(filled(rectangle(3, 2, 90, 1e9), 3, 4), picture("0000 0000 0001") > 0)
    assert filled([(-9, 0), (-1, 0), (-5, 3)], 3, 4).sum() == 0
    assert filled([(-9, -9), (20, -9), (20, 20), (-9, 20)], 3, 4).all()


def test_self_crossing_polygon_is_filled_even_odd():
    star = [(10 + 9 * np.sin(4 * np.pi * k / 5), 10 - 9 * np.cos(4 * np.pi * k / 5)) for k in range(5)]
    mask = filled(star, 20, 20)
    assert not mask[10, 10] and mask[3, 10]  # the pentagon in the middle is outside, a tip is inside


@pytest.mark.parametrize("seed", range(5))
def test_random_polygons_equal_matplotlib(seed: int):
    generator = np.random.default_rng(seed)
    angles = np.sort(generator.uniform(0, 2 * np.pi, 12))
    radii = generator.uniform(5, 40, 12)
    points = np.stack([30 + radii * np.cos(angles), 25 + radii * np.sin(angles)], axis=1)
    rows, columns = np.mgrid[:50, :60]
    centres = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
    expected = MatplotlibPath(points).contains_points(centres).reshape(50, 60)
    np.testing.assert_array_equal(filled(points, 50, 60), expected)


def test_neighbours_neither_overlap_nor_leave_a_gap():
    middle = (13.37, 8.5)
    corners = [(0, 0), (7.5, 0), (20, 0), (20, 11), (20, 16), (4.4, 16), (0, 16)]
    total = sum(filled([a, b, middle], 16, 20).astype(int) for a, b in zip(corners, corners[1:] + corners[:1]))
    assert (total == 1).all()


SLANTED = [(12.0, 8.0), (70.0, 15.0), (64.0, 51.0), (9.0, 44.0)]  # whole numbers: Pillow would cut off the rest


def distances(differs: np.ndarray, points) -> list[float]:
    """How far the centre of every True pixel is from the outline."""
    outline = np.array(points, np.float32)
    return [abs(cv2.pointPolygonTest(outline, (float(x) + 0.5, float(y) + 0.5), True)) for y, x in np.argwhere(differs)]


def test_labelme_differs_by_less_than_one_pixel_and_is_larger():
    image = Image.new("L", (80, 60))
    ImageDraw.Draw(image).polygon(SLANTED, outline=1, fill=1)  # labelme/_utils/_shape.py, shape_to_mask
    labelme, ours = np.asarray(image) > 0, filled(SLANTED, 60, 80)
    assert max(distances(labelme ^ ours, SLANTED)) <= 1
    assert abs(ours.sum() - area(SLANTED)) < 5  # ours has the polygon's area
    assert 20 < labelme.sum() - area(SLANTED) < 100  # half of the outline's 200 pixels at most


def test_pycocotools_differs_by_less_than_half_a_pixel():
    coco = pytest.importorskip("pycocotools.mask")

    def decoded(points) -> np.ndarray:
        return coco.decode(coco.frPyObjects([np.ravel(points).tolist()], 60, 80))[..., 0] > 0

    np.testing.assert_array_equal(filled(rectangle(10, 20, 50, 45), 60, 80), decoded(rectangle(10, 20, 50, 45)))
    differs = filled(SLANTED, 60, 80) ^ decoded(SLANTED)
    assert differs.sum() < 40 and max(distances(differs, SLANTED)) < 0.5


def test_outline_of_a_rectangle_lies_on_its_pixel_edges():
    mask = np.zeros((9, 12), np.uint8)
    mask[2:5, 3:8] = 4
    (outline,) = outlines(mask)
    assert {tuple(point) for point in outline.points} == {(3, 2), (8, 2), (8, 5), (3, 5)}
    assert (outline.value, outline.pixels, area(outline.points)) == (4, 15, 15)


def test_what_lies_inside_comes_later():
    found = outlines(picture("22222220 21110920 21010920 21110920 22222220"))
    assert [(item.value, item.pixels) for item in found] == [(2, 20), (1, 8), (0, 3), (255, 3), (0, 1)]


def test_background_at_the_edge_has_no_outline():
    assert outlines(np.zeros((5, 5), np.uint8)) == []
    assert [item.value for item in outlines(picture("010 010 010"))] == [1]


@pytest.mark.parametrize("scale", [1, 3])
def test_painting_outlines_gives_the_mask_back(scale: int):
    generator = np.random.default_rng(scale)
    for _ in range(10):
        height, width = generator.integers(1, 30, 2)
        mask = generator.choice([0, 0, 1, 2, 255], (height, width)).astype(np.uint8).repeat(scale, 0).repeat(scale, 1)
        again = np.zeros_like(mask)
        for outline in outlines(mask):
            fill_polygon(again, outline.points, outline.value)
        np.testing.assert_array_equal(again, mask)


def test_tolerance_saves_points_and_stays_within_itself():
    mask = np.zeros((300, 400), np.uint8)
    cv2.ellipse(mask, (200, 150), (150, 90), 20, 0, 360, 1, -1)
    (exact,), (simple,) = outlines(mask), outlines(mask, tolerance=1.5)
    assert len(exact.points) > 50 and len(simple.points) < 40
    again = np.zeros_like(mask)
    fill_polygon(again, simple.points, 1)
    assert 0 < max(distances(again != mask, exact.points)) <= 1.5


def test_tolerance_never_loses_an_object():
    assert len(outlines(picture("000 010 000"), tolerance=5.0)[0].points) >= 3


def test_small_objects_are_left_out_on_demand():
    assert [item.pixels for item in outlines(picture("1100 1100 0001"), min_pixels=2)] == [4]
