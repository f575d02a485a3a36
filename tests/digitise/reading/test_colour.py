"""CIELAB by LittleCMS, and CIEDE2000 on the test data of its authors."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageCms

from utils.digitise.reading.colour import ciede2000, to_lab

# Sharma, Wu and Dalal (2005), table 1: L*, a*, b* of two colours, and their difference
SHARMA = np.array([
    (50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425),
    (50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615),
    (50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412),
    (50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000),
    (50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000),
    (50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000),
    (50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669),
    (50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669),
    (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792),
    (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792),
    (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195),
    (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195),
    (50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045),
    (50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045),
    (50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461),
    (50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065),
    (50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492),
    (50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977),
    (50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030),
    (50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535),
    (50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000),
    (50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000),
    (50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000),
    (50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000),
    (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
    (63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630),
    (61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731),
    (35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645),
    (22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373),
    (36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146),
    (90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441),
    (90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381),
    (6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377),
    (2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082),
])


def test_ciede2000_agrees_with_the_34_pairs_of_its_authors() -> None:
    first, second, expected = SHARMA[:, :3], SHARMA[:, 3:6], SHARMA[:, 6]
    assert len(SHARMA) == 34
    np.testing.assert_allclose(ciede2000(first, second), expected, atol=1e-4)
    np.testing.assert_allclose(ciede2000(second, first), expected, atol=1e-4)


def test_ciede2000_compares_every_colour_with_every_other() -> None:
    differences = ciede2000(SHARMA[:5, None, :3], SHARMA[None, :7, 3:6])
    assert differences.shape == (5, 7)
    np.testing.assert_allclose(np.diag(differences), SHARMA[:5, 6], atol=1e-4)
    assert ciede2000(np.array([50, 0, 0]), np.array([50, 0, 0])) == 0


def test_lab_of_known_srgb_colours() -> None:
    """Worked out with colour-science 0.4.7 (sRGB, Bradford's adaptation to D50), rounded to two places."""
    pixels = np.array([(255, 255, 255), (0, 0, 0), (119, 119, 119), (255, 0, 0), (70, 110, 40)], np.uint8)
    expected = [(100, 0, 0), (0, 0, 0), (50.03, 0, 0), (54.29, 80.83, 69.91), (42.26, -24.49, 33.36)]
    lab = to_lab(pixels)
    assert lab.dtype == np.float32
    np.testing.assert_allclose(lab, expected, atol=0.6)
    assert to_lab(pixels.reshape(5, 1, 1, 3)).shape == (5, 1, 1, 3)
    assert to_lab(np.zeros((0, 3), np.uint8)).shape == (0, 3)


def test_a_part_of_an_image_is_converted_like_the_whole() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    np.testing.assert_array_equal(to_lab(image[5:20:2, ::3]), to_lab(image)[5:20:2, ::3])


def swapped_profile() -> bytes:
    """An ICC profile with the primaries red and green of sRGB exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")


def test_the_profile_of_the_file_decides() -> None:
    red, green = np.array([[255, 0, 0]], np.uint8), np.array([[0, 255, 0]], np.uint8)
    np.testing.assert_allclose(to_lab(red, swapped_profile()), to_lab(green), atol=1)


def lab_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


@pytest.mark.parametrize("profile", [b"", b"not a profile", swapped_profile()[:200], lab_profile()])
def test_a_profile_that_cannot_be_used_means_srgb(profile: bytes) -> None:
    pixels = np.array([[200, 30, 90]], np.uint8)
    np.testing.assert_array_equal(to_lab(pixels, profile), to_lab(pixels))
