"""Sheets that are there twice: scaled, saved again, brightened, cut at the edges; not other sheets of one taxon."""

import io

import cv2
import numpy as np
from PIL import Image

from drawn_plants import LONG, ROUND, sheet
from utils.mistakes.comparing import duplicates
from utils.mistakes.comparing.duplicates import fingerprint, grey, groups, laid_over, same_files, same_pictures
from utils.mistakes.reading.plant import show_plant


def pairs_of(images: list[np.ndarray]) -> list[tuple[int, int, float]]:
    """What is found among photographs without labels."""
    shown = [show_plant(image, np.zeros(image.shape[:2], np.uint8), (64,)).sheet for image in images]
    return list(same_pictures(np.stack([fingerprint(each) for each in shown]), [grey(image) for image in images]))


def saved_again(image: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=40)
    return np.array(Image.open(buffer))


def test_copies_are_found_and_others_are_not(monkeypatch):
    monkeypatch.setattr(duplicates, "ROWS", 3)
    plain = sheet(ROUND, 0, label=False)
    copies = [plain, saved_again(plain), cv2.resize(plain, (150, 225), interpolation=cv2.INTER_AREA),
              plain[4:-5, 3:-4], np.minimum(plain.astype(int) + 12, 255).astype(np.uint8)]
    others = [sheet(ROUND, seed, label=False) for seed in (1, 2, 3)] + [sheet(LONG, 4, label=False)]
    found = pairs_of(copies + others)
    assert {pair[:2] for pair in found} == {(first, second) for first in range(5) for second in range(first + 1, 5)}
    assert all(0.93 <= alike < 1 for _, _, alike in found)


def test_plain_pictures_and_other_proportions_are_no_copies():
    plain = np.full((40, 30, 3), 200, np.uint8)
    assert not fingerprint(plain)[:-1].any() and laid_over(grey(plain), grey(plain)) in (0, 1)
    assert not pairs_of([plain, plain])
    image = sheet(ROUND, 5, label=False)
    assert len(pairs_of([image, image])) == 1
    assert not pairs_of([image, cv2.resize(image, (200, 360))])


def test_groups_and_files():
    assert groups([(4, 1), (1, 3), (0, 5)], 6) == [[0, 5], [1, 3, 4]]
    assert groups([], 3) == []
    assert list(same_files(["a", "b", "a", "c", "a"])) == [(0, 2), (0, 4)]
