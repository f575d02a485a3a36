"""Freed memory, as the system sees it."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = '''
import numpy as np
from utils import config
from utils.memory import keep_freed_memory

size: int = 200  # megabytes

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

def kept(size):
    before = resident()
    held = np.ones(size * 1_000_000, np.uint8)
    del held
    return resident() - before

def main(settings):
    print(imported, kept(settings.size))

if __name__ == "__main__":
    imported = kept(size)
    keep_freed_memory()
    config.run(main)
'''


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell what is resident")
def test_a_script_keeps_what_it_frees_and_an_import_changes_nothing(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
    run = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    imported, kept = map(float, run.stdout.split())
    assert imported < 150 < kept
