"""What will be written where, and what is refused before any work."""

from pathlib import Path

import pytest
from PIL import Image

from coloured import run, sheet
from utils.predicting import plan
from utils.utils import UserError


def test_originals_are_never_overwritten(folder):
    Image.fromarray(sheet()).save("img/a.png")
    before = Path("img/a.png").read_bytes()
    with pytest.raises(UserError, match="which is input_dir"):
        run(output_dir="img")
    with pytest.raises(UserError, match="which is input_dir"):
        run(output_dir="../" + folder.name + "/img/.")
    Path("out/masks").mkdir(parents=True)
    Path("out/masks/a.png").write_bytes(before)  # the input folder is the one that the masks go to
    with pytest.raises(UserError, match="which holds input_dir"):
        run(input_dir="out/masks", output_dir="out")
    with pytest.raises(UserError, match="a.png is an input and would be overwritten"):
        plan.plan([Path("out/masks/a.png")], Path("out/masks"), Path("out"), 0, False)
    assert Path("img/a.png").read_bytes() == Path("out/masks/a.png").read_bytes() == before


@pytest.mark.parametrize("name", ["masks/a.png", "instances/a.png"])
def test_a_picture_and_a_result_of_another_sheet_with_one_name_are_refused(tmp_path, name):
    sources = [tmp_path / "img" / "a.jpg", tmp_path / "img" / name]
    with pytest.raises(UserError, match="would both be written to .*a.png"):
        plan.plan(sources, tmp_path / "img", tmp_path / "out", 0, True)
    sheet, _ = plan.plan([sources[0], tmp_path / "img" / "instances" / "b.png"], tmp_path / "img", tmp_path / "out", 0,
                         True)
    assert sheet.instances == tmp_path / "out" / "instances" / "a.png"
    assert [path.name for path in sheet.written()] == ["a.jpg", "a.png", "a.png"]


def test_two_inputs_for_one_mask_are_refused_before_any_work(folder):
    Image.fromarray(sheet()).save("img/a.png")
    Image.fromarray(sheet()).save("img/a.tif")
    with pytest.raises(UserError, match="would both be written to"):
        run()
    assert not Path("img_out").exists()
