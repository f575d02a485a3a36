"""A folder of sheets: each is done once, here or on a cluster, and then the tables and the report are written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from utils.config import Settings
from utils.detection.checkpoint import DetectionCheckpoint
from utils.digitise.barcodes.names import text_of_name
from utils.digitise.barcodes.tries import to_formats
from utils.digitise.checks import exit_status
from utils.digitise.cluster import on_ray
from utils.digitise.package import REPORT, UNREADABLE, write_package
from utils.digitise.plan import Sheet, forgotten, plan_sheets, run_key
from utils.digitise.reading.specimens import Detector, all_classes, is_wanted
from utils.digitise.sheet import CROPS, Model, Models, try_sheet
from utils.files.jobs import in_threads, warn
from utils.network.checkpoint import load_checkpoint
from utils.predicting.crops import require_distinct_crops
from utils.utils import UserError, remove_abandoned


def digitise_folder(
    s: Settings, make_segmenter: Callable[[], Model], make_detector: Callable[[], Detector] | None = None
) -> int:
    """The exit status: 1 when a file was bad, 3 when a sheet needs attention, else 0.

    Args:
        s: the constants of digitise.py.
        make_segmenter: makes the network that finds the objects; it can be pickled.
        make_detector: the same for the network that finds the specimens, whose file is `detector_path`; None: they are
            not looked for.

    Raises:
        UserError: a constant does not fit, there are no sheets, or two would have the same results; this is checked
            before any work. Or, at the end, a table or the report cannot be written.
    """
    output_dir, start = Path(s.output_dir), time.perf_counter()
    sheets = plan_sheets(Path(s.input_dir), output_dir, s.recursive)
    segmenter, detector, weights = load_checkpoint(s.model_path), None, [s.model_path]
    if make_detector and is_wanted(s.detector_path):
        detector = load_checkpoint(s.detector_path, DetectionCheckpoint)
        weights.append(s.detector_path)
    name_classes, colors = all_classes(segmenter, detector, s.specimen_class)
    s = checked(s, segmenter.name_classes, detector is not None)
    require_distinct_crops(output_dir / CROPS, sheets, segmenter.name_classes)
    remove_abandoned(output_dir, recursive=True)
    run = run_key(s, weights)
    make_models = partial(_make_models, make_segmenter, make_detector if detector else None)
    unreadable: dict[str, str] = {}  # name of a sheet -> what is wrong with its file, in a sentence
    for sheet, error in tqdm(ENGINES[s.engine](sheets, s, run, make_models), total=len(sheets), unit=" sheets"):
        if error:
            unreadable[sheet.name.as_posix()] = error
            warn(error)
    seconds = time.perf_counter() - start
    done = [sheet for sheet in sheets if sheet.name.as_posix() not in unreadable]
    attention = write_package(done, s, name_classes, colors, unreadable)
    bad = f", {len(unreadable)} could not be read (see {UNREADABLE})" if unreadable else ""
    print(f"{len(done)} sheets in {seconds:.1f} s ({len(done) / seconds:.1f} sheets/s) written to {output_dir}. "
          f"{attention} need attention{bad}.")
    if left := forgotten(sheets, output_dir):
        print(f"{left} sheets of earlier runs are no longer in {s.input_dir}. Their files stay in {output_dir}. The "
              "tables and the report leave them out.")
    if s.report:
        print(f"Open {output_dir / REPORT} to see which sheets need attention, and why.")
    return exit_status(len(unreadable), attention)


def checked(s: Settings, name_classes: Sequence[str], specimens: bool) -> Settings:
    """The constants, without specimens among the required classes if nobody looks for them.

    Args:
        s: constants of digitise.py.
        name_classes: those of the masks, background first.
        specimens: whether they are looked for.

    Raises:
        UserError: a constant does not fit.
    """
    for name, others in (("required_classes", {s.specimen_class}), ("whole_classes", set())):
        unknown = sorted(set(getattr(s, name)) - set(name_classes[1:]) - others)
        if unknown:
            raise UserError(f"{name} has {', '.join(unknown)}, which the model does not find: it finds "
                            f"{', '.join(name_classes[1:])}.", 2)
    for name in ("review_below", "max_clipped"):
        if not 0 <= getattr(s, name) <= 1:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be from 0 to 1.", 2)
    to_formats(s.symbologies)
    if s.barcode_pattern:
        text_of_name("", s.barcode_pattern)
    required = tuple(name for name in s.required_classes if specimens or name in name_classes)
    return Settings(**{**s.to_dict(), "required_classes": required})


def _make_models(make_segmenter: Callable[[], Model], make_detector: Callable[[], Detector] | None) -> Models:
    return Models(make_segmenter(), make_detector() if make_detector else None)


def _locally(
    sheets: Sequence[Sheet], s: Settings, run: str, make_models: Callable[[], Models]
) -> Iterator[tuple[Sheet, str | None]]:
    """Yields each sheet, in order, with what is wrong with its file, or None. Arguments: see `on_ray`."""
    models = make_models()
    yield from zip(sheets, in_threads(lambda sheet: try_sheet(models, sheet, s, run), sheets, s.num_workers))


ENGINES = {"local": _locally, "ray": on_ray}
