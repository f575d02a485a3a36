"""The colours of a colour chart of any kind: its patches, what is clipped, the cast of its greys, the batch's drift."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from utils.digitise.reading.colour import ciede2000, to_lab
from utils.digitise.record import ChartColours
from utils.objects.regions import Region

Patches = Sequence[Sequence[float]]  # of one chart: L*, a*, b* of each patch

AREA = 120_000  # pixels that a chart is brought to; the thresholds below were set on the 108 charts of 135 sheets
ENLARGE = 2.0  # at most; a larger picture of a small chart shows nothing more
PATCH = (0.001, 0.2)  # least and greatest share of the chart's area
FILL = 0.65  # least share of its upright box that a patch fills
LONG = 3.5  # length of a patch in widths, at most
FLAT, NOISE, LIMITS = 2.5, 30, (8, 16)  # flat: differs by less than 2.5 times what 30% of the pixels do; 8 to 16
ALIKE = (1 / 5, 4)  # area of a patch, in areas of the usual patch: smaller are letters, larger is the card itself

CLIPPED = (2, 254)  # JPEG moves values at the ends, 0 and 255, by one or two
GREY_LIGHTNESS = (15, 98)  # darker, there is hardly a colour to see; lighter, the channels are clipped
GREYS = 3  # patches of different lightness, at least
GREY_STEP, GREY_SPAN = 5.0, 30.0  # L* between two greys of different lightness, and from the darkest to the lightest
GREY_CHROMA = 20.0  # that a cast can give to a grey patch
STRAY = 2.5  # units of a*, b* that a grey patch may be off the line of the greys
BEND = 0.25  # change of a* or b* with L* along that line, at most

SAME = 0.65  # share of the patches that two charts of one kind have in common
NEAR = 15.0  # units of L*, a*, b* that a patch may differ from its like, once the charts' means agree
ROUNDS = 3  # of matching patches and moving the means
KINDS = 16  # of charts in one group, at most
FEWEST = 5  # charts of one kind in a group, for the comparison to say something


def measure_chart(pixels: np.ndarray, region: Region, index: int, profile: bytes | None = None) -> ChartColours:
    """The colours of one colour chart.

    A channel at 254 or 255 is at its highest value and clipped: the white patch of a chart that is exposed well has
    about 243. The darkest patch has about 50; where all channels are at most 2, the shadows are clipped.

    Args:
        pixels: uint8 (H, W, 3), the sheet.
        region: the chart.
        index: its place among the sheet's objects.
        profile: the ICC profile of the file.
    """
    card, inside = _upright(pixels, region)
    patches = _colours(_patches(card, inside), profile)
    red, green, blue = cv2.split(card)
    highest = cv2.max(cv2.max(red, green), blue)[inside]  # of the channels
    return ChartColours(
        index, tuple(tuple(round(value, 2) for value in patch) for patch in patches.tolist()),
        float((highest >= CLIPPED[1]).mean()), float((highest <= CLIPPED[0]).mean()), cast(patches),
    )


def cast(patches: Patches) -> tuple[float, float] | None:
    """Mean a* and b* of the grey patches; None when fewer than three of different lightness are found.

    Under a cast, greys are not grey, but they stay on a line: a* and b* change evenly with L*, and little. The line
    with most patches of different lightness is taken, and of several the one that is least coloured.
    """
    lab = np.asarray(patches, np.float64).reshape(-1, 3)
    lab = lab[(GREY_LIGHTNESS[0] <= lab[:, 0]) & (lab[:, 0] <= GREY_LIGHTNESS[1])
              & (np.hypot(lab[:, 1], lab[:, 2]) <= GREY_CHROMA)]
    best, greys = (GREYS - 1, 0.0), None
    for one, other in itertools.combinations(lab, 2):
        step = other - one
        if abs(step[0]) < GREY_STEP or np.abs(step[1:]).max() > BEND * abs(step[0]):
            continue
        line = one[1:] + (lab[:, :1] - one[0]) * step[1:] / step[0]
        on_line = lab[np.abs(lab[:, 1:] - line).max(1) <= STRAY]
        steps = np.unique(np.round(on_line[:, 0] / GREY_STEP)).size
        score = (steps, -float(np.hypot(*on_line[:, 1:].mean(0))))
        if score > best and np.ptp(on_line[:, 0]) >= GREY_SPAN:
            best, greys = score, on_line
    if greys is None:
        return None
    a, b = greys[:, 1:].mean(0).round(2).tolist()
    return a, b


def drift(charts: Sequence[Patches], groups: Sequence[str] | None = None) -> np.ndarray:
    """How far each chart's colours are from the batch's own: mean CIEDE2000 over its patches, float64 (N,).

    Charts of one kind in one group are compared with the median of their patches. Patches are matched by colour, so
    it does not matter how a chart lies or that a patch was missed. NaN: fewer than five charts of this kind.

    Args:
        charts: the patches of each.
        groups: of each chart, such as its institution; charts of different groups are not compared. None: all are.
    """
    result = np.full(len(charts), np.nan)
    kinds: dict[str, list[_Kind]] = {}
    for number, patches in enumerate(charts):
        lab = np.asarray(patches, np.float32).reshape(-1, 3)
        if len(lab):
            _join(kinds.setdefault(groups[number] if groups else "", []), number, lab)
    for kind in itertools.chain.from_iterable(kinds.values()):
        if len(kind.members) >= FEWEST:
            usual = np.nanmedian(np.stack(kind.patches), axis=0)
            result[kind.members] = [np.nanmean(ciede2000(patches, usual)) for patches in kind.patches]
    return result


class _Kind(NamedTuple):
    """Charts of one kind, with their patches in the order of the first one's, float32 (M, 3); NaN: it was missed."""

    members: list[int]
    patches: list[np.ndarray]


