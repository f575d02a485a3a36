"""One sheet: what is found and measured on it, and the files that are written for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from utils.config import Settings
from utils.digitise.barcodes.dividing import divide_by_codes
from utils.digitise.barcodes.mask import correct_mask
from utils.digitise.barcodes.reading import place_codes, read_codes
from utils.digitise.barcodes.structure import weigh_barcodes
from utils.digitise.plan import Sheet, file_hash, is_done, sheet_key
from utils.digitise.reading.chart import measure_chart
from utils.digitise.reading.photograph import measure_photograph
from utils.digitise.reading.specimens import Detector, find_specimens
from utils.digitise.reading.upright import CLEAR, ObjectTurn, object_turn, sheet_turned
from utils.digitise.record import Code, SheetObject, SheetRecord, to_json
from utils.digitise.ruler.scale import measure_scale
from utils.digitise.writing.collage import Entry, write_collage
from utils.digitise.writing.labelme import write_sheet as write_labelme
from utils.digitise.writing.plant import paint_over, write_plant
from utils.digitise.writing.preview import write_preview
from utils.files.images import read_picture, to_uint8
from utils.files.jobs import describe_fault
from utils.files.masks import write_mask
from utils.files.metadata import Kept
from utils.files.tables import write_text
from utils.objects.confidence import Calibration
from utils.objects.regions import Region, find_regions
from utils.predicting.crops import Cut, as_jpeg, cut_out, is_turned, number_objects, write_crops
from utils.utils import UserError

CROPS, COLLAGES, MASKS, LABELME, PREVIEWS, PLANTS = "crops", "collages", "masks", "labelme", "previews", "plants"
SPECIMENS = "specimens"


class Model(Protocol):
    """What this module needs from a network for objects; `deeplab.Segmenter` has it."""

    name_classes: list[str]
    colors: list[tuple[int, int, int]]
    calibration: Calibration

    def segment_with_probability(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The class of each pixel, uint8 (H, W), of an image (H, W, 3), and its probability, float (h, w)."""
        ...


class Models(NamedTuple):
    """The networks that look at a sheet."""

    segmenter: Model                 # finds the objects
    detector: Detector | None = None  # finds the specimens; None: they are not looked for


class Found(NamedTuple):
    """Where the objects and barcodes of a sheet are."""

    mask: np.ndarray  # uint8 (H, W)
    probability: np.ndarray  # of each pixel's class, float (h, w), 0 to 1, over the whole sheet
    regions: list[Region]
    codes: list[Code]
    likeness: dict[int, float]  # of each barcode that was not read, by its number in `regions`, see `code_likeness`


class Analysed(NamedTuple):
    """What was found on a sheet."""

    record: SheetRecord
    mask: np.ndarray  # uint8 (H, W)
    cuts: list[Cut]  # each object, upright


def try_sheet(models: Models, sheet: Sheet, s: Settings, run: str) -> str | None:
    """What is wrong with the sheet, in a sentence, or None when it is done, now or by an earlier run.

    One odd sheet must not end a run of thousands, so an error that nobody foresaw becomes a sentence as well.

    Args:
        models: find objects and specimens.
        sheet: the file to read, and where its results go.
        s: the constants of digitise.py.
        run: see `run_key`.
    """
    try:
        key = sheet_key(sheet, run)
        if not (s.skip_done and is_done(sheet, key)):
            digitise_sheet(models, sheet, s, key)
    except UserError as error:
        return str(error)
    except Exception as error:
        return describe_fault(error, sheet.source, "digitised")
    return None


def digitise_sheet(models: Models, sheet: Sheet, s: Settings, key: str) -> SheetRecord:
    """The record of a sheet, after writing its files; the record's own file is the last.

    Args:
        models, sheet, s: as in `try_sheet`.
        key: see `sheet_key`.

    Raises:
        UserError: the sheet cannot be read, or a result cannot be written.
    """
    pixels, kept = read_picture(sheet.source)
    pixels = to_uint8(pixels)
    as_part = as_jpeg(kept)
    found = analyse(models, pixels, as_part.options.get("icc_profile"), s)
    record = dataclasses.replace(
        write_files(sheet, found, pixels, as_part, models, s),
        name=sheet.name.as_posix(), format=kept.format, sha256=file_hash(sheet.source), key=key)
    write_text(sheet.record, to_json(record))
    return record


def analyse(models: Models, pixels: np.ndarray, profile: bytes | None, s: Settings) -> Analysed:
    """What is on a sheet; its record does not say yet which file it was, and nothing is written.

    Args:
        models: find objects and specimens.
        pixels: the photograph, uint8 (H, W, 3) RGB.
        profile: the ICC profile of its file; None: there is none.
        s: the constants of digitise.py.
    """
    names = models.segmenter.name_classes
    barcode, label, chart, scale = (
        _index(names, name) for name in (s.barcode_class, s.label_class, s.chart_class, s.scale_class))
    mask, probability, regions, codes, likeness = find_objects(models.segmenter, pixels, s)
    texts = {number for number, region in enumerate(regions) if region.index in (barcode, label)}
    turns = {number: _which_way_is_up(pixels, regions[number], [code for code in codes if code.object == number])
             for number in texts}
    turned = sheet_turned([(turn.likely, turn.clear, regions[number].area) for number, turn in turns.items()])
    quarters = [_quarter_turns(turns[number], turned) if number in texts else 0 for number in range(len(regions))]
    photograph = measure_photograph(pixels, mask, probability, len(names), profile)
    record = SheetRecord(
        "", pixels.shape[:2], "", "",
        objects=tuple(
            SheetObject(region, tuple(i for i, code in enumerate(codes) if code.object == number), turn=turn,
                        likeness=likeness.get(number))
            for number, (region, turn) in enumerate(zip(regions, quarters))),
        specimens=specimens_of(models, pixels, s),
        codes=tuple(codes),
        scale=measure_scale(pixels, regions, scale, chart) if s.scale and scale is not None else None,
        charts=tuple(measure_chart(pixels, region, number, profile) for number, region in enumerate(regions)
                     if s.charts and region.index == chart),
        photograph=dataclasses.replace(photograph, turned=turned),
    )
    return Analysed(record, mask, [cut_out(pixels, region, turn=turn) for region, turn in zip(regions, quarters)])


