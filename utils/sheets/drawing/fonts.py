"""Fonts: those that come with Matplotlib, parts of two free fonts in `glyphs/`, and, if wanted, those of the system."""

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
GLYPHS = Path(__file__).parent / "glyphs"
EASTERN = ("NotoSansCJK-part.otf", "NotoSerifCJK-part.otf")  # only the signs of utils/sheets/drawing/eastern.py
FIRST_EASTERN = "\u1100"  # the first Hangul letter; Latin, Greek and Cyrillic letters come before it
SYSTEM = {
    "sans": ("Arial", "Helvetica", "Liberation Sans", "Noto Sans", "Verdana", "Calibri", "Open Sans", "Roboto"),
    "serif": ("Times New Roman", "Liberation Serif", "Noto Serif", "Georgia", "Garamond", "Palatino", "Cambria"),
    "mono": ("Courier New", "Liberation Mono", "Noto Sans Mono", "Courier", "Consolas", "Menlo"),
    "italic": (),
    "wide": ("Arial", "Times New Roman", "Liberation Sans", "Liberation Serif", "Noto Sans", "Noto Serif"),
}


@dataclass(frozen=True)
class Fonts:
    """Font files by kind: "sans", "serif", "mono", "italic", "wide" (also Greek and Cyrillic) and "eastern"."""

    files: dict[str, tuple[str, ...]]

    def beyond_ascii(self, text: str, kind: str) -> str:
        """The font file for a text that is not plain ASCII, without serifs if `kind` is "sans"."""
        family = "eastern" if max(text) >= FIRST_EASTERN else "wide"
        return self.files[family][0 if kind == "sans" else 1]


@lru_cache
def find_fonts(which: str) -> Fonts:
    """The fonts for `which`.

    "bundled": those of Matplotlib and of `glyphs/`, which are the same on every machine. "system": also the text fonts
    of this machine, so sheets differ between machines.
    """
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    files = {kind: tuple(str(folder / name) for name in names) for kind, names in BUNDLED.items()}
    files["eastern"] = tuple(str(GLYPHS / name) for name in EASTERN)
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
