"""What is wrong with one sheet, in words for the technician."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath

from utils.config import Settings
from utils.detection.boxes import SPECIMEN
from utils.digitise.barcodes.names import matches_name, text_of_name
from utils.digitise.barcodes.structure import LEAST
from utils.digitise.reading.photograph import badly_exposed, blurred, not_a_sheet
from utils.digitise.record import ChartColours, Problem, SheetObject, SheetRecord
from utils.objects.regions import Region
from utils.utils import NAME_CLASSES, printable

LONGEST = 60  # letters of a barcode or file name that a sentence shows
HUES = ("red", "orange", "yellow", "green", "green", "blue-green", "blue", "purple")  # of CIELAB, from 0 by 45 degrees
SIDES = ("top", "left", "bottom", "right")


def missing_kind(name: str) -> str:
    """The kind of problem that a sheet without an object of this class has, such as "no_color_chart"."""
    return f"no_{name.lower().replace(' ', '_')}"


KINDS: dict[str, str] = {  # kind of a problem -> its title in the report
    "not_a_sheet": "Not a sheet",
    **{missing_kind(name): f"No {name.lower()}" for name in (*NAME_CLASSES[1:], SPECIMEN)},
    "cut": "Cut by the border",
    "blurred": "Blurred",
    "exposure": "Exposure",
    "turned": "Turned",
    "barcode_mismatch": "Barcode and file name differ",
    "barcode_unread": "Barcode not read",
    "no_bars": "Barcode without bars",
    "file_name": "File name",
    "unsure": "Low confidence",
    "clipped": "Chart clipped",
    "cast": "Colour cast",
    "duplicate_file": "Same file twice",
    "duplicate_barcode": "Same barcode twice",
    "drift": "Colours differ from the batch",
    "unusual_photograph": "Unusual size of the photograph",
    "unusual_count": "Unusual number of objects",
    "unusual_size": "Unusual size of an object",
    "unusual_place": "Unusual place of an object",
}
MINOR = {  # kinds that rarely need a new photograph
    "turned", "barcode_unread", "no_bars", "file_name", "unsure", "clipped", "cast", "drift",
    "unusual_photograph", "unusual_count", "unusual_size", "unusual_place",
}


def check_sheet(
    record: SheetRecord, limits: Settings, usual: Collection[tuple[str, str]] = ()
) -> tuple[Problem, ...]:
    """What is wrong with the sheet, apart from what only the batch shows.

    usual: (class, side) of objects that lie at this border on other sheets as well, so that they are not cut off.
    """
    return (
        *_photograph(record), *_missing(record, limits), *_cut(record, limits, usual), *_barcodes(record, limits),
        *_unsure(record, limits), *_charts(record, limits),
    )


def severity(problems: Sequence[Problem]) -> int:
    """A number to sort sheets by, the worst highest: 1 for each problem of a kind in MINOR, 3 for each other."""
    return sum(1 if one.kind in MINOR else 3 for one in problems)


def exit_status(unreadable: int, with_problems: int) -> int:
    """What digitise.py ends with: 1 when files were unreadable, 3 when sheets need attention, else 0."""
    return 1 if unreadable else 3 if with_problems else 0


def mention(name: str, centres: Sequence[tuple[float, float]], total: int) -> str:
    """The objects in words: "the label", "the label at the top left" or "3 labels".

    Args:
        name: their class.
        centres: x and y of each, as shares of the sheet.
        total: objects of this class on the sheet.
    """
    if len(centres) > 1:
        return f"{len(centres)} {name.lower()}s"
    return f"the {name.lower()}" + (f" {place(*centres[0])}" if total > 1 else "")


def problem(kind: str, text: str) -> Problem:
    """A problem whose text begins with a capital letter."""
    return Problem(kind, text[:1].upper() + text[1:])


def place(x: float, y: float) -> str:
    """Where a point is on the sheet, in words. x, y: as shares of the sheet."""
    column, row = (min(int(3 * value), 2) for value in (x, y))
    words = [("top", "", "bottom")[row], ("left", "", "right")[column]]
    return "at the " + " ".join(filter(None, words)) if any(words) else "in the middle"


def sides(region: Region, size: tuple[int, int]) -> tuple[str, ...]:
    """The sides of the photograph that a region reaches, of SIDES. size: height and width of the sheet."""
    reached = (region.top == 0, region.left == 0,
               region.top + region.height == size[0], region.left + region.width == size[1])
    return tuple(side for side, there in zip(SIDES, reached) if there)


def quoted(text: str) -> str:
    """A barcode or a file name as a sentence shows it: one line, not too long."""
    text = printable(text)
    return text if len(text) <= LONGEST else text[:LONGEST - 3] + "..."


def _photograph(record: SheetRecord) -> Iterator[Problem]:
    """What is wrong with the photograph as a whole."""
    photograph = record.photograph
    if photograph is None:
        return
    if reason := not_a_sheet(photograph):
        yield Problem("not_a_sheet", f"This may be no herbarium sheet: {reason}.")
    if blurred(photograph):
        yield Problem("blurred", f"The photograph is blurred: its sharpness is {photograph.sharpness:.2f}.")
    if fault := badly_exposed(photograph):
        yield Problem("exposure", f"The photograph is {fault}.")
    if photograph.turned:
        yield Problem("turned", f"The sheet is turned by {photograph.turned} degrees clockwise.")


def _missing(record: SheetRecord, limits: Settings) -> Iterator[Problem]:
    """Classes without an object. A barcode that was read is there, even if the network did not see it."""
    there = {item.region.name for item in record.all_objects} | ({limits.barcode_class} if record.codes else set())
    for name in limits.required_classes:
        if name not in there:
            yield Problem(missing_kind(name), f"No {name.lower()} was found.")


def _cut(record: SheetRecord, limits: Settings, usual: Collection[tuple[str, str]]) -> Iterator[Problem]:
    """Objects at the border of the photograph.

    Many photographs end at the edge of the sheet, with labels and rulers along it. So an object is taken to be whole
    when its barcode was read or its ruler measured, or when it lies there on other sheets as well.
    """
    for name, found in _by_class(record).items():
        if name in limits.whole_classes:
            cut = [item.region for number, item in found if not _proved_whole(record, number, item) and any(
                (name, side) not in usual for side in sides(item.region, record.size))]
            if cut:
                verb = "is" if len(cut) == 1 else "are"
                yield problem("cut", f"{_mention(record, cut)} {verb} cut off by the border of the photograph.")


def _barcodes(record: SheetRecord, limits: Settings) -> Iterator[Problem]:
    """Barcodes that were not read or do not fit the file name."""
    count = len(_by_class(record).get(limits.barcode_class, ()))
    if limits.barcodes and count and not record.codes:
        yield Problem("barcode_unread", "The barcode could not be read." if count == 1 else
                      f"None of the {count} barcodes could be read.")
    if not limits.barcode_pattern:
        return
    stem, texts = PurePosixPath(record.name).stem, list(dict.fromkeys(code.text for code in record.codes))
    if text_of_name(stem, limits.barcode_pattern) is None:
        yield Problem("file_name", f"The file name {quoted(stem)} does not fit barcode_pattern.")
    elif texts and not any(matches_name(text, stem, limits.barcode_pattern) for text in texts):
        yield Problem("barcode_mismatch", (
            f"The barcode says {quoted(texts[0])}, the file name {quoted(stem)}." if len(texts) == 1 else
            f"None of the {len(texts)} barcodes fits the file name {quoted(stem)}; the first says {quoted(texts[0])}."))


def _unsure(record: SheetRecord, limits: Settings) -> Iterator[Problem]:
    """Objects that the network is not sure of, and those called barcodes that do not look like one."""
    for found in _by_class(record).values():
        doubtful = [item.region for _, item in found if item.likeness is not None and item.likeness < LEAST]
        if doubtful:
            verb, this = ("shows", "it") if len(doubtful) == 1 else ("show", "they")
            yield problem("no_bars", f"{_mention(record, doubtful)} {verb} no bars or modules: {this} may be no code.")
        unsure = [item.region for _, item in found
                  if item.region.confidence < limits.review_below and item.region not in doubtful]
        if unsure:
            lowest, highest = (round(100 * pick(region.confidence for region in unsure)) for pick in (min, max))
            share = f"{lowest}%" if lowest == highest else f"{lowest}% to {highest}%"
            yield Problem("unsure", f"The network is only {share} sure of {_mention(record, unsure)}.")


def _charts(record: SheetRecord, limits: Settings) -> Iterator[Problem]:
    """Charts that are clipped or have a cast."""
    for chart in record.charts:
        name = _mention(record, [record.objects[chart.object].region])
        for share, word in ((chart.clipped_light, "overexposed"), (chart.clipped_dark, "underexposed")):
            if share > limits.max_clipped:
                yield Problem("clipped", f"{100 * share:.0f}% of {name} is {word}: colours are lost there.")
        distance = math.hypot(*chart.cast) if chart.cast else 0.0
        if distance > limits.max_cast:
            yield problem("cast", f"{name} has a {_hue(chart)} cast: its grey patches are {distance:.1f} from neutral "
                                  f"(CIELAB); at most {limits.max_cast:g} is allowed.")


def _hue(chart: ChartColours) -> str:
    angle = math.degrees(math.atan2(chart.cast[1], chart.cast[0]))
    return HUES[round(angle / 45) % 8]


def _by_class(record: SheetRecord) -> dict[str, list[tuple[int, SheetObject]]]:
    """The objects of each class that has any, with their numbers."""
    found: dict[str, list[tuple[int, SheetObject]]] = {}
    for number, item in enumerate(record.objects):
        found.setdefault(item.region.name, []).append((number, item))
    return found


def _proved_whole(record: SheetRecord, number: int, item: SheetObject) -> bool:
    return bool(item.codes) or record.scale is not None and record.scale.object == number


def _mention(record: SheetRecord, regions: Sequence[Region]) -> str:
    height, width = record.size
    total = sum(item.region.name == regions[0].name for item in record.objects)
    return mention(regions[0].name, [(r.centroid[1] / width, r.centroid[0] / height) for r in regions], total)
