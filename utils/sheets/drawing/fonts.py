"""Fonts: those that come with Matplotlib and, if wanted, those of the system."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

BUNDLED = {
    "sans": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "cmss10.ttf"),
    "serif": ("STIXGeneral.ttf", "STIXGeneralBol.ttf", "STIXGeneralItalic.ttf", "DejaVuSerif.ttf",
              "DejaVuSerif-Bold.ttf", "cmr10.ttf", "cmb10.ttf"),
    "mono": ("DejaVuSansMono.ttf", "cmtt10.ttf", "DejaVuSansMono-Bold.ttf"),
    "italic": ("STIXGeneralItalic.ttf", "STIXGeneralBolIta.ttf", "DejaVuSerif-Italic.ttf", "DejaVuSans-Oblique.ttf"),
    "wide": ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf"),  # Latin, Greek and Cyrillic
}
SYSTEM = {
    "sans": ("Arial", "Helvetica", "Liberation Sans", "Noto Sans", "Verdana", "Calibri", "Open Sans", "Roboto"),
    "serif": ("Times New Roman", "Liberation Serif", "Noto Serif", "Georgia", "Garamond", "Palatino", "Cambria"),
    "mono": ("Courier New", "Liberation Mono", "Noto Sans Mono", "Courier", "Consolas", "Menlo"),
    "italic": (),
    "wide": ("Arial", "Times New Roman", "Liberation Sans", "Liberation Serif", "Noto Sans", "Noto Serif"),
}


@dataclass(frozen=True)
class Fonts:
    """Font files by kind: "sans", "serif", "mono", "italic" and "wide" (also Greek and Cyrillic)."""

    files: dict[str, tuple[str, ...]]


@lru_cache
def find_fonts(which: str) -> Fonts:
    """The fonts for `which`.

    "bundled": those of Matplotlib, which are the same on every machine. "system": also the text fonts of this machine,
    so sheets differ between machines.
    """
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    files = {kind: tuple(str(folder / name) for name in names) for kind, names in BUNDLED.items()}
    if which == "system":
        from matplotlib.font_manager import fontManager  # imported only here, because it scans the machine's fonts

        for kind, names in SYSTEM.items():
            files[kind] += tuple(sorted(font.fname for font in fontManager.ttflist if font.name in names))
    return Fonts(files)


@lru_cache(maxsize=512)
def load_font(path: str, size: int) -> ImageFont.FreeTypeFont:
    """The font file at `size` pixels, with basic layout, so that text is the same with and without libraqm."""
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def text_mask(text: str, path: str, size: float) -> np.ndarray:
    """One line of text, uint8 (h, w): 0 paper, 255 ink. `size` is the font size in pixels."""
    font = load_font(path, max(4, round(size)))
    ascent, descent = font.getmetrics()
    image = Image.new("L", (max(1, int(np.ceil(font.getlength(text)))) + 4, max(1, ascent + descent)))
    ImageDraw.Draw(image).text((2, 0), text, fill=255, font=font)
    return np.asarray(image)
