"""Colours as people see them: CIELAB, and how far two colours are apart."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image, ImageCms

PROFILES = 8  # conversions that are kept at a time; a batch usually has one ICC profile


def to_lab(pixels: np.ndarray, profile: bytes | None = None) -> np.ndarray:
    """CIELAB of RGB pixels, float32 (..., 3): L* from 0 to 100, a* and b* from -128 to 127.

    The white point is D50, as ICC profiles have it, and the conversion relative colorimetric. LittleCMS gives Pillow
    8 bits a channel: one pixel's L* is right within 0.2, its a* and b* within 0.5, or 0.9 for the most vivid colours.
    The mean of many pixels that are not all alike is more accurate.

    Args:
        pixels: uint8 (..., 3).
        profile: the ICC profile of the file. With none, a broken one, or one that is not for RGB, sRGB is taken.
    """
    rows = np.ascontiguousarray(pixels).reshape(1, -1, 3)
    if not rows.size:
        return np.zeros(pixels.shape, np.float32)
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(rows), _conversion(profile)))
    lab = converted.view(np.int8).astype(np.float32)  # a* and b* are signed, though Pillow does not say so
    lab[..., 0] = converted[..., 0] * np.float32(100 / 255)
    return lab.reshape(pixels.shape)


def ciede2000(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The colour difference CIEDE2000 between CIELAB colours, float64 (...); 1 can just be seen.

    As G. Sharma, W. Wu and E. N. Dalal (2005), "The CIEDE2000 color-difference formula: implementation notes,
    supplementary test data, and mathematical observations", with all weights (kL, kC, kH) at 1.

    first, second: float (..., 3) of L*, a*, b*; the shapes are broadcast.
    """
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(np.asarray(lab, np.float64), -1, 0) for lab in (first, second))
    stretch = 1 + 0.5 * (1 - _saturation((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    coloured = c1 * c2 != 0  # grey has no hue

    turn = np.where(coloured, h2 - h1, 0)
    turn = turn - 360 * np.sign(turn) * (np.abs(turn) > 180)  # the shorter way around; 180 stays as it is
    lightness, chroma = l2 - l1, c2 - c1
    hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)

    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    mean_h = np.where(coloured, h1 + turn / 2, h1 + h2)
    weight = (1 - 0.17 * _cosine(mean_h - 30) + 0.24 * _cosine(2 * mean_h)
              + 0.32 * _cosine(3 * mean_h + 6) - 0.20 * _cosine(4 * mean_h - 63))
    lightness = lightness / (1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2))
    chroma = chroma / (1 + 0.045 * mean_c)
    hue = hue / (1 + 0.015 * mean_c * weight)
    blue = 60 * np.exp(-(((mean_h % 360 - 275) / 25) ** 2))  # degrees by which the ellipses lie turned near blue
    rotation = -2 * _saturation(mean_c) * np.sin(np.radians(blue))
    return np.sqrt(lightness ** 2 + chroma ** 2 + hue ** 2 + rotation * chroma * hue)


def _saturation(chroma: np.ndarray) -> np.ndarray:
    """0 for grey to 1 for vivid colours."""
    return np.sqrt(chroma ** 7 / (chroma ** 7 + 25.0 ** 7))


def _cosine(degrees: np.ndarray) -> np.ndarray:
    return np.cos(np.radians(degrees))


@functools.lru_cache(PROFILES)
def _conversion(profile: bytes | None) -> ImageCms.ImageCmsTransform:
    """LittleCMS's way from RGB of this profile to CIELAB."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("sRGB")
        return _build(source)
    except (OSError, ImageCms.PyCMSError):
        return _build(ImageCms.createProfile("sRGB"))


def _build(source: ImageCms.ImageCmsProfile | ImageCms.core.CmsProfile) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        source, ImageCms.createProfile("LAB"), "RGB", "LAB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
