"""The bars of Code 128 (ISO/IEC 15417), in every usual way of encoding a text.

Printers differ in where they change between code sets, so one text has several symbols. zxing-cpp draws only one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import numpy as np

# Widths of bar, gap, bar, gap, bar, gap of the values 0 to 105, and those of the stop symbol.
PATTERNS = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 "
    "123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 "
    "232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 "
    "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 "
    "111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 "
    "111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 "
    "114311 411113 411311 113141 114131 311141 411131 211412 211214 211232 2331112"
).split()
SETS: dict[str, str] = {  # code set -> the characters of its values 0 to 95; set C has pairs of digits
    "A": "".join(map(chr, (*range(32, 96), *range(32)))),
    "B": "".join(map(chr, range(32, 128))),
}
START: dict[str, int] = {"A": 103, "B": 104, "C": 105}
CHANGE: dict[str, int] = {"A": 101, "B": 100, "C": 99}  # to this set
MOST_WAYS = 60  # of one text; long texts of many numbers have more


def code128_widths(text: str) -> Iterator[np.ndarray]:
    """The widths of bars and gaps, float (n,) beginning with a bar, in each way in which `text` can be encoded."""
    for values in itertools.islice(_encodings(text), MOST_WAYS):
        check = (values[0] + sum(place * value for place, value in enumerate(values))) % 103
        yield np.array([float(width) for value in (*values, check, -1) for width in PATTERNS[value]])


def _encodings(text: str) -> Iterator[list[int]]:
    """The values from the start symbol on, without check and stop, in each way.

    Characters are of one set, A or B, in the whole text; a number is in it, too, or in set C but for an odd digit,
    which is its first or its last.
    """
    if not text:
        return
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    ways = list(itertools.product(*(_splits(part) if part[0] in "0123456789" else [(part, "", "")] for part in parts)))
    for name in (name for name in "BA" if set(text) <= set(SETS[name])):
        for way in ways:
            now, values = "", []
            for plain, pairs, rest in way:
                for new, part in ((name, plain), ("C", pairs), (name, rest)):
                    if part and new != now:
                        values.append(CHANGE[new] if now else START[new])
                        now = new
                    if new == "C":
                        values += [int(part[place:place + 2]) for place in range(0, len(part), 2)]
                    else:
                        values += [SETS[name].index(letter) for letter in part]
            yield values


def _splits(number: str) -> list[tuple[str, str, str]]:
    """The ways to write a number: its digits in set A or B, those in pairs in set C, and those in A or B again."""
    even = len(number) // 2 * 2
    ways = [(number, "", ""), ("", number[:even], number[even:]), (number[:len(number) - even], number[-even:], "")]
    return list(dict.fromkeys(ways)) if even else ways[:1]
