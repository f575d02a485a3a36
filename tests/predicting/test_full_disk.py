"""A disk that fills up while a video is saved, of which OpenCV says nothing."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from utils.predicting.video import annotate_video
from utils.utils import UserError

resource = pytest.importorskip("resource", reason="no limits of file sizes")


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_disk_that_fills_up_while_a_video_is_saved(tmp_path, suffix):
    source, target = tmp_path / "in.avi", tmp_path / "out" / f"x{suffix}"
    writer = cv2.VideoWriter(str(source), cv2.VideoWriter_fourcc(*"MJPG"), 25, (320, 240))
    for frame in np.random.default_rng(0).integers(0, 256, (10, 240, 320, 3), dtype=np.uint8):
        writer.write(frame)
    writer.release()
    assert annotate_video(str(source), str(target), lambda frame: frame) == 10
    size = target.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for share in (0.1, 0.5, 0.9, 0.99):  # the messages go to a file, too
        target.unlink(missing_ok=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * size), before[1]))
        try:
            with pytest.raises(UserError, match=f"x{suffix} cannot be written"):
                annotate_video(str(source), str(target), lambda frame: frame)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert not list(Path(target).parent.iterdir()), share
