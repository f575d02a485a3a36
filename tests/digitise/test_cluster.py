"""engine = "ray": two workers of this computer, one of which is killed at work."""

import logging
import os
import sys
from functools import partial
from pathlib import Path

import pytest

import digitise
from digitised import DETECTOR_PATH, Mortal, digitised, save, sheet
from helpers import ROOT, csv_rows
from utils.utils import UserError


def test_a_killed_workers_sheets_are_done_again_and_each_is_in_the_tables_once(folder, monkeypatch):
    ray = pytest.importorskip("ray")
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    for number in range(4):
        save(Path(f"img/K{number}.jpg"), sheet(f"K{number}", (4,) if number == 2 else ()))
    Path("img/K9.jpg").write_bytes(b"no picture")
    monkeypatch.setattr(digitise, "DeeplabV3", partial(Mortal, folder / "grave"))
    assert digitised(engine="ray", num_workers=2, coco=False, audiovisual_core=False, report=False,
                     detector_path=DETECTOR_PATH) == 1
    assert (folder / "grave").exists() and not ray.is_initialized()
    header, *rows = csv_rows(Path("digitised/sheets.csv"))
    assert [row[0] for row in rows] == ["K0.jpg", "K1.jpg", "K2.jpg", "K3.jpg"]
    assert [row[header.index("problems")] for row in rows] == ["", "", "no_scale", ""]
    assert [row[header.index("count Specimen")] for row in rows] == ["2"] * 4
    assert Path("digitised/unreadable.txt").read_text(encoding="utf-8").startswith("K9.jpg: ")


def test_without_ray_a_sentence_says_what_to_install(folder, monkeypatch):
    save(Path("img/K1.jpg"), sheet("K1"))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match="requirements-extras.txt"):
        digitised(engine="ray")


def test_a_cluster_that_is_not_there(folder, monkeypatch):
    """Ray itself tries for more than a minute."""
    ray = pytest.importorskip("ray")

    def refuse(address: str, **options: object) -> None:
        raise ConnectionError(f"nobody at {address}")

    monkeypatch.setattr(ray, "init", refuse)
    save(Path("img/K1.jpg"), sheet("K1"))
    with pytest.raises(UserError, match='ray_address is "127.0.0.1:1", where no Ray cluster answers .nobody at 127'):
        digitised(engine="ray", ray_address="127.0.0.1:1")


def test_a_cluster_that_fails_at_work(folder, monkeypatch):
    ray = pytest.importorskip("ray")

    def fail(*args: object, **options: object) -> None:
        raise ray.exceptions.RayError("A long story.\nAll nodes are gone.")

    for name in ("init", "shutdown"):
        monkeypatch.setattr(ray, name, lambda *args, **options: None)
    monkeypatch.setattr("ray.data.from_items", fail)
    save(Path("img/K1.jpg"), sheet("K1"))
    with pytest.raises(UserError, match="Ray stopped: All nodes are gone. Its log files say more."):
        digitised(engine="ray")
