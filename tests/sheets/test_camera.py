"""The photograph: lens, quarter turns, exposure, resolution."""

from __future__ import annotations

import numpy as np
import pytest

from kits import filled, make_kit, overlap
from utils.labels.polygons import fill_polygon
from utils.sheets import camera
from utils.sheets.drawing.draw import Shape


@pytest.mark.parametrize("lens", [camera.Lens((300, 400), 3.0, 1.05, 0.0), camera.Lens((300, 400), 0.0, 1.0, 0.03),
                                  camera.Lens((400, 300), -2.0, 1.04, -0.02)])
def test_lens_moves_pixels_and_polygons_alike(lens: camera.Lens) -> None:
    points = np.array([(40.0, 30.0), (260.0, 45.0), (250.0, 240.0), (60.0, 250.0)])
    np.testing.assert_allclose(lens.back(lens.forth(points)), points, atol=1e-6)
    image = np.zeros((*lens.size, 3), np.uint8)
    fill_polygon(mask := np.zeros(lens.size, np.uint8), points, 255)
    image[:] = mask[..., None]
    bent, (shape,) = camera.photograph(lens, image, [Shape("Label", points)])
    moved = overlap(filled(shape, lens.size), mask > 0)
    assert moved < 0.985 < 0.992 < overlap(filled(shape, lens.size), bent[..., 0] > 127)


def test_lens_that_does_nothing_keeps_the_picture() -> None:
    image, shapes = np.zeros((30, 40, 3), np.uint8), [Shape("Label", np.zeros((4, 2)))]
    same, kept = camera.photograph(camera.Lens((30, 40), 0.0, 1.0, 0.0), image, shapes)
    assert same is image and kept is shapes


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_quarter_turns(quarters: int) -> None:
    shape = Shape("Label", np.array([(2.0, 1.0), (7.0, 1.0), (7.0, 4.0), (2.0, 4.0)]))
    image = np.repeat(filled(shape, (10, 20))[..., None], 3, 2).astype(np.uint8)
    turned, (moved,) = camera.turn(image, [shape], quarters)
    assert turned.shape[:2] == ((20, 10) if quarters % 2 else (10, 20))
    np.testing.assert_array_equal(turned[..., 0] > 0, filled(moved, turned.shape[:2]))


def test_exposure_and_resolution_keep_the_picture() -> None:
    flat = np.zeros((120, 90, 3), np.uint8)
    flat[30:90, 20:70] = (200, 190, 170)
    results = []
    for seed in range(25):
        kit, image = make_kit(seed), flat.copy()
        camera.expose(kit, image)
        image = camera.resolve(kit, image)
        assert image.shape == flat.shape and image.dtype == np.uint8
        assert image[45:75, 35:55].mean() > image[:20, :15].mean() + 60
        results.append(image.tobytes())
    assert len(set(results)) == 25
