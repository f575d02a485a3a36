"""Copies under the names of barcodes."""

import pytest

from utils.digitise.copies import Copies, file_stem


@pytest.mark.parametrize("barcode, stem", [
    ("K000123", "K000123"), (" E 00/1 ", "E_00_1"), ("../../etc/passwd", "_.._etc_passwd"), ("=1+1", "_1_1"),
    ("a\nb", "a_b"), ("con", "_con"), ("LPT1.x", "_LPT1.x"), ("", "_"), ("..", "_"), ("<b>&", "_b__"),
    ("Éa-1", "Éa-1"), ("x" * 300, "x" * 200), ("é" * 150, "é" * 100),
])
def test_barcodes_become_file_names(barcode, stem):
    assert file_stem(barcode) == stem


def test_two_sheets_of_one_barcode_have_a_copy_each(tmp_path):
    for name in ("a.jpg", "b.JPG", "c.png"):
        (tmp_path / name).write_text(name)
    copies = Copies(tmp_path / "by_barcode")
    written = [copies.add(tmp_path / name, code) for name, code in (("a.jpg", "K1"), ("b.JPG", "k1"), ("c.png", "K1"))]
    assert [path.name for path in written] == ["K1.jpg", "k1_2.JPG", "K1_3.png"]
    assert [path.read_text() for path in written] == ["a.jpg", "b.JPG", "c.png"]
    assert (tmp_path / "a.jpg").read_text() == "a.jpg"