def _join(kinds: list[_Kind], number: int, lab: np.ndarray) -> None:
    """Adds a chart to the kind that it belongs to, or to `kinds` as a new one.

    At most KINDS are kept, or a batch of all sorts would take hours: the smallest makes room.
    """
    for kind in kinds:
        patches = _match(lab, kind.patches[0])
        if patches is not None:
            kind.members.append(number)
            kind.patches.append(patches)
            return
    if len(kinds) == KINDS:
        kinds.remove(min(kinds, key=lambda kind: len(kind.members)))
    kinds.append(_Kind([number], [lab]))


def _match(lab: np.ndarray, like: np.ndarray) -> np.ndarray | None:
    """The patches in the order of those of another chart, float32 (M, 3), NaN where there is no such patch.

    Two patches belong together when each is the other's nearest after the charts were shifted to equal means, so that
    a cast does not matter. None: the charts are of different kinds.

    lab, like: float32 (N, 3) and (M, 3).
    """
    shift = like.mean(0) - lab.mean(0)
    for _ in range(ROUNDS):
        apart = np.square(lab[:, None] + shift - like).sum(2)
        nearest = apart.argmin(0)  # of each patch of `like`
        places = np.flatnonzero((apart.argmin(1)[nearest] == np.arange(len(like))) & (apart.min(0) <= NEAR ** 2))
        if not len(places):
            return None
        shift = (like[places] - lab[nearest[places]]).mean(0)
    if len(places) < SAME * max(len(lab), len(like)):
        return None
    matched = np.full_like(like, np.nan)
    matched[places] = lab[nearest[places]]
    return matched


def _upright(pixels: np.ndarray, region: Region) -> tuple[np.ndarray, np.ndarray]:
    """The chart turned upright and brought to AREA, uint8 (h, w, 3), and which of its pixels are the chart, bool."""
    box = pixels[region.top:region.top + region.height, region.left:region.left + region.width]
    width, height = region.rectangle.width, region.rectangle.height
    scale = min(ENLARGE, (AREA / (width * height)) ** 0.5)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    corners = (region.rectangle.corners() - (region.left, region.top)).astype(np.float32)
    outline = np.array(region.polygon) - (region.left, region.top)
    if scale < 1:
        small = cv2.resize(box, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        shrink = np.array([small.shape[1] / box.shape[1], small.shape[0] / box.shape[0]], np.float32)
        box, corners, outline = small, corners * shrink, outline * shrink
    target = np.array([[0, 0], [width, 0], [0, height]], np.float32)
    turn = cv2.getAffineTransform(corners[[0, 1, 3]], target)
    card = cv2.warpAffine(box, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = np.zeros((height, width), np.uint8)
    outline = cv2.transform(outline[None], turn)[0]
    cv2.fillPoly(inside, [outline.round().astype(np.int32)], 1)
    return card, inside.view(bool)


def _patches(card: np.ndarray, inside: np.ndarray) -> list[np.ndarray]:
    """The pixels of each colour patch, uint8 (n, 3).

    A patch is flat, fills its box, is not long, and is about as large as the others.
    """
    smooth = cv2.medianBlur(card, 3)
    edges = cv2.morphologyEx(smooth, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(2)
    limit = np.clip(FLAT * np.percentile(edges[inside], NOISE), *LIMITS)
    flat = ((edges < limit) & inside).view(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(flat, connectivity=4)
    width, height, area = (stats[1:, column].astype(np.float64) for column in (2, 3, 4))
    share = area / inside.sum()
    fits = (PATCH[0] <= share) & (share <= PATCH[1]) & (area >= FILL * width * height)
    fits &= np.maximum(width, height) <= LONG * np.minimum(width, height)
    if not fits.any():
        return []
    sizes = np.sort(area[fits])
    usual = sizes[np.searchsorted(sizes.cumsum(), sizes.sum() / 2)]  # half of the flat area is in larger patches
    fits &= (ALIKE[0] * usual <= area) & (area <= ALIKE[1] * usual)
    found = []
    for number in np.flatnonzero(fits) + 1:
        left, top, width, height, _ = stats[number]
        box = slice(top, top + height), slice(left, left + width)
        found.append(smooth[box][labels[box] == number])
    return found


def _colours(found: list[np.ndarray], profile: bytes | None) -> np.ndarray:
    """CIELAB of the patches, float32 (N, 3), the lightest first: the mean of the middle half of each channel.

    As robust as the median, and finer than the steps of 8 bits. found: the pixels of each patch, uint8 (n, 3).
    """
    if not found:
        return np.zeros((0, 3), np.float32)
    lab = to_lab(np.concatenate(found), profile)
    parts = np.split(lab, np.cumsum([len(pixels) for pixels in found[:-1]]))
    middles = [np.sort(part, axis=0)[len(part) // 4:len(part) - len(part) // 4].mean(0) for part in parts]
    return np.array(sorted(middles, key=lambda patch: -patch[0]))
