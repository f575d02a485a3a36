"""Lists of sheets as programs and people write them."""

import pytest

from utils.files import voc
from utils.files.voc import VocDataset, read_stems
from utils.utils import UserError

KNOWN = {"A_0", "K.000123", "标本 1", "Müller_7"}


@pytest.mark.parametrize("data", [
    b"A_0\nK.000123\n", b"A_0\r\n\r\n  K.000123  \r\n\r\n", b"\xef\xbb\xbfA_0\nK.000123", b"A_0.jpg\nK.000123.TIF\n",
    "A_0\r\nK.000123\r\n".encode("utf-16"), b"\xfe\xff" + "A_0\nK.000123\n".encode("utf-16-be"),
    b"/JPEGImages/A_0.jpg /SegmentationClass/A_0.png\n/JPEGImages/K.000123.jpg /SegmentationClass/K.000123.png\n",
    b"A_0\t1\nK.000123 -1\n", b"C:\\scans\\A_0.jpg\nC:\\scans\\K.000123.jpg\n",
])
def test_stems_are_read_however_they_are_written(tmp_path, data):
    (tmp_path / "train.txt").write_bytes(data)
    assert read_stems(tmp_path / "train.txt", KNOWN) == ["A_0", "K.000123"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_names_in_a_national_code_page_and_with_spaces(tmp_path, encoding):
    (tmp_path / "train.txt").write_bytes("标本 1\nA_0\n".encode(encoding))
    assert read_stems(tmp_path / "train.txt", KNOWN) == ["标本 1", "A_0"]


def test_names_in_a_western_code_page(tmp_path):
    (tmp_path / "train.txt").write_bytes("Müller_7\nA_0\n".encode("cp1252"))
    assert read_stems(tmp_path / "train.txt", KNOWN) == ["Müller_7", "A_0"]


def test_unknown_lines_stay_as_they_are(tmp_path):
    (tmp_path / "train.txt").write_text("A_1\nA 2.jpg\n")
    assert read_stems(tmp_path / "train.txt", KNOWN) == ["A_1", "A 2.jpg"]


def test_what_is_no_text_ends_in_a_sentence(tmp_path):
    (tmp_path / "train.txt").write_bytes(b"\0\1\2\0\xff" * 100)
    with pytest.raises(UserError, match="train.txt is no text: save it in UTF-8"):
        read_stems(tmp_path / "train.txt", KNOWN)


def test_a_list_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(voc, "MAX_LIST_BYTES", 10)
    (tmp_path / "train.txt").write_text("A_0\n" * 3)
    with pytest.raises(UserError, match="train.txt has more than .* which no list of sheets has"):
        read_stems(tmp_path / "train.txt", KNOWN)


def test_sheets_in_both_lists_and_masks_of_other_kinds_are_said(tmp_path):
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (tmp_path / "d" / folder).mkdir(parents=True)
    for name in ("JPEGImages/A_0.jpg", "JPEGImages/A_1.jpg", "SegmentationClass/A_0.PNG", "SegmentationClass/A_1.tif"):
        (tmp_path / "d" / name).touch()
    data = VocDataset(tmp_path, "d")
    (data.list_dir / "train.txt").write_text("A_0\nA_1\n")
    (data.list_dir / "val.txt").write_text("A_1.jpg\n")
    assert data.list_faults() == [
        "1 sheets are in train.txt and in val.txt (A_1): the validation scores are too good. Take them out of one "
        "list, or run get_annotation.py again."]
    (fault,) = data.mask_faults()
    assert "holds 1 images that are no masks (A_1.tif)" in fault and "colour_to_palette" in fault
    assert data.mask("A_0").name == "A_0.PNG" and data.mask("A_1").name == "A_1.png" and set(data.masks()) == {"A_0"}
