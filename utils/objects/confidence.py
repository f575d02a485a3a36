"""From the network's logits to objects: what it is not sure of goes, what touches is parted, pieces are joined."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from utils.network.letterbox import highest_class
from utils.objects.boxes import object_boxes
from utils.training.paste import between_objects

# How `split_touching` tells two things from one; chosen on real sheets and drawn ones.
LEVELS = np.arange(1.5, 6.6)  # margins between the highest logit and the second
PART_SHARE = 0.06  # of its object's area, for a part to be one
MIN_SIDE = 8  # pixels of the network's input
MIN_FILL = 0.7  # of its rectangle, that a part fills
MAX_LOSS = 0.02  # that the parts together fill theirs worse than the whole
MIN_DEPTH = 2.8  # that the margin falls from each part to the line between them
LINE_SHARE = 75  # percent of the line that lie so deep
WHOLE = ("Scale",)  # classes whose things do not lie edge to edge: what looks so is a panel or an emblem on a ruler
# What `join_strips` takes for a strip, so chosen, too.
RULER = 4  # times as long as wide is what it lies on
STRIP = 8  # times as long as wide it is
INSIDE = 0.9  # of a piece, on that
STRIP_FILL = 0.6  # of its rectangle, that the pieces fill
SQUARE = np.ones((3, 3), np.uint8)


def drop_unsure(logits: np.ndarray, min_confidence: float) -> np.ndarray:
    """`logits`, float (C, h, w), with background where an object is less sure than `min_confidence`, from 0 to 1.

    An object is an 8-connected component of the class with the highest logit, and its confidence the mean of that
    class's probability (softmax) over its pixels: a network that is sure of nothing about a thing has taken some stain
    or stamp for an object. A copy where anything changes.
    """
    if not min_confidence:
        return logits
    classes, result = highest_class(logits), logits
    for box in object_boxes(classes):
        inside, values = classes[box], logits[(slice(None), *box)]
        highest = values.max(0)
        confidence = 1 / np.exp(values - highest).sum(0)
        for k in np.unique(inside[inside > 0]):
            count, labels = cv2.connectedComponents((inside == k).view(np.uint8), connectivity=8)
            pixels = np.bincount(labels.ravel(), minlength=count)
            mean = np.bincount(labels.ravel(), confidence.ravel(), count) / np.maximum(pixels, 1)
            mean[0] = 1  # all that is no such object
            unsure = (mean < min_confidence)[labels]
            if unsure.any():
                result = logits.copy() if result is logits else result
                result[0][box][unsure] = highest[unsure] + 1
    return result


def refine_objects(logits: np.ndarray, name_classes: Sequence[str]) -> np.ndarray:
    """`logits`, float (C, h, w), of these classes after `split_touching`, but for WHOLE ones, and `join_strips`."""
    return join_strips(split_touching(logits, [k for k, name in enumerate(name_classes) if name in WHOLE]))


def join_strips(logits: np.ndarray) -> np.ndarray:
    """`logits`, float (C, h, w), with the pieces of a strip that lies on another object joined to one.

    Colour patches run along a ruler, and where something is printed between them the network sees the ruler. The pieces
    of one class inside the hull of a long object of another are one strip when they fill most of a long rectangle; what
    that object or the background has of it becomes theirs. A copy where anything changes.
    """
    classes, result = highest_class(logits), logits
    for box in object_boxes(classes):
        inside = classes[box]
        for a in np.unique(inside[inside > 0]):
            contours, _ = cv2.findContours((inside == a).view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            for contour in contours:
                sides = cv2.minAreaRect(contour)[1]
                if min(sides) < MIN_SIDE or max(sides) < RULER * min(sides):
                    continue
                hull = _drawn(inside.shape, cv2.convexHull(contour))
                for k in np.setdiff1d(np.unique(inside[hull]), (0, a)):
                    gap = _gap(inside == k, hull) & ((inside == a) | (inside == 0))
                    if gap.any():
                        result = logits.copy() if result is logits else result
                        _raise(result[(slice(None), *box)], k, gap)
    return result


def _gap(pieces: np.ndarray, hull: np.ndarray) -> np.ndarray:
    """What is missing between those of `pieces` that lie in `hull` and are one strip, if they are; bool (h, w) all."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(pieces.view(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    areas[np.bincount(labels[hull], minlength=len(areas)) < INSIDE * areas] = 0
    areas[0] = 0  # what is around them
    large = np.flatnonzero(areas > PART_SHARE * areas.sum())
    if len(large) > 1:
        strip = np.isin(labels, large)
        points = np.argwhere(strip)[:, ::-1].astype(np.int32)
        rectangle = cv2.minAreaRect(points)
        sides = np.add(rectangle[1], 1)
        if sides.max() >= STRIP * sides.min() and len(points) >= STRIP_FILL * sides.prod():
            corners = cv2.boxPoints(rectangle)
            axis = max(corners[1] - corners[0], corners[2] - corners[1], key=np.linalg.norm)
            x, y = axis / np.linalg.norm(axis)
            turned = np.indices(pieces.shape)[::-1].reshape(2, -1).T @ np.array([[x, -y], [y, x]])
            along, across = turned.T.reshape(2, *pieces.shape)  # where each pixel lies on the strip
            width = len(points) / len(np.unique(np.round(along[strip])))  # on average; the rectangle is wider
            inside = (along >= along[strip].min()) & (along <= along[strip].max())
            return inside & (np.abs(across - across[strip].mean()) <= width / 2) & ~strip
    return np.zeros_like(pieces)


