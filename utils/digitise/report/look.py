"""The look that pages share: one HTML file with its style, script and pictures inside, which needs no network.

A page is a Jinja2 template that extends base.html and fills its blocks; parts.html has what cards are made of.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from utils.utils import UserError, printable, write_bytes

HERE = Path(__file__).parent
SHARED_CSS = HERE / "shared.css"  # the pages of serve.py have it, too


def write_page(path: Path, template: Path, colors: Sequence[Sequence[int]], **values: Any) -> None:
    """Writes the page that `template` makes of `values`, piece by piece: an iterator among them is not held in memory.

    Args:
        path: the HTML file; an older one stays until the new one is whole.
        template: a file that extends base.html.
        colors: (R, G, B) of each class, background first; the page's CSS classes c1, c2... have them.
        values: what the template asks for, and for base.html title, verdict, folder (texts) and created (datetime).
            All texts as they are: the template escapes them.

    Raises:
        UserError: the file cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, HERE]), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent, "words": words, "shown": printable, "link": link}
    css = "".join(path.read_text(encoding="utf-8") for path in (SHARED_CSS, HERE / "page.css")) + _class_colours(colors)
    script = (HERE / "page.js").read_text(encoding="utf-8")
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src {_hash(css)}; script-src {_hash(script)}"
    )
    pieces = environment.get_template(template.name).generate(
        css=Markup(css), script=Markup(script), policy=policy, **values)
    try:
        write_bytes(path, (piece.encode("utf-8", "backslashreplace") for piece in pieces))
    except OSError as error:
        advice = "close the program that has it open, check the folder's permissions, or free some space"
        raise UserError(f"{path} cannot be written ({error}): {advice}.") from error


def data_uri(picture: Path | None) -> str:
    """A JPEG file as an address that needs no file; "" when it is not there, which the page shows as a grey sheet."""
    if picture is None or not picture.is_file():
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(picture.read_bytes()).decode()


def link(target: str | Path, folder: Path) -> str:
    """The address by which a page in `folder` reaches a file: relative, so that both can move together."""
    try:
        return quote(os.path.relpath(target, folder).replace(os.sep, "/"), errors="surrogateescape")
    except ValueError:  # Windows: they are on two drives
        return Path(target).resolve().as_uri()


def number(value: float, digits: int = 0) -> str:
    """A number that no country reads wrong: narrow spaces between thousands, a point before decimals."""
    return f"{value:,.{digits}f}".replace(",", "\u202f")


def percent(share: float) -> str:
    """A share of 1 in percent; 99.6% is not rounded up to all, 0.4% not down to none."""
    if 0 < share < 0.01:
        return "<1%"
    return ">99%" if 0.99 < share < 1 else f"{share:.0%}"


def words(name: str) -> str:
    """A name of our own, such as "no_barcode", as words: "No barcode"."""
    return name[:1].upper() + name[1:].replace("_", " ")


def _class_colours(colors: Sequence[Sequence[int]]) -> str:
    """CSS that gives the class c1 the colour of class 1 and so on, lighter on a dark page, and hides it on demand."""
    rules = []
    for index, color in enumerate(colors):
        dark = (int(channel) for channel in color)
        light = (128 + int(channel) // 2 for channel in color)
        for variable, channels in (("line", dark), ("light", light)):
            rules.append(f".c{index} {{ --{variable}: rgb({' '.join(map(str, channels))}); }}\n")
        rules.append(f".hide-c{index} .outlines .c{index} {{ display: none; }}\n")
    return "".join(rules)


def _hash(text: str) -> str:
    """What a Content-Security-Policy calls this style or script."""
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
