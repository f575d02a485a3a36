"""A folder of sheets: overlays, masks, cut-outs, bad files, many workers."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from coloured import run, save_16bit, sheet, truth
from utils.files.masks import read_mask
from utils.predicting import folder as folders
from utils.predicting import plan
from utils.utils import UserError


def test_folder_writes_overlays_and_masks(folder, capsys):
    Image.fromarray(sheet()).save("img/K.0001 23 标本.png")
    Image.fromarray(sheet()).save("img/b.JPG", quality=95, subsampling=0)
    save_16bit(Path("img/c.tif"), sheet(dtype=np.uint16))
    assert run() == 0
    for stem in ("K.0001 23 标本", "b", "c"):
        np.testing.assert_array_equal(read_mask(f"img_out/masks/{stem}.png"), truth())
    overlay = np.asarray(Image.open("img_out/K.0001 23 标本.png"))
    assert (overlay[truth() == 0] == 120).all()
    assert (overlay[truth() == 1] == (228, 0, 0)).all()  # halves of 255 + 200, to the even number
    assert (overlay[truth() == 2] == (0, 128, 125)).all()
    deep = cv2.imdecode(np.fromfile("img_out/c.tif", np.uint8), cv2.IMREAD_UNCHANGED)
    assert deep.dtype == np.uint16 and (deep[truth() == 0] == 120 * 257).all()
    with Image.open("img_out/b.JPG") as image:
        assert image.format == "JPEG" and image.size == (30, 40)
    palette = Image.open("img_out/masks/b.png").convert("RGB")
    assert palette.getpixel((6, 3)) == (200, 0, 0)  # the model's own colours
    out, err = capsys.readouterr()
    assert out.startswith("3 sheets in ") and "sheets/s) written to img_out" in out and "bad" not in out
    assert "3/3" in err and "sheets/s" in err  # the bar


def test_folder_keeps_subfolders_and_leaves_out_its_own_results(folder):
    Path("img/a/b").mkdir(parents=True)
    Image.fromarray(sheet()).save("img/x.png")
    Image.fromarray(sheet()).save("img/a/b/x.png")
    Path("img/notes.txt").write_text("no image", encoding="utf-8")
    for _ in range(2):  # the second run meets the first one's results
        assert run(recursive=True, output_dir="img/out") == 0
        written = sorted(path.as_posix() for path in Path("img/out").rglob("*") if path.is_file())
        assert written == ["img/out/a/b/x.png", "img/out/masks/a/b/x.png", "img/out/masks/x.png", "img/out/x.png"]


def test_bad_files_are_named_skipped_and_counted(folder, capsys):
    Image.fromarray(sheet()).save("img/a.png")
    Path("img/b.jpg").write_bytes(b"")
    Image.fromarray(sheet()).save("img/cut.png")
    Path("img/cut.png").write_bytes(Path("img/cut.png").read_bytes()[:-40])
    Image.fromarray(sheet()).save("img/z.png")
    assert run() == 1
    out, err = capsys.readouterr()
    assert out.startswith("2 sheets in ") and f"2 bad: {Path('img/b.jpg')}, {Path('img/cut.png')}" in out
    assert "b.jpg is empty" in err and "cut.png cannot be read" in err
    assert sorted(path.name for path in Path("img_out/masks").iterdir()) == ["a.png", "z.png"]


@pytest.mark.parametrize("mix_type, name", [(1, "a.png"), (2, "a.tif")])
def test_colour_masks_and_cut_outs(folder, mix_type, name):
    Image.fromarray(sheet()).save("img/a.tif")
    assert run(mix_type=mix_type) == 0
    picture = np.asarray(Image.open(f"img_out/{name}").convert("RGB"))
    assert (picture[truth() == 0] == 0).all()
    assert (picture[truth() == 1] == ((200, 0, 0) if mix_type == 1 else (255, 0, 0))).all()


def test_a_colour_mask_of_a_jpeg_is_no_jpeg(folder):
    Image.fromarray(sheet()).save("img/a.jpg")
    assert run(mix_type=1) == 0
    assert sorted(path.name for path in Path("img_out").iterdir()) == ["a.png", "masks"]


def test_one_worker_gives_the_same_as_many(folder):
    for number in range(5):
        Image.fromarray(np.roll(sheet(), number, axis=1)).save(f"img/{number}.png")
    assert run(num_workers=1, output_dir="one") == run(num_workers=4, output_dir="four") == 0
    for number in range(5):
        mask = Path(f"one/masks/{number}.png")
        np.testing.assert_array_equal(read_mask(mask), np.roll(truth(), number, axis=1))
        assert mask.read_bytes() == Path(f"four/masks/{number}.png").read_bytes()


def test_the_sheets_in_work_share_the_threads(folder, monkeypatch):
    Image.fromarray(sheet()).save("img/a.png")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    given = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    assert run(num_workers=4) == run(num_workers=0) == run(num_workers=20) == 0
    assert given == [2, 8, 8, 8, 1, 8]  # and back to 8 each time; at most 8 sheets at a time


def test_no_images_and_no_folder(folder):
    with pytest.raises(UserError, match="img holds no .jpg.*recursive = True"):
        run()
    with pytest.raises(UserError, match="nowhere is not a folder"):
        run(input_dir="nowhere")


def test_ctrl_c_starts_no_other_sheet(folder, monkeypatch):
    for number in range(6):
        Image.fromarray(sheet()).save(f"img/{number}.png")
    done = []

    def interrupted(model: object, sheet: plan.SheetFiles, *options: object) -> None:
        done.append(sheet)
        raise KeyboardInterrupt
    monkeypatch.setattr(folders, "predict_sheet", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(num_workers=1)
    assert len(done) < 6
