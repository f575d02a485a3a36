"""predict.py, all modes, with a small checkpoint; most with a network that sees only colours."""

import csv
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image, ImageCms
from threadpoolctl import threadpool_info

import predict
from helpers import checkpoint_of, new_deeplab
from utils import config
from utils.files.images import read_image
from utils.files.masks import read_mask
from utils.network import onnx_export
from utils.network.checkpoint import save_checkpoint
from utils.files import jobs
from utils.predicting import folder as folders, plan, video
from utils.utils import UserError

NAMES = ["_background_", "Barcode", "Label"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "model.pth"
    save_checkpoint(path, checkpoint_of(new_deeplab(3), [64, 64]))
    return path


class ColourModel:
    """In the place of DeeplabV3: red is a barcode, green a label."""

    name_classes = NAMES
    colors = [(0, 0, 0), (200, 0, 0), (0, 0, 250)]
    device = "cpu"

    def __init__(self, *arguments: object, **options: object) -> None:
        pass

    def segment(self, image: np.ndarray) -> np.ndarray:
        red, green, _ = np.moveaxis(image.astype(int), 2, 0)
        middle = 200 * (257 if image.dtype == np.uint16 else 1)
        barcode, label = (red > middle) & (green < middle), (green > middle) & (red < middle)
        return np.select([barcode, label], [1, 2]).astype(np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of sheets to work in, with a model that sees colours."""
    monkeypatch.setattr(predict, "DeeplabV3", ColourModel)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "img").mkdir()
    return tmp_path


def sheet(height: int = 40, width: int = 30, dtype: type = np.uint8) -> np.ndarray:
    """Grey with a barcode of 10 x 20 pixels and a label of 8 x 8 pixels."""
    scale = 1 if dtype == np.uint8 else 257
    image = np.full((height, width, 3), 120 * scale, dtype)
    image[2:12, 5:25] = (255 * scale, 0, 0)
    image[30:38, 0:8] = (0, 255 * scale, 0)
    return image


def truth(height: int = 40, width: int = 30) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[2:12, 5:25] = 1
    mask[30:38, 0:8] = 2
    return mask


def save_16bit(path: Path, pixels: np.ndarray) -> None:
    path.write_bytes(cv2.imencode(path.suffix, pixels[..., ::-1])[1].tobytes())


def run(**changes: object) -> int:
    return predict.main(config.read(predict, **changes))


# ---- Folder ----

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


def test_tables_of_classes_and_objects(folder):
    Image.fromarray(sheet()).save("img/Käfer.png")
    Image.new("RGB", (30, 40)).save("img/empty.png")
    assert run(count=True) == 0
    assert Path("img_out/classes.csv").read_bytes().startswith(b"\xef\xbb\xbf")  # Excel reads UTF-8 only so
    with open("img_out/classes.csv", encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            ["sheet", *NAMES], ["Käfer.png", "936", "200", "64"], ["empty.png", "1200", "0", "0"]
        ]
    with open("img_out/objects.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["sheet", "class", "top", "left", "height", "width", "area", "centroid_row", "centroid_column", "crop"],
        ["Käfer.png", "Barcode", "2", "5", "10", "20", "200", "6.5", "14.5", ""],
        ["Käfer.png", "Label", "30", "0", "8", "8", "64", "33.5", "3.5", ""],
    ]


def test_tables_that_are_open_elsewhere_and_names_like_formulas(folder, capsys):
    Image.fromarray(sheet()).save("img/=1+1.png")
    assert run(count=True) == 0
    assert "\n'=1+1.png,936,200,64" in Path("img_out/classes.csv").read_text(encoding="utf-8-sig")
    Path("img_out/objects.csv").unlink()
    Path("img_out/objects.csv").mkdir()
    with pytest.raises(UserError, match="objects.csv cannot be written .* close the program that has it open"):
        run(count=True)
    assert capsys.readouterr().out.count("1 sheets in ") == 2  # what was done is told all the same


def crops_in(folder: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


@pytest.mark.parametrize("mix_type", [0, 1, 2])
def test_crops_are_the_sheets_own_pixels(folder, mix_type):
    """Two labels on a sheet whose diagonal is 500 pixels: a margin of 2."""
    pixels = np.random.default_rng(0).integers(0, 100, (400, 300, 3)).astype(np.uint16) * 257
    pixels[100:130, 50:70] = pixels[200:230, 10:30] = (0, 65535, 0)
    pixels[390:, 280:] = (65535, 0, 0)  # a barcode in the corner
    Path("img/a").mkdir()
    save_16bit(Path("img/a/x_1.tif"), pixels)
    Image.fromarray(np.zeros((40, 30, 3), np.uint8)).save("img/nothing.png")
    assert run(crops=True, count=True, recursive=True, mix_type=mix_type) == 0
    expected = {
        "1_Barcode/a/x_1_1.tif": np.s_[388:400, 278:300], "2_Label/a/x_1_1.tif": np.s_[98:132, 48:72],
        "2_Label/a/x_1_2.tif": np.s_[198:232, 8:32],
    }
    assert crops_in("img_out/crops") == list(expected)
    for name, box in expected.items():
        crop = cv2.imdecode(np.fromfile(f"img_out/crops/{name}", np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(crop[..., ::-1], pixels[box])
    with open("img_out/objects.csv", encoding="utf-8-sig", newline="") as file:
        assert [row[-1] for row in csv.reader(file)] == ["crop", *(f"crops/{name}" for name in expected)]


def test_a_jpegs_crop_keeps_colour_and_resolution_but_no_thumbnail(folder):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    Image.fromarray(sheet()).save("img/a.JPG", quality=97, dpi=(600, 600), icc_profile=profile, exif=exif)
    assert run(crops=True) == 0
    with Image.open("img/a.JPG") as whole, Image.open("img_out/crops/2_Label/a_1.JPG") as crop:
        assert crop.format == "JPEG" and crop.size == (8, 8)  # the margin is less than half a pixel
        assert crop.info["icc_profile"] == profile and crop.info["dpi"] == (600, 600)
        assert crop.quantization == whole.quantization and not crop.getexif()
        assert np.abs(np.asarray(crop).astype(int) - (0, 255, 0)).max() < 60
    with Image.open("img_out/a.JPG") as overlay:
        assert overlay.getexif()[0x010F] == "a camera"


def test_crops_of_an_earlier_run_do_not_outlive_their_objects(folder):
    two = sheet()
    two[20:28, 20:28] = (0, 255, 0)
    for stem, pixels in (("a", two), ("a_2", sheet()), ("b", two)):
        Image.fromarray(pixels).save(f"img/{stem}.png")
    assert run(crops=True) == 0
    labels = ["2_Label/a_1.png", "2_Label/a_2.png", "2_Label/a_2_1.png", "2_Label/b_1.png", "2_Label/b_2.png"]
    assert crops_in("img_out/crops")[3:] == labels
    Image.fromarray(sheet()).save("img/a.png")
    Image.new("RGB", (30, 40)).save("img/b.png")
    assert run(crops=True) == 0
    assert crops_in("img_out/crops") == ["1_Barcode/a_1.png", "1_Barcode/a_2_1.png", labels[0], labels[2]]


def test_class_names_that_are_no_folder_names(folder, monkeypatch):
    monkeypatch.setattr(ColourModel, "name_classes", ["_background_", "1D/2D: code?", "Étiquette"])
    Image.fromarray(sheet()).save("img/a.png")
    assert run(crops=True) == 0
    assert crops_in("img_out/crops") == ["1_1D_2D__code_/a_1.png", "2_Étiquette/a_1.png"]


def test_a_crop_that_cannot_be_written(folder, capsys):
    Image.fromarray(sheet()).save("img/a.png")
    Path("img_out/crops").mkdir(parents=True)
    Path("img_out/crops/2_Label").write_text("no folder", encoding="utf-8")
    assert run(crops=True) == 1
    assert "a_1.png cannot be written" in capsys.readouterr().err


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


def test_numpys_matrices_do_not_take_the_cores_from_other_sheets():
    def blas_threads(_: int) -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    before = blas_threads(0)  # none with Apple's Accelerate
    assert list(jobs.in_threads(blas_threads, range(4), 2)) == [{1} if before else set()] * 4
    assert blas_threads(0) == before


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


# ---- Image ----

def test_one_image(folder, capsys):
    Image.fromarray(sheet()).save("a b.png")
    assert run(mode="image", image="a b.png", count=True) == 0
    np.testing.assert_array_equal(read_mask("img_out/masks/a b.png"), truth())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{Path('img_out/a b.png')} and {Path('img_out/masks/a b.png')} written."
    assert [line.split() for line in lines[1:4]] == [
        ["_background_", "936", "pixels", "78.000", "%"], ["Barcode", "200", "pixels", "16.667", "%"],
        ["Label", "64", "pixels", "5.333", "%"],
    ]
    assert lines[4].split(None, 1)[1].strip() == "200 pixels at row 2, column 5, 10 high, 20 wide"
    assert run(mode="image", image="a b.png", crops=True) == 0
    crop = Path("img_out/crops/2_Label/a b_1.png")
    assert capsys.readouterr().out.splitlines()[2] == f"{crop} written." and read_image(crop).shape == (8, 8, 3)


def test_images_are_asked_for_until_an_empty_line(folder, monkeypatch, capsys):
    Image.fromarray(sheet()).save("a.png")
    answers = iter(["a.png", "typo.png", ' "a.png" ', ""])
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    assert run(mode="image") == 1  # for the typo
    out, err = capsys.readouterr()
    assert out.count("a.png written") == 2 and "typo.png is not there" in err
    assert next(answers, "none left") == "none left"


def test_the_end_of_the_input_is_an_empty_line(folder, monkeypatch):
    def ended(prompt):  # Ctrl-D, or no console
        raise EOFError

    monkeypatch.setattr("builtins.input", ended)
    assert run(mode="image") == 0


def test_an_image_in_the_output_folder_is_not_overwritten(folder, capsys):
    Image.fromarray(sheet()).save("img/a.png")
    before = Path("img/a.png").read_bytes()
    assert run(mode="image", image="img/a.png", output_dir="img") == 1
    assert "is an input and would be overwritten" in capsys.readouterr().err
    assert Path("img/a.png").read_bytes() == before


# ---- Video and camera ----

def make_video(path: str, frames: int = 6) -> None:
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 12.5, (64, 48))
    assert writer.isOpened()
    for _ in range(frames):
        writer.write(np.ascontiguousarray(sheet(48, 64)[..., ::-1]))
    writer.release()


def read_video(path: str) -> tuple[float, list[np.ndarray]]:
    capture, frames = cv2.VideoCapture(path), []
    while (frame := capture.read())[0]:
        frames.append(frame[1][..., ::-1])
    fps = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return fps, frames


@pytest.mark.parametrize("save_path", ["out/ü v.mp4", "out/v.AVI"])
def test_video_file(folder, save_path, capsys):
    make_video("in.avi")
    assert run(mode="video", video_path="in.avi", video_save_path=save_path, mix_type=1) == 0
    fps, frames = read_video(save_path)
    assert fps == 12.5 and len(frames) == 6 and frames[0].shape == (48, 64, 3)
    colours = np.array([(0, 0, 0), (200, 0, 0), (0, 0, 250)])
    expected = colours[truth(48, 64)]
    inner = np.s_[4:10, 8:22]  # a codec blurs edges
    assert np.abs(frames[-1][inner].astype(int) - expected[inner]).max() < 30
    assert [path.name for path in Path("out").iterdir()] == [Path(save_path).name]  # nothing temporary is left
    assert f"6 frames written to {save_path}" in capsys.readouterr().out


def test_a_frame_rate_below_0_is_refused(folder):
    with pytest.raises(UserError, match="video_fps is -5.0: it has to be 0 or more"):
        run(mode="video", video_path="in.avi", video_fps=-5.0)


def test_video_with_another_frame_rate(folder):
    make_video("in.avi")
    assert run(mode="video", video_path="in.avi", video_save_path="out.avi", video_fps=5.0) == 0
    assert read_video("out.avi")[0] == 5.0


def test_video_errors(folder):
    with pytest.raises(UserError, match='video_path is "", which is no file'):
        run(mode="video")
    Path("text.avi").write_text("no video", encoding="utf-8")
    with pytest.raises(UserError, match="text.avi cannot be opened: convert it to .mp4"):
        run(mode="video", video_path="text.avi")
    make_video("in.avi")
    before = Path("in.avi").read_bytes()
    with pytest.raises(UserError, match="video_save_path is out.mov: the name has to end in .mp4 or .avi"):
        run(mode="video", video_path="in.avi", video_save_path="out.mov")
    with pytest.raises(UserError, match="video_save_path is the input"):
        run(mode="video", video_path="in.avi", video_save_path="./in.avi")
    assert Path("in.avi").read_bytes() == before and not Path("img_out").exists()


def test_video_that_cannot_be_written(folder, monkeypatch):
    make_video("in.avi")
    monkeypatch.setitem(video.CODECS, ".mp4", "????")  # a codec that this build lacks
    with pytest.raises(UserError, match="out/v.mp4 cannot be written"):
        run(mode="video", video_path="in.avi", video_save_path="out/v.mp4")
    assert list(Path("out").iterdir()) == []


class FakeCapture:
    """A camera with `frames` frames."""

    frames = 5

    def __init__(self, source: int) -> None:
        self.source, self.left, self.released = source, self.frames, False

    def isOpened(self) -> bool:
        return self.source == 0

    def get(self, what: int) -> float:
        return 0.0 if what == cv2.CAP_PROP_FPS else -1.0  # as many drivers answer

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.ascontiguousarray(sheet(48, 64)[..., ::-1])) if self.left >= 0 else (False, None)

    def release(self) -> None:
        pass


@pytest.fixture
def camera(folder, monkeypatch):
    """A camera 0 and a window; the list of what was shown, and of the keys to press."""
    shown, keys = [], []
    real = video.cv2.VideoCapture  # reads what was saved
    monkeypatch.setattr(
        video.cv2, "VideoCapture", lambda source: (FakeCapture if isinstance(source, int) else real)(source))
    monkeypatch.setattr(video.cv2, "imshow", lambda name, picture: shown.append(picture))
    monkeypatch.setattr(video.cv2, "waitKey", lambda delay: keys.pop(0) if keys else -1)
    monkeypatch.setattr(video.cv2, "destroyAllWindows", lambda: None)
    return types.SimpleNamespace(shown=shown, keys=keys)


@pytest.mark.parametrize("key", [ord("q"), 27])
def test_camera_ends_at_a_key_and_saves(camera, key, monkeypatch, capsys):
    camera.keys[:] = [-1, ord("x"), key]
    assert run(mode="camera", video_save_path="out.avi") == 0
    assert len(camera.shown) == 3
    assert camera.shown[0][3, 6].tolist() == [0, 0, 228]  # OpenCV shows blue first
    monkeypatch.undo()
    assert "3 frames written to out.avi" in capsys.readouterr().out


def test_camera_without_saving(camera, capsys):
    assert run(mode="camera", video_save_path="") == 0
    assert len(camera.shown) == 5 and capsys.readouterr().out == "5 frames.\n"
    assert list(Path(".").rglob("*.*")) == []


def test_camera_frame_rate_when_the_driver_tells_none(camera, monkeypatch):
    rates = []
    real = video.cv2.VideoWriter
    monkeypatch.setattr(video.cv2, "VideoWriter", lambda path, code, fps, size: rates.append(fps) or real(
        path, code, fps, size))
    assert run(mode="camera", video_save_path="out.avi") == 0
    assert rates == [25.0]


def test_camera_errors(camera, monkeypatch):
    with pytest.raises(UserError, match="camera 3 cannot be opened: connect it"):
        run(mode="camera", camera=3)
    monkeypatch.setattr(FakeCapture, "frames", 0)
    with pytest.raises(UserError, match="camera 0 gave no frame"):
        run(mode="camera")


def test_opencv_without_windows(camera, monkeypatch):
    def no_window(name: str, picture: np.ndarray) -> None:
        raise cv2.error("The function is not implemented. Rebuild the library with Windows, GTK+ 2.x or Cocoa support")
    monkeypatch.setattr(video.cv2, "imshow", no_window)
    with pytest.raises(UserError, match="This OpenCV cannot open windows"):
        run(mode="camera")
    assert not list(Path("img_out").iterdir())


# ---- Speed ----

def test_fps(folder, monkeypatch, capsys):
    Image.fromarray(sheet()).save("img/a.png")
    clock = iter([0, 9, 10, 19, 20, 29, 30, 30.1, 40, 40.2, 50, 50.3])  # three to warm up, then 0.1, 0.2 and 0.3 s
    monkeypatch.setattr(predict.time, "perf_counter", lambda: next(clock))
    assert run(mode="fps", fps_repeats=3) == 0
    out = capsys.readouterr().out
    assert f"{Path('img/a.png')}, 40 x 30 pixels on cpu: 200.0 ms an image (120.0 to 280.0 ms), 5.0 images/s" in out


@pytest.mark.parametrize("changes", [{}, {"fps_repeats": 0, "image": "a.png"}])
def test_fps_needs_an_image_and_repeats(folder, changes):
    with pytest.raises(UserError, match="Mode fps needs an image"):
        run(mode="fps", **changes)


# ---- Export, with the real network ----

def test_onnx(checkpoint, tmp_path, capsys):
    path = tmp_path / "ü" / "model.onnx"
    assert run(mode="onnx", model_path=str(checkpoint), onnx_path=str(path)) == 0
    assert "logits differ by at most" in capsys.readouterr().out
    model = new_deeplab(3).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["model"])
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for shape in ((1, 3, 64, 64), (3, 3, 50, 97)):  # batch, height and width are free
        images = torch.rand(shape)
        with torch.inference_mode():
            expected = model(images).numpy()
        np.testing.assert_allclose(session.run(None, {"image": images.numpy()})[0], expected, atol=1e-5)
    about = session.get_modelmeta().custom_metadata_map
    assert about["name_classes"] == '["_background_", "Barcode", "Label"]' and about["input_shape"] == "[64, 64]"
    assert about["min_confidence"] == "0.0"  # this checkpoint says nothing
    assert [entry.version for entry in onnx.load(path).opset_import] == [17]
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]


def dot(bias: float = 0.0) -> torch.nn.Module:
    """A network of one convolution."""
    layer = torch.nn.Conv2d(3, 2, 1)
    torch.nn.init.constant_(layer.weight, 0.1)
    torch.nn.init.constant_(layer.bias, bias)
    return layer.eval()


def test_onnx_without_its_packages(folder, monkeypatch, capsys):
    monkeypatch.setattr(ColourModel, "model", dot(), raising=False)
    monkeypatch.setattr(ColourModel, "checkpoint", checkpoint_of(dot(), [64, 64]), raising=False)
    installed = {"onnx"}
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: name if name in installed else None)
    assert run(mode="onnx", onnx_path="a.onnx") == 0
    assert "a.onnx written (not checked: pip install -r requirements-extras.txt)" in capsys.readouterr().out
    installed.clear()
    with pytest.raises(UserError, match="onnx package is not installed: pip install -r requirements-extras.txt"):
        run(mode="onnx", onnx_path="b.onnx")
    assert not Path("b.onnx").exists()


def test_onnx_that_differs_is_not_written(tmp_path, monkeypatch):
    assert onnx_export.export_onnx(dot(), tmp_path / "a.onnx", 11, {}) < 1e-6
    assert onnx_export.largest_difference(dot(bias=0.25), tmp_path / "a.onnx") == pytest.approx(0.25)
    monkeypatch.setattr(onnx_export, "largest_difference", lambda model, path: float("nan"))
    with pytest.raises(UserError, match="b.onnx was not written: its logits differ by nan"):
        onnx_export.export_onnx(dot(), tmp_path / "b.onnx", 20, {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


@pytest.mark.parametrize("opset", [10, 21])
def test_onnx_opset_that_cannot_be_exported(tmp_path, opset):
    with pytest.raises(UserError, match=f"onnx_opset is {opset}: it has to be from 11 to 20"):
        onnx_export.export_onnx(dot(), tmp_path / "a.onnx", opset, {})


# ---- The whole script ----

def test_the_real_network_end_to_end(checkpoint, tmp_path, monkeypatch, capsys):
    Image.fromarray(sheet(90, 70)).save(tmp_path / "a.jpg")
    monkeypatch.setattr(sys, "argv", [
        "predict.py", f"--model_path={checkpoint}", f"--input_dir={tmp_path}", f"--output_dir={tmp_path / 'out'}",
        "--device=cpu",
    ])
    with pytest.raises(SystemExit) as end:
        config.run(predict.main)
    assert end.value.code == 0 and "1 sheets in" in capsys.readouterr().out
    assert read_image(tmp_path / "out" / "a.jpg").shape == (90, 70, 3)
    assert read_mask(tmp_path / "out" / "masks" / "a.png").shape == (90, 70)


def test_a_mode_that_is_none(capsys):
    with pytest.raises(UserError, match="mode is 'movie': it has to be one of folder, image"):
        config.read(predict, mode="movie")
