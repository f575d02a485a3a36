"""A folder of sheets: each is examined once, all are compared, and the table and the page are written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from utils.config import Settings
from utils.digitise.checks import exit_status
from utils.digitise.plan import Sheet, plan_sheets
from utils.files.jobs import in_threads, warn
from utils.files.tables import csv_file
from utils.mistakes.comparing.findings import DUPLICATE, KINDS, NAME, UNUSUAL, Finding, find
from utils.mistakes.page import Batch, write_mistakes
from utils.mistakes.reading.features import Describer
from utils.mistakes.reading.names import find_taxa, source
from utils.mistakes.reading.sheet import Examined, Model, run_key, try_sheet
from utils.predicting.tables import JOINT
from utils.utils import UserError, remove_abandoned

TABLE, PAGE = "mistakes.csv", "mistakes.html"
COLUMNS = ("file", "taxon", "kind", "score", "suggested_taxon", "neighbours")


def find_mistakes(s: Settings, make_model: Callable[[], Model], make_describer: Callable[[], Describer]) -> int:
    """The exit status: 1 when a file was bad, 3 when a sheet needs attention, else 0.

    Args:
        s: the constants of find_mistakes.py.
        make_model: makes what finds the objects of a sheet.
        make_describer: makes what describes a plant.

    Raises:
        UserError: a constant does not fit, or there are no sheets; this is checked before any work. Or, at the end, a
            result cannot be written.
    """
    start, output_dir = time.perf_counter(), Path(s.output_dir)
    check(s)
    sheets = plan_sheets(Path(s.input_dir), output_dir, s.recursive or s.taxon_folders)
    taxa = find_taxa([sheet.name for sheet in sheets], s)
    remove_abandoned(output_dir, recursive=True)
    run, model, describe = run_key(s), make_model(), make_describer()
    done: list[tuple[Sheet, str, Examined]] = []
    unreadable: dict[str, str] = {}  # name of a sheet -> what is wrong with its file, in a sentence
    results = in_threads(lambda sheet: try_sheet(model, describe, sheet, run), sheets, s.num_workers)
    for sheet, taxon, result in zip(sheets, taxa, tqdm(results, total=len(sheets), unit=" sheets")):
        if isinstance(result, str):
            unreadable[sheet.name.as_posix()] = result
            warn(result)
        else:
            done.append((sheet, taxon, result))
    kept, taxa, examined = zip(*done) if done else ((), (), ())
    names = [sheet.name.as_posix() for sheet in kept]
    found = find(names, taxa, examined, s)
    write_table(output_dir / TABLE, names, taxa, found)
    attention = len({finding.sheet for finding in found})
    write_mistakes(output_dir / PAGE, Batch(kept, taxa, found, unreadable), s, model.name_classes, model.colors)
    counts = {kind: sum(finding.kind == kind for finding in found) for kind in KINDS}
    bad = f" {len(unreadable)} files could not be read." if unreadable else ""
    seconds, taxon_count = time.perf_counter() - start, len(set(taxa) - {""})
    print(f"{len(done)} sheets of {taxon_count} taxa in {seconds:.1f} s. {attention} need attention: {counts[NAME]} "
          f"names look wrong, {counts[DUPLICATE]} sheets are there twice, {counts[UNUSUAL]} look like no other.{bad}")
    print(f"Open {output_dir / PAGE} to see them; {output_dir / TABLE} lists them.")
    return exit_status(len(unreadable), attention)


def check(s: Settings) -> None:
    """Raises UserError when a constant does not fit."""
    source(s)
    for name in ("neighbours", "shown_neighbours", "num_workers"):
        if getattr(s, name) < 1:
            raise UserError(f"{name} is {getattr(s, name)}: it has to be at least 1.", 2)
    if not 0 <= s.min_score <= 1:
        raise UserError(f"min_score is {s.min_score}: it has to be from 0 to 1.", 2)


def write_table(path: Path, names: Sequence[str], taxa: Sequence[str], found: Sequence[Finding]) -> None:
    """Writes mistakes.csv, a row per finding. Raises UserError when that cannot be.

    Args:
        path: the file.
        names, taxa: of all sheets.
        found: in the order of the rows.
    """
    with csv_file(path, COLUMNS) as write_row:
        for finding in found:
            neighbours = (names[other] + (f" ({taxa[other]})" if taxa[other] else "") for other in finding.others)
            write_row([names[finding.sheet], taxa[finding.sheet], finding.kind, round(finding.score, 3),
                       finding.suggested, JOINT.join(neighbours)])
