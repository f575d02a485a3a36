"""Which cells and anchors of one level of YOLOv5 have to find which box."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

MAX_RATIO = 4.0  # a box fits an anchor whose sides are less than this many times longer or shorter


class Matches(NamedTuple):
    """The k matches of one level. A box may have none or several; int64 (k,) except `boxes`."""

    image: Tensor  # number of the image in the batch
    anchor: Tensor  # number of the anchor in the level
    row: Tensor
    column: Tensor
    classes: Tensor  # class of the box
    boxes: Tensor  # float (k, 4): x1, y1, x2, y2 of the box in pixels


def assign(targets: Tensor, anchors: Tensor, stride: int, shape: tuple[int, int]) -> Matches:
    """The matches of one level.

    A box matches each anchor that it fits. It is found by the cell that holds its centre and by this cell's neighbours
    on the side where the centre lies, one across and one down, if they are in the grid. So there are up to three cells.
    A centre in the middle between two sides has no neighbour there.

    Where several boxes match one anchor in one cell, the one that fits it best keeps it, as a cell can find one box per
    anchor. In YOLOv5 it has to find all of them, and finds something between: strips of patches on long rulers have
    almost the centre of the ruler.

    Args:
        targets: float (m, 6): number of the image in the batch, class, x1, y1, x2, y2 in pixels. x2 > x1 and y2 > y1.
        anchors: of the level, float (a, 2): width and height in pixels.
        stride: pixels between the cells.
        shape: rows and columns of the grid.
    """
    ratios = (targets[:, 4:] - targets[:, 2:4])[:, None] / anchors  # (m, a, 2)
    ratios = torch.maximum(ratios, 1 / ratios).amax(-1)
    box, anchor = (ratios < MAX_RATIO).nonzero(as_tuple=True)
    targets, ratios = targets[box], ratios[box, anchor]
    limits = torch.tensor([shape[1], shape[0]], device=targets.device)
    centres = (targets[:, 2:4] + targets[:, 4:]) / 2 / stride
    cells = centres.long()  # x and y
    sides = ((centres - cells) - 0.5).sign().long()  # -1 left or above, 0 in the middle, 1 right or below
    across, down = sides * torch.tensor([[[1, 0]], [[0, 1]]], device=targets.device)
    places = torch.stack((cells, cells + across, cells + down))  # (3, k, 2)
    kept = ((places >= 0) & (places < limits)).all(-1)
    kept[1:] &= sides.T != 0
    _, match = kept.nonzero(as_tuple=True)
    column, row = places[kept].unbind(1)
    image, classes = targets[match, :2].long().unbind(1)
    matches = Matches(image, anchor[match], row, column, classes, targets[match, 2:])
    best = _best(torch.stack(matches[:4]), ratios[match])
    return Matches(*(values[best] for values in matches))


def _best(places: Tensor, ratios: Tensor) -> Tensor:
    """The matches that keep their place, as sorted numbers.

    places: int64 (4, k), the image, anchor, row and column of each match.
    ratios: of each match, 1 or more; the lowest one of a place wins.
    """
    order = ratios.argsort(stable=True)
    _, place = places[:, order].unique(dim=1, return_inverse=True)
    by_place = place.argsort(stable=True)
    first = torch.ones_like(place, dtype=torch.bool)
    first[1:] = place[by_place].diff() != 0
    return order[by_place[first]].sort().values