def _drawn(shape: tuple[int, int], polygon: np.ndarray) -> np.ndarray:
    """A filled convex polygon, bool of `shape`; polygon: int32, (x, y) of its corners."""
    return cv2.fillConvexPoly(np.zeros(shape, np.uint8), polygon, 1).view(bool)


def _raise(values: np.ndarray, k: int, where: np.ndarray) -> float:
    """Makes k the class of `where`, bool (h, w), in the logits `values`, by a margin, which it gives back.

    It is the largest that any pixel has: lines outlast upsampling.
    """
    second, highest = np.partition(values, -2, axis=0)[-2:]
    margin = (highest - second).max()
    values[k][where] = highest[where] + margin
    return margin


def split_touching(logits: np.ndarray, whole: Sequence[int] = ()) -> np.ndarray:
    """`logits`, float (C, h, w), with a line of background between things of one class, none of `whole`, that touch.

    Labels and charts lie edge to edge, and the mask shows them as one object. Between them the network is less sure.
    Where an object falls apart when only pixels above some margin (highest minus second logit) are kept, its parts are
    nearly rectangles, and most of the line between them is a valley much deeper than either, it is taken for that many
    things. Each pixel goes to the part that it is reached from first as the margin falls (watershed by
    flooding: Vincent & Soille 1991, doi 10.1109/34.87344); the parts themselves may be split further. Writing and
    stains make the network less sure in places too, but not along a line from edge to edge. The line is a pixel of
    `logits` wide. A copy where anything changes.
    """
    classes, result = highest_class(logits), logits
    for box in object_boxes(classes):
        for k in np.setdiff1d(classes[box], (0, *whole)):
            things = (classes[box] == k).view(np.uint8)
            _, labels, stats, _ = cv2.connectedComponentsWithStats(things, connectivity=8)
            for index, (x, y, width, height, _) in enumerate(stats[1:], 1):
                if min(width, height) < MIN_SIDE:
                    continue
                inner = box[0].start + y, box[1].start + x
                inner = np.s_[inner[0]:inner[0] + height, inner[1]:inner[1] + width]
                own = labels[y:y + height, x:x + width] == index
                line = _lines(logits[(slice(None), *inner)], own)
                if line is not None:
                    result = logits.copy() if result is logits else result
                    _cut(result[(slice(None), *inner)], k, own, line)
    return result