def specimens_of(models: Models, pixels: np.ndarray, s: Settings) -> tuple[SheetObject, ...] | None:
    """The specimens of a sheet; None without a detector. Arguments: see `analyse`."""
    if models.detector is None:
        return None
    return find_specimens(models.detector, pixels, s.specimen_class, len(models.segmenter.name_classes))


def find_objects(model: Model, pixels: np.ndarray, s: Settings) -> Found:
    """The objects of a sheet and its barcodes, nothing measured.

    model: finds the objects; else as in `analyse`.
    """
    names = model.name_classes
    barcode, label = _index(names, s.barcode_class), _index(names, s.label_class)
    mask, probability = model.segment_with_probability(pixels)
    find = partial(find_regions, name_classes=names, probability=probability, calibration=model.calibration)
    regions = find(mask)
    codes = read_codes(pixels, regions, barcode, s.symbologies) if s.barcodes else []
    if s.correct_by_barcode and barcode is not None:
        corrected = divide_by_codes(correct_mask(mask, codes, regions, barcode, label), codes, barcode)
        if corrected is not mask:
            mask, regions = corrected, find(corrected)
            codes = place_codes(codes, regions)
    regions, likeness = weigh_barcodes(pixels, regions, codes, barcode) if s.barcodes else (regions, {})
    return Found(mask, probability, regions, codes, likeness)


def _index(names: Sequence[str], name: str) -> int | None:
    """The number of a class, or None when the model has no such class."""
    return names.index(name) if name in names else None


def _which_way_is_up(pixels: np.ndarray, region: Region, codes: Sequence[Code]) -> ObjectTurn:
    """Which way is up on a label or barcode.

    pixels: the photograph; codes: those on the object.
    """
    angle = region.rectangle.angle if is_turned(region) else 0.0
    return object_turn(cut_out(pixels, region).pixels, codes, angle)


def _quarter_turns(turn: ObjectTurn, turned: int) -> int:
    """The quarter turns clockwise to cut an object out with: its own if they are clear, else those of the sheet.

    turned: degrees clockwise by which the sheet lies turned.
    """
    return turn.turn if turn.clear >= CLEAR or not turned else -turned // 90 % 4


def write_files(
    sheet: Sheet, found: Analysed, pixels: np.ndarray, kept: Kept, models: Models, s: Settings
) -> SheetRecord:
    """The sheet's record with the names of its files, after writing them.

    Args:
        sheet: where they go.
        found: what was found.
        pixels: the photograph, uint8 (H, W, 3) RGB; it may be painted over.
        kept: metadata of its file, for JPEGs.
        models: have the names and colours of the classes.
        s: the constants of digitise.py; they say which files are wanted.

    Raises:
        UserError: a file cannot be written.
    """
    record, model = found.record, models.segmenter
    specimens, files, crops = record.specimens, [], [""] * len(found.cuts)

    def relative(path: Path) -> str:
        return path.relative_to(sheet.output_dir).as_posix()

    def wanted(folder: str, suffix: str) -> Path:
        files.append(sheet.path(folder, suffix))
        return files[-1]

    if s.crops:
        files += write_crops(sheet.output_dir / CROPS, sheet.name, found.cuts, kept, model.name_classes)
        crops = [relative(path) for path in files]
    if s.collages:
        entries = [Entry(*entry) for entry in zip(found.cuts, number_objects(found.cuts), crops)
                   if entry[0].name in (s.barcode_class, s.label_class)]
        files += write_collage(sheet.path(COLLAGES, ".jpg"), sheet.name, record.size, entries, kept)
    if s.masks:
        write_mask(wanted(MASKS, ".png"), found.mask, model.colors)
    if s.labelme:
        names = [*model.name_classes, s.specimen_class]
        write_labelme(wanted(LABELME, ".json"), found.mask, record.objects, specimens or (), names, sheet.source)
    if s.report:
        write_preview(wanted(PREVIEWS, ".jpg"), pixels)
    cut_specimens = s.specimens and specimens is not None
    if s.plants or cut_specimens:
        paint_over(pixels, found.mask, in_place=True)
    if s.plants:
        write_plant(wanted(PLANTS, ".jpg"), pixels, kept)
    if cut_specimens:
        cuts = [cut_out(pixels, item.region) for item in specimens]
        paths = write_crops(
            sheet.output_dir / SPECIMENS, sheet.name, cuts, kept, ("", s.specimen_class), write_plant)
        specimens = with_crops(specimens, map(relative, paths))
        files += paths
    return dataclasses.replace(
        record, objects=with_crops(record.objects, crops), specimens=specimens, files=tuple(map(relative, files)))


def with_crops(objects: Sequence[SheetObject], crops: Iterable[str]) -> tuple[SheetObject, ...]:
    """The objects with the paths of their crops in the output folder."""
    return tuple(dataclasses.replace(item, crop=crop) for item, crop in zip(objects, crops))
