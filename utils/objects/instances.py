"""Tells the objects of one class apart by the network's embeddings.

A network that finds instances gives each pixel a point in the plane, its embedding. Those of one object lie close
together, those of two objects far apart (De Brabandere et al. 2017, arXiv 1708.02551). The clusters of a class's
embeddings are its objects, as in de la Hidalga et al. 2022, doi 10.1007/s00138-022-01276-z. Like there, the embedding
alone decides: two objects with one embedding stay one, however far apart they lie on the sheet.
"""

from __future__ import annotations

import cv2
import numpy as np

from utils.network.letterbox import resize_mask
from utils.objects.mean_shift import CELLS, MAX_CELLS, RADIUS, mean_shift
from utils.utils import UserError

MIN_PIXELS = 128    # of an object, at the network's scale, as in the paper; smaller clusters are noise
REACH = 2.0         # pixels at the network's scale that a class's outline may move when its mask is made larger
MOST = np.iinfo(np.uint16).max  # objects on a sheet


def find_instances(classes: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """The number of the object that each pixel belongs to, uint16 (h, w), 0 for none.

    Numbers count from 1 over the sheet, by class, then from top to bottom, then from left to right. The pixels of a
    cluster below MIN_PIXELS go to the nearest object in the same 8-connected component of the class; if there is none,
    they keep their class and have the number 0.

    Args:
        classes: uint8 (h, w), the class of each pixel at the network's scale.
        embeddings: float (2, h, w), at the same scale.

    Raises:
        UserError: the embeddings of objects are not finite or beyond all measure, or there are more than MOST objects.
    """
    instances = np.zeros(classes.shape, np.int32)
    for index in np.unique(classes[classes > 0]).tolist():
        inside = classes == index
        own = embeddings[:, inside]
        largest = np.abs(own).max()
        if not largest < MAX_CELLS * RADIUS / CELLS / 2:
            raise UserError(f"The network's embeddings are as large as {largest:.3g}, so they tell no objects apart: "
                            "its training failed. Take an earlier checkpoint.")
        found = np.zeros_like(instances)
        found[inside] = _large(mean_shift(own))
        _join_rest(found, inside)
        found[inside] = _in_reading_order(found, inside)[found[inside]]
        instances[found > 0] = found[found > 0] + instances.max()
    if instances.max() > MOST:
        raise UserError(f"The network finds {instances.max()} objects on one sheet, and at most {MOST} can be stored: "
                        "it is not trained well enough. Take another checkpoint.")
    return instances.astype(np.uint16)


def instances_at(mask: np.ndarray, classes: np.ndarray, instances: np.ndarray) -> np.ndarray:
    """The number of the object that each pixel of the sheet belongs to, uint16 (H, W), 0 for none.

    A pixel has the number of the nearest pixel of its class at the network's scale. Outlines of `mask` are finer than
    those of `classes`; where the two disagree, the nearest one is at most REACH away, or there is none. An object that
    has no pixel of its class in a `mask` smaller than `classes` is missing.

    Args:
        mask: uint8 (H, W), the class of each pixel of the sheet.
        classes: uint8 (h, w), the same at the network's scale.
        instances: uint16 (h, w), from `find_instances`.
    """
    result = np.zeros(mask.shape, np.uint16)
    for index in np.unique(classes[instances > 0]).tolist():
        nearest, distance = _nearest(instances, classes == index)
        nearest[distance > REACH] = 0
        np.copyto(result, resize_mask(nearest, mask.shape), where=mask == index)
    return result


def _large(clusters: np.ndarray) -> np.ndarray:
    """`clusters`, int (n,) from -1, counted from 1; 0 for -1 and for those with fewer than MIN_PIXELS pixels."""
    clusters = clusters + 1
    small = np.bincount(clusters) < MIN_PIXELS
    small[0] = True
    return np.where(small[clusters], 0, clusters)


def _join_rest(found: np.ndarray, inside: np.ndarray) -> None:
    """Gives the pixels of a class without an object that of the nearest pixel in the same 8-connected component.

    found: int32 (h, w), changed in place: numbers of the objects, or 0.
    inside: bool (h, w), where the class is.
    """
    rest = inside & (found == 0)
    if not rest.any() or not found.any():
        return
    _, components, boxes, _ = cv2.connectedComponentsWithStats(inside.view(np.uint8), connectivity=8)
    for component in np.intersect1d(components[rest], components[found > 0]):
        left, top, width, height, _ = boxes[component]
        box = np.s_[top:top + height, left:left + width]
        own = components[box] == component
        nearest, _ = _nearest(found[box], own & (found[box] > 0))
        np.copyto(found[box], nearest, where=own)


def _nearest(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The value of the pixel in `known` that is nearest to each pixel, like values, and its distance, float32 (h, w).

    values: integers (h, w).
    known: bool (h, w), True at least once.
    """
    distance, labels = cv2.distanceTransformWithLabels(
        (~known).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(labels.max() + 1, values.dtype)
    table[labels[known]] = values[known]
    return table[labels], distance


def _in_reading_order(found: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """New numbers, from 1 without gaps, for those in `found`, as a table: by the top, then the left of their boxes.

    found: int32 (h, w), 0 for none.
    inside: bool (h, w), where `found` can be more than 0.
    """
    numbers, (rows, columns) = found[inside], np.nonzero(inside)
    top = np.full(numbers.max() + 1, found.size)
    left = top.copy()
    np.minimum.at(top, numbers, rows)
    np.minimum.at(left, numbers, columns)
    top[0] = left[0] = -1
    order = np.lexsort((left, top))
    order = order[top[order] < found.size]
    table = np.zeros(len(top), np.int32)
    table[order] = np.arange(len(order))
    return table
