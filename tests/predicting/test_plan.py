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
        plan.plan([Path("out/masks/a.png")], Path("out/masks"), Path("out"), 0)
    assert Path("img/a.png").read_bytes() == Path("out/masks/a.png").read_bytes() == before


def test_two_inputs_for_one_mask_are_refused_before_any_work(folder):
    Image.fromarray(sheet()).save("img/a.png")
    Image.fromarray(sheet()).save("img/a.tif")
    with pytest.raises(UserError, match="would both be written to"):
        run()
    assert not Path("img_out").exists()
