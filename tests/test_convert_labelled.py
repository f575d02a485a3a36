"""convert_labelled.py: strip_suffix, and what holds for all modes; each format is in labels/."""

from typing import get_args, get_type_hints

import pytest

import convert_labelled
from converting import converter
from utils.utils import NAME_CLASSES, UserError, default_colors, voc_palette


@pytest.fixture
def convert(tmp_path):
    return converter(tmp_path)


@pytest.fixture
def labels(tmp_path, convert):
    return tmp_path / "labels"


# strip_suffix

def test_suffixes_are_stripped_in_copies(tmp_path, labels, convert):
    names = {"K.1_label.png": "K.1.png", "K2_labels.png": "K2.png", "K3.jpg": "K3.jpg", "_label.png": "_label.png",
             "K4_label_x.png": "K4_label_x.png", "K5_labels_label.txt": "K5_labels.txt"}
    for name in names:
        (labels / name).write_text(name, encoding="utf-8")
    assert convert("strip_suffix") == 0
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {v: k for k, v in names.items()}
    assert {path.name for path in labels.iterdir()} == set(names)


def test_names_that_become_one_are_refused_before_any_work(tmp_path, labels, convert):
    for name in ("A.png", "K1.png", "K1_label.png"):
        (labels / name).touch()
    with pytest.raises(UserError, match="would both be written to"):
        convert("strip_suffix")
    assert not (tmp_path / "out").exists()


def test_subfolders_are_kept(tmp_path, labels, convert):
    (labels / "a").mkdir()
    for name in ("K1_label.png", "a/K1_label.png"):
        (labels / name).touch()
    assert convert("strip_suffix", recursive=True) == 0
    assert (tmp_path / "out/K1.png").is_file() and (tmp_path / "out/a/K1.png").is_file()


# what holds for all modes

def test_dry_run_writes_nothing(tmp_path, labels, convert, capsys):
    (labels / "K1_label.png").touch()
    assert convert("strip_suffix", dry_run=True) == 0
    out = capsys.readouterr().out
    assert f"{labels / 'K1_label.png'} -> {tmp_path / 'out' / 'K1.png'}" in out and "1 files would be written" in out
    assert not (tmp_path / "out").exists()


def test_files_that_are_there_are_replaced_only_on_demand(tmp_path, labels, convert):
    (labels / "K1_label.png").write_text("new")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/K1.png").write_text("old")
    with pytest.raises(UserError, match="1 of 1 outputs are there already"):
        convert("strip_suffix")
    assert (tmp_path / "out/K1.png").read_text() == "old"
    assert convert("strip_suffix", overwrite=True) == 0
    assert (tmp_path / "out/K1.png").read_text() == "new"


def test_folder_that_cannot_be_written_to(tmp_path, labels, convert, capsys):
    (labels / "K1.png").touch()
    (tmp_path / "out").touch()  # a file where the folder should be
    assert convert("strip_suffix") == 1
    assert f"{labels / 'K1.png'} cannot be converted to {tmp_path / 'out' / 'K1.png'}" in capsys.readouterr().err


def test_every_mode_of_the_constant_exists():
    hint = get_type_hints(convert_labelled)["mode"]
    assert set(get_args(hint)) == set(convert_labelled.MODES)


@pytest.mark.parametrize("output, recursive", [("labels", False), ("images", False), ("labels/out", True)])
def test_output_among_the_inputs_is_refused(tmp_path, labels, convert, output, recursive):
    (labels / "K1.png").touch()
    with pytest.raises(UserError, match="so that no original is replaced"):
        convert("strip_suffix", output_dir=str(tmp_path / "images/.." / output), recursive=recursive)


@pytest.mark.parametrize("changes, message", [
    ({"polygon_tolerance": -1.0}, "polygon_tolerance is -1.0"),
    ({"polygon_tolerance": float("nan")}, "polygon_tolerance is nan"),
    ({"min_pixels": 0}, "min_pixels is 0"),
    ({"color_tolerance": -0.5}, "color_tolerance is -0.5"),
    ({"color_table": {"Labl": (1, 2, 3)}}, '"Labl"'),
    ({"color_table": {"Label": (1, 2, 3), "Scale": (1, 2, 3)}}, "one colour to two classes"),
    ({"input_dir": "no/such/folder"}, "not a folder"),
    ({}, "holds no .jpg or .jpeg or .png"),
])
def test_constants_that_do_not_fit(convert, changes, message):
    with pytest.raises(UserError, match=message.replace(".", r"\.")):
        convert("colour_to_palette", **changes)


def test_default_colour_table_is_the_palette_of_the_masks():
    table = convert_labelled.color_table
    assert tuple(table) == (*NAME_CLASSES, "_ignore_")
    assert [table[name] for name in NAME_CLASSES] == default_colors(len(NAME_CLASSES))
    assert table["_ignore_"] == tuple(voc_palette()[255])
