"""Plant pictures: nothing is left of the objects, all else stays, and the paper looks as it does around them."""

import cv2
import numpy as np
import pytest
from PIL import Image

from pictures import SRGB, noise
from utils.digitise.writing.plant import fill, paint_over, write_plant
from utils.files.images import Kept, read_picture
from utils.utils import UserError

KEPT = Kept("JPEG", {"quality": 95, "subsampling": 0, "icc_profile": SRGB})


def sheet() -> np.ndarray:
    """1000 x 700 pixels: a dark board with a sheet of paper on it that is darker to the right."""
    pixels = np.full((1000, 700, 3), (40, 44, 50), np.uint8)
    shade = np.linspace(0, 20, 600)[:, None]
    pixels[80:960, 40:640] = ((240, 230, 210) - shade).round()
    return pixels


def add_object(pixels: np.ndarray, mask: np.ndarray, box: tuple[slice, slice]) -> None:
    """Magenta, with a shadow of two pixels around it that the mask does not know of."""
    rows, columns = box
    pixels[max(rows.start - 2, 0):rows.stop + 2, max(columns.start - 2, 0):columns.stop + 2] = (150, 60, 150)
    pixels[box] = (255, 0, 255)
    mask[box] = 2


def far_from(mask: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.dilate(mask, np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)) == 0


def test_objects_become_the_paper_around_them():
    """A label within the sheet, one at its edge, and a leaf that comes close to both."""
    pixels, mask = sheet(), np.zeros((1000, 700), np.uint8)
    clean = pixels.copy()
    for box in (np.s_[500:620, 100:300], np.s_[300:400, 540:640]):
        add_object(pixels, mask, box)
    pixels[420:490, 80:600] = clean[420:490, 80:600] = (60, 90, 40)
    before = pixels.copy()
    painted = paint_over(pixels, mask)
    np.testing.assert_array_equal(pixels, before)
    assert np.abs(painted.astype(int) - clean)[:, :630].max() <= 3
    far = far_from(mask, 2 * 2 + 2)  # a cell has two pixels: 0.002 of the diagonal
    np.testing.assert_array_equal(painted[far], pixels[far])
    assert paint_over(pixels, mask, in_place=True) is pixels
    np.testing.assert_array_equal(pixels, painted)


def test_beside_the_sheet_objects_become_the_board():
    """One chart above the sheet and one that takes all the room on its right."""
    pixels, mask = sheet(), np.zeros((1000, 700), np.uint8)
    for box in (np.s_[10:70, 100:500], np.s_[0:1000, 650:700]):
        add_object(pixels, mask, box)
    painted = paint_over(pixels, mask).astype(int)
    assert abs(painted[10:70, 100:500] - (40, 44, 50)).max() <= 3
    assert abs(painted[:, 655:] - (40, 44, 50)).max() <= 3
    assert abs(painted[500:700, 600] - painted[600, 600]).max() <= 3 and painted[600, 600, 0] > 200


def test_a_label_among_leaves_becomes_paper():
    """Dark leaves take more room around it than paper does."""
    pixels, mask = sheet(), np.zeros((1000, 700), np.uint8)
    pixels[100:900, 60:500] = (60, 60, 30)
    pixels[406:514, 186:414] = (238, 228, 208)
    add_object(pixels, mask, np.s_[420:500, 200:400])
    assert abs(paint_over(pixels, mask)[420:500, 200:400].astype(int) - (238, 228, 208)).max() <= 4


@pytest.mark.parametrize("height, width", [(1, 1), (1, 500), (7, 3), (501, 333), (1003, 703)])
def test_odd_sizes_and_masks(height, width):
    """Nothing of the objects is left, even in the last row and column; noise has no colour that is paper."""
    for pixels in (noise(height, width, 3), np.full((height, width, 3), 200, np.uint8)):
        np.testing.assert_array_equal(paint_over(pixels, np.zeros((height, width), np.uint8)), pixels)
        everything = paint_over(pixels, np.ones((height, width), np.uint8))
        assert (everything == everything[0, 0]).all()
    mask = np.zeros((height, width), np.uint8)
    mask[-1, -1] = mask[-1, 0] = mask[height // 2, width // 2] = 4
    pixels[mask > 0] = (255, 0, 255)
    if height * width > 21:
        assert abs(paint_over(pixels, mask).astype(int) - 200).max() <= 2


def test_filling_goes_over_smoothly():
    """Between two known edges of 0 and 100 no step is larger than a few times the straight line's."""
    colours, known = np.zeros((16, 64, 3), np.float32), np.zeros((16, 64), bool)
    colours[:, -1] = 100
    known[:, 0] = known[:, -1] = True
    filled = fill(colours, known)
    steps = np.diff(filled[..., 0], axis=1)
    assert steps.min() >= -1e-4 and steps.max() < 8 and (filled[:, 0] == 0).all() and (filled[:, -1] == 100).all()
    assert abs(filled[:, 32] - 50).max() < 5


def test_the_file(tmp_path):
    pixels, mask = sheet(), np.zeros((1000, 700), np.uint8)
    add_object(pixels, mask, np.s_[500:620, 100:300])
    path = tmp_path / "plant" / "a" / "x.jpg"
    painted = paint_over(pixels, mask)
    write_plant(path, painted, KEPT)
    with Image.open(path) as image:
        assert image.format == "JPEG" and image.size == (700, 1000) and image.info["icc_profile"] == SRGB
        assert np.abs(np.asarray(image).astype(int) - painted).mean() < 1
    Image.fromarray(noise(9, 9, 3)).save(tmp_path / "y.png", icc_profile=SRGB, dpi=(300, 300))
    _, kept = read_picture(tmp_path / "y.png")
    write_plant(path, painted[:500], kept)
    with Image.open(path) as image:
        assert image.info["icc_profile"] == SRGB and image.info["dpi"] == (300, 300) and image.size == (700, 500)
    with pytest.raises(UserError, match="x.jpg cannot be written"):
        write_plant(path / "x.jpg", painted, KEPT)
