"""media.csv, sap.csv and roi.csv: Audiovisual Core, as in TDWG's recipes for regions of interest.

Terms: http://rs.tdwg.org/ac/terms/, recipes: roi-recipes.md in https://github.com/tdwg/ac. A sheet and each of its
crops are media items, and sap.csv says how to get their files. Each object is a region of interest of its sheet. A
region is an upright rectangle: the standard has no polygons and no turned rectangles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from utils.digitise.record import SheetRecord
from utils.predicting.tables import Table

STILL_IMAGE = "http://purl.org/dc/dcmitype/StillImage"
CROP_FORMAT = "JPEG"  # all crops have it, see utils.predicting.crops
PARTS = 20  # of a pixel that a fraction tells apart; the recipes' 5 decimals are that for up to 5000 pixels


def media_table(media_url: str, rights: str) -> Table:
    """A row per sheet and a row per crop.

    media_url: address that is put in front of a file's path, or "".
    rights: for dc:rights of all of them, such as "CC0 1.0".
    """
    def rows(record: SheetRecord) -> Iterator[Sequence[Any]]:
        sheet = identifier(media_url, record.name)
        yield [sheet, PurePosixPath(record.name).stem, STILL_IMAGE, rights, "", ""]
        for item in record.all_objects:
            if item.crop:
                title = PurePosixPath(item.crop).stem
                yield [identifier(media_url, item.crop), title, STILL_IMAGE, rights, sheet, item.region.name]

    return Table(["dcterms:identifier", "dcterms:title", "dcterms:type", "dc:rights", "ac:derivedFrom",
                  "dcterms:description"], rows)


def sap_table(media_url: str) -> Table:
    """A row per file, sheet or crop ("service access point"). ac:accessURI is empty without `media_url`.

    The size and the hash of a crop are left empty: the record does not hold them.
    """
    def row(path: str, image_format: str, width: Any, height: Any, *hashed: str) -> Sequence[Any]:
        media = identifier(media_url, path)
        return [media, "Best Quality", f"image/{image_format.lower()}", width, height, media if media_url else "",
                *hashed]

    def rows(record: SheetRecord) -> Iterator[Sequence[Any]]:
        height, width = record.size
        yield row(record.name, record.format, width, height, "SHA-256", record.sha256)
        for item in record.all_objects:
            if item.crop:
                yield row(item.crop, CROP_FORMAT, "", "", "", "")

    return Table(["dcterms:identifier", "ac:variantLiteral", "dc:format", "exif:PixelXDimension",
                  "exif:PixelYDimension", "ac:accessURI", "ac:hashFunction", "ac:hashValue"], rows)


def roi_table(media_url: str) -> Table:
    """A row per object and specimen: the box as fractions of the sheet's width and height."""
    def rows(record: SheetRecord) -> Iterator[Sequence[Any]]:
        sheet, (height, width) = identifier(media_url, record.name), record.size
        for number, item in enumerate(record.all_objects, 1):
            region = item.region
            left, across = fractions(region.left, region.width, width)
            top, down = fractions(region.top, region.height, height)
            yield [f"{sheet}#roi{number}", sheet, left, top, across, down, region.name]

    return Table(["dcterms:identifier", "ac:isROIOf", "ac:xFrac", "ac:yFrac", "ac:widthFrac", "ac:heightFrac",
                  "dcterms:description"], rows)


def identifier(media_url: str, path: str) -> str:
    """The identifier of a file, which is its address when `media_url` is given: %20 stands for a space, and so on."""
    return media_url + quote(path, errors="surrogateescape")


def fractions(start: int, length: int, size: int) -> tuple[str, str]:
    """Where a stretch of pixels starts and how long it is, as decimal fractions of `size`.

    Multiplied by `size` and rounded they give the pixels back. Both ends are rounded, and the length is what is
    between, so that start and length together are never more than 1.
    """
    decimals = len(str(PARTS * size - 1))
    scale = 10 ** decimals
    first, last = (round(position * scale / size) for position in (start, start + length))
    return _decimal(first, decimals), _decimal(last - first, decimals)


def _decimal(number: int, decimals: int) -> str:
    """`number` divided by 10 ** decimals, exactly."""
    digits = f"{number:0{decimals + 1}d}"
    return f"{digits[:-decimals]}.{digits[-decimals:]}"
