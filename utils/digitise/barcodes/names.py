"""Compares barcodes with file names."""

from __future__ import annotations

import itertools
import re
import unicodedata

from utils.utils import UserError


def text_of_name(stem: str, pattern: str) -> dict[str, str] | None:
    """The named groups of `pattern` in a file name, without those that are absent; None: the pattern does not fit.

    Args:
        stem: the file's name without its suffix.
        pattern: a regular expression for the whole of it, with the named group "barcode"; other named groups are free.

    Raises:
        UserError: the pattern is no regular expression, or lacks the group.
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(f"barcode_pattern is {pattern!r}, which is no regular expression ({error}).", 2) from error
    if "barcode" not in compiled.groupindex:
        raise UserError(
            f"barcode_pattern is {pattern!r}: name the part that is the barcode, as in (?P<barcode>[A-Z]+[0-9]+).", 2)
    found = compiled.fullmatch(stem)
    return found and {name: text for name, text in found.groupdict().items() if text is not None}


def matches_name(text: str, stem: str, pattern: str) -> bool:
    """Whether the text of a barcode is what the file name says.

    Spaces, punctuation and letter case do not count, nor the stars around Code 39, the beginning of a web address, and
    the zeros and the check digit that EAN-13 adds. The letters before a number may be missing on one side
    (NY_01498139.jpg has the barcode 01498139) or stand behind it in brackets (000574146 (BM)). All digits count
    otherwise, leading zeros, too.

    Args:
        text: of the barcode.
        stem, pattern: as in `text_of_name`.

    Raises:
        UserError: as `text_of_name`.
    """
    name = _plain((text_of_name(stem, pattern) or {}).get("barcode", ""))
    return any(_same(name, reading) for reading in _readings(_plain(text)))


def same_number(one: str, other: str) -> bool:
    """Whether the texts of two barcodes say the same, as those of a square and of bars on one sticker may."""
    return any(_same(*pair) for pair in itertools.product(_readings(_plain(one)), _readings(_plain(other))))


def _plain(text: str) -> str:
    """The identifier in a text: its letters, small, and digits; letters in brackets at its end come first."""
    if "://" in text:
        text = re.split(r"[/=#]", text.rstrip("/"))[-1]
    text = re.sub(r"^(.*)\(([^()]*)\)\s*$", r"\2\1", text, flags=re.DOTALL)
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def _readings(text: str) -> list[str]:
    """What a plain text can stand for: itself, and the number in an EAN-13 with and without its check digit."""
    if not re.fullmatch("0[0-9]{12}", text):
        return [text]
    check = -sum(int(digit) * weight for digit, weight in zip(text[:12], (1, 3) * 6)) % 10
    return [text, text.lstrip("0"), text[:12].lstrip("0")] if check == int(text[12]) else [text]


def _same(one: str, other: str) -> bool:
    """Whether two plain texts differ at most in letters before the number that one of them lacks."""
    if one == other:
        return bool(one)
    longer, shorter = sorted((one, other), key=len, reverse=True)
    return shorter[:1].isdigit() and longer.endswith(shorter) and longer[:-len(shorter)].isalpha()
