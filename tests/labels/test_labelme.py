"""labelme files of all versions and shape types, and broken ones; pixels counted by hand."""

import base64
import json
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from utils.labels.formats.labelme import find_image, read_labelme
from utils.labels.shapes import Shape, paint
from utils.utils import UserError

SIZE = (40, 50)
SQUARE = [[1, 1], [5, 1], [5, 5], [1, 5]]


def write(path: Path, shapes: list, **changes) -> Path:
    """A labelme 5 file with these shapes."""
    data = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": "K1.jpg", "imageData": None,
            "imageHeight": SIZE[0], "imageWidth": SIZE[1], **changes}
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def shape(kind: str | None, points: list, label: str = "Label", **more) -> dict:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


def png(rows: list[list[int]]) -> str:
    file = BytesIO()
    Image.fromarray(np.array(rows, np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def painted(tmp_path: Path, *shapes: dict) -> np.ndarray:
    """The mask of a file with these shapes; classes A, B and Label are 1, 2 and 3."""
    read = read_labelme(write(tmp_path / "K1.json", list(shapes)))
    return paint(read.shapes, SIZE, {"A": 1, "B": 2, "Label": 3}, line_width=10, point_size=5)[0]


def box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """First and last row and column that are not background."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return rows[0], rows[-1], columns[0], columns[-1]


@pytest.mark.parametrize("corners", [[[6, 5], [2, 1]], [[2, 5], [6, 1]], [[2, 1], [6, 5]]])
def test_rectangle_with_corners_in_any_order(tmp_path, corners):
    mask = painted(tmp_path, shape("rectangle", corners))
    assert box(mask) == (1, 4, 2, 5) and (mask[1:5, 2:6] == 3).all()


def test_rectangle_with_four_corners_as_some_programs_write_it(tmp_path):
    mask = painted(tmp_path, shape("rectangle", [[1, 2], [5, 2], [5, 4], [1, 4]]))
    assert box(mask) == (2, 3, 1, 4) and (mask == 3).sum() == 8


def test_oriented_rectangle_by_its_four_corners(tmp_path):
    # |dx| + |dy| < 3.8 around (10, 10): the half-integer offsets with a sum of 1, 2 or 3 are 4 * (1 + 2 + 3)
    mask = painted(tmp_path, shape("oriented_rectangle", [[10, 6.2], [13.8, 10], [10, 13.8], [6.2, 10]]))
    assert (mask == 3).sum() == 24 and box(mask) == (7, 12, 7, 12)


def test_circle_by_centre_and_a_point_on_its_edge(tmp_path):
    # offsets 0.5, 1.5, 2.5 in each quadrant: 8 of 9 pairs lie within 3, (2.5, 2.5) does not
    mask = painted(tmp_path, shape("circle", [[20, 15], [20, 18]]))
    assert (mask == 3).sum() == 32 and box(mask) == (12, 17, 17, 22)


def test_point_and_points_are_discs(tmp_path):
    # per quadrant, rows at 0.5, 1.5, 2.5, 3.5 and 4.5 hold 5, 5, 4, 4 and 2 centres within 5
    assert (painted(tmp_path, shape("point", [[20, 20]])) == 3).sum() == 80
    assert (painted(tmp_path, shape("points", [[10, 20], [30, 20]])) == 3).sum() == 160
    assert (painted(tmp_path, shape("point", [[0, 0]])) == 3).sum() == 20  # one quadrant is in the image


def test_line_and_linestrip_are_as_wide_as_asked(tmp_path):
    line = painted(tmp_path, shape("line", [[10, 20], [40, 20]]))
    assert (line[:, 25] == 3).sum() == 10 and not line[:, 5].any() and not line[:, 45].any()
    strip = painted(tmp_path, shape("linestrip", [[10, 8], [35, 8], [35, 32]]))
    assert (strip[:, 20] == 3).sum() == 10 and (strip[20] == 3).sum() == 10
    assert strip[5, 37] == 3  # the turn has no notch


def test_mask_fills_its_box_to_the_last_pixel(tmp_path):
    mask = painted(tmp_path, shape("mask", [[4, 2], [6, 3]], mask=png([[0, 255, 1], [1, 0, 0]])))
    assert [tuple(pixel) for pixel in np.argwhere(mask == 3)] == [(2, 5), (2, 6), (3, 4)]


def test_mask_is_cut_at_the_image(tmp_path):
    mask = painted(tmp_path, shape("mask", [[-2, -1], [0, 0]], mask=png([[1, 1, 1], [1, 1, 1]])))
    assert [tuple(pixel) for pixel in np.argwhere(mask)] == [(0, 0)]
    assert not painted(tmp_path, shape("mask", [[-9, 3], [-7, 4]], mask=png([[1, 1, 1], [1, 1, 1]]))).any()
    last = painted(tmp_path, shape("mask", [[49, 39], [51, 40]], mask=png([[1, 1, 1], [1, 1, 1]])))
    assert [tuple(pixel) for pixel in np.argwhere(last)] == [(39, 49)]


def test_mask_with_fractional_corners_keeps_its_size(tmp_path):
    mask = painted(tmp_path, shape("mask", [[3.6, 2.4], [6.4, 4.4]], mask=png([[1, 1, 1], [1, 1, 1], [1, 1, 1]])))
    assert box(mask) == (2, 4, 4, 6)  # corner rounds to (4, 2)
    three = png(np.ones((3, 3)).tolist())
    assert box(painted(tmp_path, shape("mask", [[3.6, 2.6], [5.4, 4.4]], mask=three))) == (3, 5, 4, 6)  # as drawn
    assert box(painted(tmp_path, shape("mask", [[4, 3], [5, 4]], mask=three))) == (3, 4, 4, 5)  # no corner was rounded


def test_later_shapes_lie_on_top(tmp_path):
    first, second = shape("rectangle", [[0, 0], [10, 10]], "A"), shape("rectangle", [[5, 5], [15, 15]], "B")
    assert painted(tmp_path, first, second)[7, 7] == 2
    assert painted(tmp_path, second, first)[7, 7] == 1


def test_points_outside_the_image_are_cut_off(tmp_path):
    mask = painted(tmp_path, shape("polygon", [[-50, 30], [80, 30], [80, 200], [-50, 200]]))
    assert (mask[30:] == 3).all() and not mask[:30].any()


def rectangle(label: str, x0: float, y0: float, x1: float, y1: float, group: int | None = None) -> Shape:
    return Shape(label, "rectangle", np.array([[x0, y0], [x1, y1]], float), group)


def parted(*shapes: Shape) -> np.ndarray:
    """The mask with a seam of a tenth of the 40 rows: 4 pixels."""
    return paint(shapes, SIZE, {"A": 1, "B": 2, "_ignore_": 255}, 10, 5, seam=0.1)[0]


def test_a_seam_is_ignored_where_two_objects_of_a_class_touch():
    mask = parted(rectangle("A", 5, 5, 20, 30), rectangle("A", 20, 10, 40, 30), rectangle("B", 5, 30, 40, 35))
    assert (mask[10:30, 18:22] == 255).all()
    assert (mask[8:10, 18:20] == 255).all() and (mask[5:8, 5:20] == 1).all()  # above the second one's corner
    assert (mask[5:30, 5:18] == 1).all() and (mask[10:30, 22:40] == 1).all() and (mask[30:35, 5:40] == 2).all()
    assert (mask == 255).sum() == 20 * 4 + 2 * 2
    assert cv2.connectedComponents((mask == 1).astype(np.uint8), connectivity=8)[0] == 1 + 2


def test_a_seam_follows_the_visible_edge_of_the_object_on_top():
    mask = parted(rectangle("A", 5, 5, 25, 30), rectangle("A", 20, 5, 40, 30))
    assert (mask[5:30, 18:22] == 255).all() and (mask == 255).sum() == 25 * 4


@pytest.mark.parametrize("shapes", [
    [rectangle("A", 5, 5, 20, 30), rectangle("B", 20, 5, 40, 30)],
    [rectangle("A", 5, 5, 20, 30, group=1), rectangle("A", 20, 5, 40, 30, group=1)],
    [rectangle("A", 5, 5, 40, 30), rectangle("A", 10, 10, 20, 20)],
    [rectangle("A", 5, 5, 40, 30), rectangle("A", 30, 10, 41, 20)],  # ten of eleven columns lie in the other
    [rectangle("A", 5, 5, 20, 30), rectangle("A", 24, 5, 40, 30)],
    [rectangle("_ignore_", 5, 5, 20, 30), rectangle("_ignore_", 20, 5, 40, 30)],
], ids=["classes", "group", "within", "mostly within", "apart", "ignored"])
def test_no_seam_is_drawn(shapes):
    mask = parted(*shapes)
    assert np.array_equal(mask, paint(shapes, SIZE, {"A": 1, "B": 2, "_ignore_": 255}, 10, 5)[0])


def test_pixels_of_every_shape_are_counted():
    shapes = [Shape("A", "rectangle", np.array([[0.0, 0], [3, 2]])),
              Shape("A", "circle", np.array([[-9.0, 0], [-8, 0]])),
              Shape("A", "polygon", np.array([[60.0, 0], [70, 0], [70, 9]]))]
    assert paint(shapes, SIZE, {"A": 1}, 10, 5)[1] == [6, 0, 0]


def test_version_3_has_no_shape_types(tmp_path):
    path = tmp_path / "K1.json"
    path.write_text(json.dumps({
        "lineColor": [0, 255, 0, 128], "fillColor": [255, 0, 0, 128], "imagePath": "K1.jpg", "imageData": None,
        "shapes": [{"label": "Label", "line_color": None, "fill_color": None, "points": SQUARE}],
    }), encoding="utf-8")
    read = read_labelme(path)
    assert read.size is None and read.shapes[0].kind == "polygon"
    assert paint(read.shapes, SIZE, {"Label": 3}, 10, 5)[1] == [16]


def test_version_7_with_fields_of_its_own(tmp_path):
    path = write(tmp_path / "K1.json", [
        shape("polygon", [[2, 1], [6, 1], [6, 5], [2, 5]], description="faded", flags={"blurred": True}, group_id=4,
              mask=None, score=0.7)
    ], version="7.0.2", flags={"checked": True}, other=[1])
    read = read_labelme(path)
    assert read.size == SIZE and read.shapes[0].group_id == 4


def test_byte_order_mark_is_read(tmp_path):
    path = write(tmp_path / "K1.json", [])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_labelme(path).shapes == []


@pytest.mark.parametrize("broken, message", [
    (shape("polygon", SQUARE[:2]), 'shape 1 ("Label", polygon) has 2 points and needs 3 or more'),
    (shape("rectangle", SQUARE[:3]), "has 3 points and needs 2 or 4"),
    (shape("oriented_rectangle", SQUARE[:3]), "has 3 points and needs 4"),
    (shape("polygon", []), "points that are not pairs"),
    (shape("polygon", [[1, 2, 3], [4, 5, 6]]), "points that are not pairs"),
    (shape("polygon", [[1, 2], [4]]), "points that are not pairs"),
    (shape("polygon", [["a", 2], [4, 5], [5, 5]]), "points that are not pairs"),
    (shape("polygon", [[1, float("nan")], [4, 5], [5, 5]]), "all finite"),
    (shape("rotation", SQUARE), "needs a label and one of the types polygon, rectangle"),
    (shape(["polygon"], SQUARE), "needs a label and one of the types"),
    (shape("polygon", SQUARE, label=3), "needs a label"),
    ({"label": "Label"}, "points that are not pairs"),
    ("Label", "needs a label"),
    (shape("mask", [[0, 0], [2, 1]]), "not a PNG in base64"),
    (shape("mask", [[0, 0], [2, 1]], mask="AAAA"), "not a PNG in base64"),
    (shape("mask", [[0, 0], [9, 9]], mask=png([[1, 1, 1], [1, 1, 1]])), "3 x 2 pixels in a box of 10 x 10"),
    (shape("mask", [[0, 0], [2, 9]], mask=png([[1, 1, 1], [1, 1, 1]])), "3 x 2 pixels in a box of 3 x 10"),
])
def test_broken_shapes_are_named(tmp_path, broken, message):
    path = write(tmp_path / "K1.json", [broken])
    with pytest.raises(UserError) as error:
        read_labelme(path)
    assert str(path) in str(error.value) and message in str(error.value)


@pytest.mark.parametrize("content, message", [
    (b"", "cannot be read as JSON"),
    (b'{"shapes": [', "cannot be read as JSON"),
    ("{\"imagePath\": \"Müller.jpg\"}".encode("latin-1"), "in UTF-8"),
    (b"[1, 2]", "not a labelme file"),
    (b'{"images": [], "annotations": []}', "not a labelme file"),
    (b'{"shapes": [], "imageHeight": "abc", "imageWidth": 9}', "bad imageHeight"),
    (b'{"shapes": [], "imageHeight": [1], "imageWidth": 9}', "bad imageHeight"),
    (b'{"shapes": [], "imageHeight": Infinity, "imageWidth": 9}', "bad imageHeight"),
    (b'{"shapes": [], "imagePath": 5}', "bad .* imagePath"),
])
def test_files_that_are_no_labelme_files_are_named(tmp_path, content, message):
    path = tmp_path / "K1.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_labelme(path)


@pytest.mark.parametrize("image_path, found", [
    ("pictures\\K7.jpg", "pictures/K7.jpg"),  # written on Windows
    ("pictures/K7.jpg", "pictures/K7.jpg"),
    ("C:\\Users\\me\\scans\\K8.jpg", "K1.TIF"),  # renamed in pairs since: the stem of the JSON file
    ("K8.jpg", "K1.TIF"),
    ("gone.jpg", "K1.TIF"),
    (None, "K1.TIF"),
])
def test_image_is_found(tmp_path, image_path, found):
    (tmp_path / "pictures").mkdir()
    for name in ("pictures/K7.jpg", "K8.jpg", "K1.TIF", "K1.txt"):
        (tmp_path / name).touch()
    assert find_image(read_labelme(write(tmp_path / "K1.json", [], imagePath=image_path)))[0] == tmp_path / found


def test_image_is_missing_or_ambiguous(tmp_path):
    annotation = read_labelme(write(tmp_path / "K1.json", []))
    assert find_image(annotation)[0] is None
    (tmp_path / "K1.png").touch()
    (tmp_path / "K1.tif").touch()
    with pytest.raises(UserError, match="does not say which of K1.png, K1.tif"):
        find_image(annotation)
