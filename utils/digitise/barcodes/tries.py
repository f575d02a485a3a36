"""Pictures of a barcode, or of a whole sheet, that are given to zxing-cpp, and what it reads in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import zxingcpp

from utils.digitise.barcodes.bars import straight, whole_bars
from utils.digitise.barcodes.check import is_drawn_so
from utils.objects.outline import Rectangle
from utils.utils import UserError

FORMATS: dict[str, zxingcpp.BarcodeFormat] = {  # the symbologies that can be asked for, by their names
    "Code 39": zxingcpp.BarcodeFormat.Code39Std,  # plain Code39 makes Italian medicine numbers of some texts (Code 32)
    "Code 93": zxingcpp.BarcodeFormat.Code93,
    "Code 128": zxingcpp.BarcodeFormat.Code128,
    "Codabar": zxingcpp.BarcodeFormat.Codabar,
    "ITF": zxingcpp.BarcodeFormat.ITF,
    "EAN-13": zxingcpp.BarcodeFormat.EAN13,
    "QR Code": zxingcpp.BarcodeFormat.QRCode,
    "Data Matrix": zxingcpp.BarcodeFormat.DataMatrix,
    "Aztec": zxingcpp.BarcodeFormat.Aztec,
    "PDF417": zxingcpp.BarcodeFormat.PDF417,
}
MATRIX: tuple[str, ...] = ("QR Code", "Data Matrix", "Aztec", "PDF417")  # squares; they correct mistakes
SIZE = 300     # pixels; larger codes are taken for enlarged pictures of codes of this size
MARGIN = 0.1   # around an object, share of its shorter side
FAINT = 90     # difference between dark and light, of 255, below which contrast is stretched; others lose by it
MOST_PIXELS = 6000  # of the longer side of a whole sheet when it is searched


class Try(NamedTuple):
    """A way to prepare the picture of a code."""

    enlarge: float        # 1: as it is on the sheet
    sharpen: float = 0.0  # how much of the difference from the blurred picture is added
    blur: float = 0.0     # of that picture: standard deviation in pixels before enlarging


# From cheap to dear. Chosen on 135 sheets: they read all codes that any of 105 such tries reads.
TRIES: tuple[Try, ...] = (
    Try(1), Try(2), Try(2, 2, 0.5), Try(3), Try(4, 2, 0.8), Try(5, 1, 0.5), Try(6, 2, 0.5),
)


class View(NamedTuple):
    """A picture to read codes in."""

    picture: np.ndarray  # uint8 (h, w)
    to_sheet: np.ndarray  # float64 (2, 3): from x and y in the picture to those on the sheet
    name: str  # what was done, in words


class Reading(NamedTuple):
    """What was read, before it is known on which object."""

    text: str
    symbology: str
    corners: np.ndarray  # float64 (4, 2) of x and y on the sheet, as the code is read, beginning at its top left
    read_by: str


def to_formats(symbologies: Sequence[str]) -> list[zxingcpp.BarcodeFormat]:
    """zxing-cpp's values for the names of symbologies. Raises UserError for an unknown name."""
    unknown = [name for name in symbologies if name not in FORMATS]
    if unknown:
        raise UserError(f'symbologies has "{unknown[0]}": use {", ".join(FORMATS)}.', 2)
    return [FORMATS[name] for name in symbologies]


def object_views(grey: np.ndarray, rectangle: Rectangle) -> Iterator[View]:
    """The pictures of an object, turned upright, one for each of `TRIES`.

    grey: the sheet, uint8 (H, W).
    """
    longer, shorter = sorted((rectangle.width, rectangle.height), reverse=True)
    around = 2 * (MARGIN * shorter + 4)
    done: set[tuple[tuple[int, int], float]] = set()
    stretch = None
    for way in TRIES:
        scale = way.enlarge * min(1.0, SIZE / longer) if way.enlarge > 1 else 1.0
        size = (round((rectangle.width + around) * scale), round((rectangle.height + around) * scale))
        if (size, way.sharpen) in done:
            continue
        corners = rectangle._replace(width=size[0] / scale, height=size[1] / scale).corners()
        picture, to_sheet = straight(grey, corners, size, cv2.INTER_LANCZOS4)
        name = f"object, {round(scale, 1):g}x"
        if not done:
            stretch = _stretch(picture)
        if stretch is not None:
            picture, name = cv2.LUT(picture, stretch), f"{name}, stretched"
        if way.sharpen:
            blurred = cv2.GaussianBlur(picture, (0, 0), way.blur * way.enlarge)
            picture, name = cv2.addWeighted(picture, 1 + way.sharpen, blurred, -way.sharpen, 0), f"{name}, sharpened"
        done.add((size, way.sharpen))
        yield View(picture, to_sheet, name)


def sheet_views(grey: np.ndarray) -> Iterator[View]:
    """Two pictures of the whole sheet, uint8 (H, W), the second twice as large, with at most MOST_PIXELS a side."""
    scale = 2.0
    while scale * max(grey.shape) > MOST_PIXELS:
        scale /= 2
    for scale in (scale / 2, scale):
        size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
        across, down = grey.shape[1] / size[0], grey.shape[0] / size[1]
        picture = grey if scale == 1 else cv2.resize(
            grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        yield View(picture, np.array([[across, 0.0, 0.0], [0.0, down, 0.0]]), f"whole sheet, {scale:g}x")


def read(grey: np.ndarray, view: View, formats: Sequence[zxingcpp.BarcodeFormat]) -> list[Reading]:
    """The codes in a picture of the sheet `grey`, uint8 (H, W); linear ones only if their bars are drawn so there."""
    readings: list[Reading] = []
    if not formats:  # zxing-cpp takes none for all
        return readings
    for found in zxingcpp.read_barcodes(view.picture, formats, try_invert=False, try_downscale=False):
        symbology = str(found.symbology if str(found.symbology) in FORMATS else found.format)  # "EAN/UPC" is several
        linear = symbology not in MATRIX
        corners = _corners(found.position, linear) @ view.to_sheet[:, :2].T + view.to_sheet[:, 2]
        if linear:
            corners = whole_bars(grey, corners)
        if found.text and (not linear or is_drawn_so(grey, corners, symbology, found.text)):
            readings.append(Reading(found.text, symbology, corners, view.name))
    return readings


def _corners(position: zxingcpp.Position, linear: bool) -> np.ndarray:
    """The corners of a code in its picture, float64 (4, 2), as it is read.

    linear: zxing-cpp gives the outermost pixels then, and the mirrored order when the code is upside down.
    """
    points = np.array([(point.x, point.y) for point in (
        position.top_left, position.top_right, position.bottom_right, position.bottom_left)]) + 0.5 * linear
    (right_x, right_y), (down_x, down_y) = points[1] - points[0], points[3] - points[0]
    return points if right_x * down_y >= right_y * down_x else points[::-1]


def _stretch(picture: np.ndarray) -> np.ndarray | None:
    """A table, uint8 (256,), that stretches the contrast of a faint uint8 picture; None: it has enough.

    It leaves room at both ends, because what sharpening would push beyond them is lost.
    """
    dark, light = np.percentile(picture, (2, 98))
    if light - dark >= FAINT:
        return None
    return np.interp(np.arange(256), (2 * dark - light, 2 * light - dark), (0, 255)).round().astype(np.uint8)
