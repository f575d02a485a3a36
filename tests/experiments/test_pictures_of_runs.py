"""The pictures of an experiment: what is where, and their sizes."""

import numpy as np
from PIL import Image

from helpers import sheet
from utils.experiments.pictures import CELL, MARGIN, TITLE, curve, mean_curve, sheets_picture, write_pictures
from utils.files.masks import write_mask


def test_sheets_beside_truth_and_runs(plan, settings, finish, folder):
    experiment, = plan()
    (_, (cos,)), (_, (step,)) = experiment.rows
    write_pictures(experiment, settings())
    assert not (folder / "out" / "schedules").exists()  # nothing to show yet
    finish(cos, 0.5)
    _, mask = sheet(4)
    write_mask(cos.folder / "miou" / "masks" / "K.0004.png", np.where(mask == 255, 0, mask).astype(np.uint8))
    picture = sheets_picture(experiment)
    height, width = CELL[0], 200  # sheets of 96 x 64
    assert picture.shape == (TITLE + 2 * (height + MARGIN), 3 * (CELL[1] + MARGIN) + MARGIN, 3)
    left = MARGIN + (CELL[1] - width) // 2
    cells = [picture[TITLE:TITLE + height, left + k * (CELL[1] + MARGIN):][:, :width] for k in range(3)]
    assert (cells[1][:4] == 128).all() and not (cells[2][:4] == 128).all()  # ignored in the truth
    assert (cells[1][20:] == cells[2][20:]).all() and not (cells[0][20:] == cells[1][20:]).all()
    second = picture[TITLE + height + MARGIN:, left + 2 * (CELL[1] + MARGIN):][:height, :width]
    assert (second == 128).all()  # a sheet without a mask

    finish(step, 0.25)
    write_pictures(experiment, settings())
    with Image.open(folder / "out" / "schedules" / "sheets.jpg") as image:
        assert image.size == (4 * (CELL[1] + MARGIN) + MARGIN, TITLE + 2 * (height + MARGIN))
    with Image.open(folder / "out" / "schedules" / "curves.png") as image:
        assert image.size == (14 * 120, 5.5 * 120)


def test_curves():
    history = [{"epoch": 1, "miou": None}, {"epoch": 2, "miou": 0.5}]
    assert curve(history, "miou") == ([2], [0.5])
    assert mean_curve([([1, 2], [1.0, 3.0]), ([2, 3], [5.0, 7.0])]) == ([1, 2, 3], [1.0, 4.0, 7.0])
