"""The taxon of a sheet: from its folder, its file name or a table."""

from pathlib import Path, PurePosixPath

import pytest

import find_mistakes
from utils import config
from utils.config import Settings
from utils.mistakes.reading.names import find_taxa
from utils.utils import UserError

NAMES = [PurePosixPath(name) for name in ("Viola alba/K1.jpg", "Viola/V. rossii/K 2.jpg", "Viola_odorata_3.jpg")]


def settings(**changes: object) -> Settings:
    return config.read(find_mistakes, **changes)


def write_table(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\r\n" for line in lines), encoding="utf-8-sig")
    return str(path)


def test_by_folder(capsys: pytest.CaptureFixture):
    assert find_taxa(NAMES, settings(taxon_folders=True)) == ["Viola alba", "Viola/V. rossii", ""]
    assert "1 of 3 sheets have no taxon by taxon_folders, such as Viola_odorata_3.jpg" in capsys.readouterr().err


def test_by_file_name_alone():
    assert find_taxa(NAMES, settings(taxon_pattern=r"(?P<taxon>[A-Z][a-z]+_[a-z]+)_\d")) == ["", "", "Viola_odorata"]
    assert find_taxa(NAMES, settings(taxon_pattern=r"^K ?(?P<taxon>\d)|_")) == ["1", "2", ""]  # without the group


def test_by_a_table(tmp_path: Path, capsys: pytest.CaptureFixture):
    table = write_table(
        tmp_path / "names.csv", "id,taxon,file", "1, Víola alba ,Viola alba\\K1.jpg", '2,"rossii, V.",K 2.jpg',
        "3,none,K3.jpg", "4,,", "5,twice,K 2.jpg")
    with pytest.raises(UserError, match="gives K 2.jpg two taxa, rossii, V. in line 3 and twice in line 6"):
        find_taxa(NAMES, settings(taxon_table=table))
    write_table(tmp_path / "names.csv", "id,taxon,file", "1, Víola alba ,Viola alba\\K1.jpg", '2,"rossii, V.",K 2.jpg',
                "3,none,K3.jpg", "4,,")
    assert find_taxa(NAMES, settings(taxon_table=table)) == ["Víola alba", "rossii, V.", ""]
    assert "1 of 3 rows of" in capsys.readouterr().err


@pytest.mark.parametrize(("changes", "message"), [
    ({}, "None is set: exactly one of taxon_folders, taxon_pattern, taxon_table has to"),
    ({"taxon_folders": True, "taxon_pattern": "(?P<taxon>.)"}, "taxon_folders and taxon_pattern are set: exactly one"),
    ({"taxon_pattern": "(?P<taxon>"}, "which is no regular expression"),
    ({"taxon_pattern": "Viola"}, r"it has to have a group \(\?P<taxon>...\)"),
    ({"taxon_pattern": "(?P<taxon>Carex)"}, "gives no sheet of img a taxon"),
    ({"taxon_table": "nowhere.csv"}, "nowhere.csv, which is not there"),
])
def test_what_is_wrong_is_said(changes: dict, message: str):
    with pytest.raises(UserError, match=message):
        find_taxa(NAMES, settings(**changes))


def test_a_table_of_another_kind(tmp_path: Path):
    for content, message in (
        (b"file;taxon\r\nK1.jpg;alba\r\n", "has no column file and taxon"), (b"", "holds nothing"),
        (b"file,taxon\nK1.jpg,\xff\n", "CSV file in UTF-8"), (b'file,taxon\nK1.jpg,"a', "CSV file in UTF-8"),
    ):
        (tmp_path / "names.csv").write_bytes(content)
        with pytest.raises(UserError, match=message):
            find_taxa(NAMES, settings(taxon_table=str(tmp_path / "names.csv")))
