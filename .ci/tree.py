"""Prints the files that git tracks as a tree: `python .ci/tree.py > tree.txt`."""

from __future__ import annotations

import subprocess
from pathlib import Path


def lines(paths: list[tuple[str, ...]], indent: str = "") -> list[str]:
    """One line for each folder (it ends with a slash) and file; folders first, each in alphabetical order."""
    folders = sorted({path[0] for path in paths if len(path) > 1})
    result = []
    for folder in folders:
        result += [f"{indent}{folder}/", *lines([path[1:] for path in paths if path[0] == folder], indent + "    ")]
    return result + [indent + path[0] for path in sorted(paths) if len(path) == 1]


def tracked(root: Path) -> list[tuple[str, ...]]:
    """The parts of the path of every file that git tracks below `root`."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout
    return [tuple(name.split("/")) for name in listing.decode().split("\0") if name]


if __name__ == "__main__":
    print("\n".join(lines(tracked(Path(__file__).parents[1]))))