def _cut(values: np.ndarray, k: int, own: np.ndarray, line: np.ndarray) -> None:
    """Makes background of `line`, bool (h, w), and surer to be no `k` what else lies between the things of `own`.

    That is where they are a pixel apart already: upsampled, they would touch there.
    """
    margin = _raise(values, 0, line)
    _, numbers = cv2.connectedComponents((own & ~line).view(np.uint8), connectivity=8)
    gap = between_objects(numbers, numbers == 0, 3)
    values[k][gap] = values[:, gap].min(0) - margin


def _lines(values: np.ndarray, own: np.ndarray) -> np.ndarray | None:
    """What of the object `own`, bool (h, w), connected, is none of the things it consists of; None for a single one.

    That is lines between them, and what these cut off: each thing is one connected component.
    """
    second, highest = np.partition(values, -2, axis=0)[-2:]
    margin = highest - second
    things, waiting, count = np.zeros(own.shape, np.int32), [own], 0
    while waiting:
        part = waiting.pop()
        parts = _parts(margin, part)
        if parts is None:
            count += 1
            things[part] = count
        else:
            waiting += [_largest(parts == index) for index in range(1, parts.max() + 1)]
    if count == 1:
        return None
    apart = np.where(_between(things), 0, things)
    return own & ~np.any([_largest(apart == index) for index in range(1, count + 1)], axis=0)


def _largest(part: np.ndarray) -> np.ndarray:
    """The largest connected component of `part`, bool (h, w), which is not empty."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(part.view(np.uint8), connectivity=8)
    return labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()


def _parts(margin: np.ndarray, own: np.ndarray) -> np.ndarray | None:
    """`own`, bool (h, w), connected, as 1 to n for each of its parts, int32, 0 elsewhere; None where it has no two."""
    area, whole = np.count_nonzero(own), _fill(own)
    for level in LEVELS:
        _, labels, stats, _ = cv2.connectedComponentsWithStats(((margin > level) & own).view(np.uint8), connectivity=4)
        seeds = 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= PART_SHARE * area)
        if len(seeds) < 2:
            continue
        numbers = np.zeros(len(stats), np.int32)
        numbers[seeds] = np.arange(1, len(seeds) + 1)
        parts = _flood(margin, own, numbers[labels], level)
        each = [parts == index for index in range(1, len(seeds) + 1)]
        fills = [_fill(part) for part in each]
        if min(fills) >= MIN_FILL and np.average(fills, weights=np.bincount(parts.ravel())[1:]) >= whole - MAX_LOSS:
            line = np.percentile(margin[_between(parts)], LINE_SHARE)
            if min(np.median(margin[part]) for part in each) - line >= MIN_DEPTH:
                return parts
    return None


def _between(parts: np.ndarray) -> np.ndarray:
    """Which pixels of `parts`, int32 (h, w), lie beside a part with a higher number, bool (h, w)."""
    numbers = parts.astype(np.float32)  # OpenCV dilates no int32
    return (numbers > 0) & (cv2.dilate(numbers, SQUARE) > numbers)


def _flood(margin: np.ndarray, own: np.ndarray, seeds: np.ndarray, level: float) -> np.ndarray:
    """`seeds`, int32 (h, w), grown over all of `own`, in steps of falling margin to the nearest pixels first.

    `cv2.watershed` would flood around the object, too, and give a part pixels on the far side of another.
    """
    parts = seeds.copy()
    for lower in (*LEVELS[LEVELS < level][::-1], -np.inf):
        _, nearest = cv2.distanceTransformWithLabels(
            (parts == 0).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        numbers = np.zeros(nearest.max() + 1, np.int32)
        numbers[nearest[parts > 0]] = parts[parts > 0]
        reached = own & (margin > lower) & (parts == 0)
        parts[reached] = numbers[nearest[reached]]
    return parts


def _fill(part: np.ndarray) -> float:
    """The share of its smallest rectangle that `part`, bool (h, w), fills; 0 where that is narrower than MIN_SIDE."""
    contours, _ = cv2.findContours(part.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    sides = np.add(cv2.minAreaRect(np.concatenate(contours))[1], 1)
    return np.count_nonzero(part) / sides.prod() if sides.min() >= MIN_SIDE else 0.0
