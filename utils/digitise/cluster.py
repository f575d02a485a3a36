"""Digitises sheets on a Ray cluster, or in several processes of this computer: https://docs.ray.io/en/latest/data."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from utils.config import Settings
from utils.digitise.plan import Sheet
from utils.digitise.sheet import Models, try_sheet
from utils.memory import keep_freed_memory
from utils.utils import UserError

ROOT = Path(__file__).parents[2]
BLOCKS = 1000  # most parts that the sheets are divided into; a killed worker's part is done again


class Worker:
    """One process of the cluster, which loads the networks once."""

    def __init__(self, make_models: Callable[[], Models], s: Settings, run: str) -> None:
        keep_freed_memory()
        self.models, self.s, self.run = make_models(), s, run

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row of one sheet with what is wrong with its file, or ""."""
        sheet = Sheet(Path(row["source"]), Path(row["name"]), Path(row["output_dir"]))
        return {"number": row["number"], "error": try_sheet(self.models, sheet, self.s, self.run) or ""}


def on_ray(
    sheets: Sequence[Sheet], s: Settings, run: str, make_models: Callable[[], Models]
) -> Iterator[tuple[Sheet, str | None]]:
    """Yields each sheet, as it is finished, with what is wrong with its file, or None.

    The workers read and write the sheets themselves, so all computers need the same folders under the same paths. Ray
    starts a killed worker again and does its part of the sheets again.

    Args:
        sheets, s, run: see `try_sheet`.
        make_models: makes the networks, once in each worker; it can be pickled.

    Raises:
        UserError: Ray is not installed, or there is no cluster at `ray_address`.
    """
    try:
        import ray
    except ImportError:
        raise UserError('engine is "ray", which is not installed: pip install -r requirements-extras.txt.', 2) from None
    try:
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        ray.init(s.ray_address or "local", log_to_driver=False, logging_level=logging.ERROR,
                 runtime_env={"env_vars": {"PYTHONPATH": path}})
        logging.getLogger("ray.data").setLevel(logging.ERROR)
    except (ConnectionError, ray.exceptions.RayError) as error:
        raise UserError(f'ray_address is "{s.ray_address}", where no Ray cluster answers ({error}).', 2) from error
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False  # ours counts sheets
        rows = [{"number": number, "source": str(sheet.source.resolve()), "name": str(sheet.name),
                 "output_dir": str(sheet.output_dir.resolve())} for number, sheet in enumerate(sheets)]
        data = ray.data.from_items(rows, override_num_blocks=min(len(rows), BLOCKS)).map(
            Worker, fn_constructor_args=(make_models, s, run),
            compute=ray.data.ActorPoolStrategy(size=min(s.num_workers, len(rows))),
            num_gpus=1 if ray.cluster_resources().get("GPU") else 0,
        )
        for row in data.iter_rows():
            yield sheets[row["number"]], row["error"] or None
    except ray.exceptions.RayError as error:
        raise UserError(f"Ray stopped: {str(error).strip().splitlines()[-1]} Its log files say more.") from error
    finally:
        ray.shutdown()
