"""Video files and cameras."""

import types
from pathlib import Path

import cv2
import numpy as np
import pytest

from coloured import run, sheet, truth
from utils.predicting import video
from utils.utils import UserError


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
