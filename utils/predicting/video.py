"""Draws on the frames of a video file or a camera, shows them and saves them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from utils.utils import UserError, atomic_path

CODECS: dict[str, str] = {".mp4": "mp4v", ".avi": "MJPG"}  # every OpenCV build can write these
WINDOW = "q or Esc ends"
ESC = 27


def annotate_video(
    source: str | int, save_path: str, annotate: Callable[[np.ndarray], np.ndarray], *,
    fps: float = 0.0, show: bool = False,
) -> int:
    """The number of frames in `source`, after drawing on them, showing and saving them.

    q or Esc in the window ends it early. Sound is lost. The codecs cut one pixel off an odd width or height.

    Args:
        source: a video file, or the number of a camera.
        save_path: the video to write. "": none.
        annotate: draws on a frame, uint8 (H, W, 3) RGB, and returns one of the same size.
        fps: frames per second of the saved video. 0: those of the source, or 25 if it does not say.
        show: show the frames in a window.

    Raises:
        UserError: the source cannot be opened or read, the video cannot be written, or OpenCV cannot open windows.
    """
    name = f"camera {source}" if isinstance(source, int) else source
    if not isinstance(source, int) and not Path(source).is_file():
        raise UserError(f'video_path is "{source}", which is no file: name a video file.')
    if save_path and Path(save_path).suffix.lower() not in CODECS:
        raise UserError(f"video_save_path is {save_path}: the name has to end in {' or '.join(CODECS)}.", 2)
    if save_path and not isinstance(source, int) and Path(save_path).resolve() == Path(source).resolve():
        raise UserError(f"video_save_path is the input, {source}: name another file, originals stay as they are.", 2)
    capture = cv2.VideoCapture(source)
    count = 0
    try:
        if not capture.isOpened():
            mend = "connect it or change camera" if isinstance(source, int) else "convert it to .mp4"
            raise UserError(f"{name} cannot be opened: {mend}.")
        fps = fps or capture.get(cv2.CAP_PROP_FPS) or 25.0
        total = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0) or None
        with ExitStack() as stack:
            writer = None
            for frame in tqdm(_read_frames(capture), total=total, unit=" frames"):
                picture = cv2.cvtColor(annotate(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)), cv2.COLOR_RGB2BGR)
                if save_path and writer is None:
                    temporary = stack.enter_context(atomic_path(save_path))
                    writer = _open_writer(temporary, fps, picture)
                    stack.callback(writer.release)  # must happen before the file is renamed or removed
                    if not writer.isOpened():
                        raise UserError(f"{save_path} cannot be written: check the folder, or save as .avi.")
                if writer is not None:
                    writer.write(picture)
                count += 1
                if show and _show_frame(picture) in (ord("q"), ESC):
                    break
            if not count:
                raise UserError(f"{name} gave no frame: try another file or camera.")
            if writer is not None:
                writer.release()
                _require_frames(temporary, count, save_path)
    finally:
        capture.release()
        if show and count:
            cv2.destroyAllWindows()
    return count


def _read_frames(capture: cv2.VideoCapture) -> Iterator[np.ndarray]:
    """Yields the frames of a video, uint8 (H, W, 3) BGR."""
    while True:
        good, frame = capture.read()
        if not good:
            return
        yield frame


def _open_writer(path: Path, fps: float, picture: np.ndarray) -> cv2.VideoWriter:
    """A writer of frames with the size of `picture`."""
    code = cv2.VideoWriter_fourcc(*CODECS[path.suffix.lower()])
    return cv2.VideoWriter(str(path), code, fps, (picture.shape[1], picture.shape[0]))


def _require_frames(path: Path, count: int, save_path: str) -> None:
    """Raises UserError when the video at `path` does not have `count` frames: OpenCV says nothing of a full disk."""
    written = cv2.VideoCapture(str(path))
    try:
        whole = written.isOpened() and int(written.get(cv2.CAP_PROP_FRAME_COUNT)) >= count
        written.set(cv2.CAP_PROP_POS_FRAMES, count - 1)
        if not whole or not written.read()[0]:
            raise UserError(f"{save_path} cannot be written whole: check the free space.")
    finally:
        written.release()


def _show_frame(picture: np.ndarray) -> int:
    """The key that is pressed while `picture` is shown."""
    try:
        cv2.imshow(WINDOW, picture)
        return cv2.waitKey(1) & 0xFF
    except cv2.error as error:
        raise UserError(
            "This OpenCV cannot open windows (opencv-python-headless, or no screen): install opencv-python, or set "
            f"show = False ({str(error).strip().splitlines()[0][:80]})."
        ) from error
