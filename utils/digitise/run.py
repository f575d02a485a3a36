"""A folder of sheets: each is done once, here or on a cluster, and then the tables and the report are written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from utils.config import Settings
from utils.digitise.barcodes.names import text_of_name
from utils.digitise.barcodes.tries import to_formats
from utils.digitise.checks import exit_status
from utils.digitise.cluster import on_ray
from utils.digitise.package import REPORT, UNREADABLE, write_package
from utils.digitise.plan import Sheet, forgotten, plan_sheets, run_key
from utils.digitise.sheet import CROPS, Model, try_sheet
from utils.files.jobs import in_threads, warn
from utils.network.checkpoint import load_checkpoint
from utils.predicting.crops import require_distinct_crops
from utils.utils import UserError, remove_abandoned


def digitise_folder(s: Settings, make_model: Callable[[], Model]) -> int:
    """The exit status: 1 when a file was bad, 3 when a sheet needs attention, else 0.

    Args:
        s: the constants of digitise.py.
        make_model: makes the model; it can be pickled.

    Raises:
        UserError: a constant does not fit, there are no sheets, or two would have the same results; this is checked
            before any work. Or, at the end, a table or the report cannot be written.
    """
    output_dir, start = Path(s.output_dir), time.perf_counter()
    sheets = plan_sheets(Path(s.input_dir), output_dir, s.recursive)
    checkpoint = load_checkpoint(s.model_path)
    check(s, checkpoint.name_classes)
    require_distinct_crops(output_dir / CROPS, sheets, checkpoint.name_classes)
    remove_abandoned(output_dir, recursive=True)
    run = run_key(s)
    unreadable: dict[str, str] = {}  # name of a sheet -> what is wrong with its file, in a sentence
    for sheet, error in tqdm(ENGINES[s.engine](sheets, s, run, make_model), total=len(sheets), unit=" sheets"):
        if error:
            unreadable[sheet.name.as_posix()] = error
            warn(error)
    seconds = time.perf_counter() - start
    done = [sheet for sheet in sheets if sheet.name.as_posix() not in unreadable]
    attention = write_package(done, s, checkpoint.name_classes, checkpoint.colors, unreadable)
    bad = f", {len(unreadable)} could not be read (see {UNREADABLE})" if unreadable else ""
    print(f"{len(done)} sheets in {seconds:.1f} s ({len(done) / seconds:.1f} sheets/s) written to {output_dir}. "
          f"{attention} need attention{bad}.")
    if left := forgotten(sheets, output_dir):
        print(f"{left} sheets of earlier runs are no longer in {s.input_dir}. Their files stay in {output_dir}. The "
              "tables and the report leave them out.")
    if s.report:
        print(f"Open {output_dir / REPORT} to see which sheets need attention, and why.")
    return exit_status(len(unreadable), attention)


def check(s: Settings, name_classes: Sequence[str]) -> None:
    """Raises UserError when a constant does not fit. name_classes: those of the model, background first."""
    for name in ("required_classes", "whole_classes"):
        unknown = sorted(set(getattr(s, name)) - set(name_classes[1:]))
        if unknown:
            raise UserError(f"{name} has {', '.join(unknown)}, which the model does not find: it finds "
                            f"{', '.join(name_classes[1:])}.", 2)
    for name in ("review_below", "max_clipped"):
        if not 0 <= getattr(s, name) <= 1:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be from 0 to 1.", 2)
    to_formats(s.symbologies)
    if s.barcode_pattern:
        text_of_name("", s.barcode_pattern)


def _locally(
    sheets: Sequence[Sheet], s: Settings, run: str, make_model: Callable[[], Model]
) -> Iterator[tuple[Sheet, str | None]]:
    """Yields each sheet, in order, with what is wrong with its file, or None. Arguments: see `on_ray`."""
    model = make_model()
    yield from zip(sheets, in_threads(lambda sheet: try_sheet(model, sheet, s, run), sheets, s.num_workers))


ENGINES = {"local": _locally, "ray": on_ray}
