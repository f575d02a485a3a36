"""media.csv, sap.csv and roi.csv, and their fractions."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from helpers import csv_rows
from records import record
from utils.digitise.record import SheetRecord
from utils.digitise.writing.audiovisual import fractions, identifier
from utils.digitise.writing.tables import TableOptions, open_tables
from utils.utils import NAME_CLASSES


def written(folder: Path, sheet: SheetRecord, **options: str) -> dict[str, list[list[str]]]:
    names = ("media.csv", "sap.csv", "roi.csv")
    with open_tables(folder, names, TableOptions(NAME_CLASSES, **options)) as write:
        write(sheet)
    return {name: csv_rows(folder / name) for name in names}


def test_the_fractions_of_tdwgs_recipe():
    """https://github.com/tdwg/ac/blob/master/roi-recipes.md: "mine" on an image of 2526 x 2112."""
    assert fractions(731, 229, 2526) == ("0.28939", "0.09066")
    assert fractions(500, 557, 2112) == ("0.23674", "0.26373")
    assert fractions(0, 2526, 2526) == ("0.00000", "1.00000")


@pytest.mark.parametrize("size", [1, 7, 3744, 5616, 11000])
def test_fractions_recover_every_pixel_and_stay_within_the_sheet(size):
    generator = np.random.default_rng(size)
    for start in range(size):
        for length in {1, int(generator.integers(1, size - start + 1)), size - start}:
            first, share = map(float, fractions(start, length, size))
            assert (round(first * size), round(share * size)) == (start, length)
            assert first + share <= 1 and share > 0


def test_the_three_tables(tmp_path):
    sheet = record("a/K 1.tif", (5616, 3744), sha256="ab" * 32, Barcode=(374, 5000, 3370, 616))
    first = dataclasses.replace(sheet.objects[0], crop="crops/a/K 1_Barcode_1.jpg")
    sheet = dataclasses.replace(sheet, format="TIFF", objects=(first, *sheet.objects[1:]))
    address = "https://example.org/h/"
    tables = written(tmp_path, sheet, media_url=address, rights="CC0 1.0")
    media, crop = address + "a/K%201.tif", address + "crops/a/K%201_Barcode_1.jpg"
    still = "http://purl.org/dc/dcmitype/StillImage"
    assert tables["media.csv"] == [
        ["dcterms:identifier", "dcterms:title", "dcterms:type", "dc:rights", "ac:derivedFrom", "dcterms:description"],
        [media, "K 1", still, "CC0 1.0", "", ""],
        [crop, "K 1_Barcode_1", still, "CC0 1.0", media, "Barcode"],
    ]
    assert tables["sap.csv"] == [
        ["dcterms:identifier", "ac:variantLiteral", "dc:format", "exif:PixelXDimension", "exif:PixelYDimension",
         "ac:accessURI", "ac:hashFunction", "ac:hashValue"],
        [media, "Best Quality", "image/tiff", "3744", "5616", media, "SHA-256", "ab" * 32],
        [crop, "Best Quality", "image/jpeg", "", "", crop, "", ""],
    ]
    assert tables["roi.csv"][:2] == [
        ["dcterms:identifier", "ac:isROIOf", "ac:xFrac", "ac:yFrac", "ac:widthFrac", "ac:heightFrac",
         "dcterms:description"],
        [f"{media}#roi1", media, "0.09989", "0.890313", "0.90011", "0.109687", "Barcode"],  # by a pocket calculator
    ]
    assert [row[-1] for row in tables["roi.csv"][1:]] == ["Barcode", "Label", "Color chart", "Scale"]


def test_without_an_address_the_path_is_the_identifier(tmp_path):
    tables = written(tmp_path, record())
    assert [row[0] for row in tables["media.csv"][1:]] == ["K0001.jpg"]
    assert [row[5] for row in tables["sap.csv"][1:]] == [""]
    assert [row[0] for row in tables["roi.csv"][1:]] == [f"K0001.jpg#roi{number}" for number in (1, 2, 3, 4)]


def test_identifiers_hold_only_what_an_address_may():
    assert identifier("", 'ä#?%"<b>\n=K\udcff.jpg') == "%C3%A4%23%3F%25%22%3Cb%3E%0A%3DK%FF.jpg"
