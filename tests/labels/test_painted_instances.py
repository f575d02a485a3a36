"""The number of each pixel's object that shapes of labelme are painted with, counted by hand."""

import numpy as np
import pytest

from utils.labels.shapes import Shape, paint

SIZE, VALUES = (40, 50), {"A": 1, "B": 2, "_ignore_": 255, "_background_": 0}


def rectangle(label: str, x0: float, y0: float, x1: float, y1: float, group: int | None = None) -> Shape:
    return Shape(label, "rectangle", np.array([[x0, y0], [x1, y1]], float), group)


def triangle(label: str, *points: tuple[float, float]) -> Shape:
    return Shape(label, "polygon", np.array(points, float))


def numbered(*shapes: Shape, seam: float = 0.0) -> np.ndarray:
    painted = paint(shapes, SIZE, VALUES, 10, 5, seam)
    assert painted.instances.dtype == np.uint16
    assert np.array_equal(painted.instances > 0, (painted.mask > 0) & (painted.mask < 255))
    return painted.instances


def test_touching_polygons_and_a_group():
    """A square cut along its diagonal into two objects, and one object of two parts."""
    instances = numbered(
        triangle("A", (0, 0), (20, 0), (0, 20)), rectangle("A", 30, 0, 35, 10, group=4),
        triangle("A", (20, 20), (20, 0), (0, 20)), rectangle("A", 40, 20, 45, 30, group=4))
    rows, columns = np.mgrid[:20, :20]
    assert (instances[:20, :20][rows + columns < 19] == 1).all()  # the diagonal's own pixels are of either
    assert (instances[:20, :20][rows + columns > 19] == 3).all()
    assert (instances[:10, 30:35] == 2).all() and (instances[20:30, 40:45] == 2).all()
    assert (instances == 2).sum() == 100 and ((instances == 1) | (instances == 3)).sum() == 400


@pytest.mark.parametrize("seam", [0.0, 0.1])
def test_the_seam_belongs_to_no_object(seam):
    instances = numbered(rectangle("A", 5, 5, 20, 30), rectangle("A", 20, 5, 40, 30), seam=seam)
    half = round(seam * 40) // 2
    assert (instances[5:30, 5:20 - half] == 1).all() and (instances[5:30, 20 + half:40] == 2).all()
    assert (instances > 0).sum() == 25 * (35 - 2 * half)


def test_a_shape_in_another_of_its_class_is_a_part_of_it_and_one_of_another_class_is_not():
    instances = numbered(
        rectangle("A", 5, 5, 40, 30), rectangle("A", 10, 10, 20, 20), rectangle("B", 30, 10, 35, 20))
    assert (instances == 1).sum() == 35 * 25 - 50 and (instances[10:20, 30:35] == 2).all()


def test_numbers_have_no_gaps_and_only_visible_objects_have_one():
    instances = numbered(
        rectangle("A", 5, 5, 10, 10), rectangle("_ignore_", 20, 5, 25, 10), rectangle("B", 0, 0, 12, 12),
        rectangle("A", -9, -9, -1, -1), rectangle("A", 30, 5, 34, 10), rectangle("_background_", 30, 5, 32, 10))
    assert (instances[:12, :12] == 1).all() and (instances[5:10, 32:34] == 2).all()
    assert np.bincount(instances.ravel()).tolist() == [40 * 50 - 144 - 10, 144, 10]
