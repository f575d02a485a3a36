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

    Args:
        targets: float (m, 6): number of the image in the batch, class, x1, y1, x2, y2 in pixels. x2 > x1 and y2 > y1.
        anchors: of the level, float (a, 2): width and height in pixels.
        stride: pixels between the cells.
        shape: rows and columns of the grid.
    """
    ratios = (targets[:, 4:] - targets[:, 2:4])[:, None] / anchors  # (m, a, 2)
    box, anchor = (torch.maximum(ratios, 1 / ratios).amax(-1) < MAX_RATIO).nonzero(as_tuple=True)
    targets = targets[box]
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
    return Matches(image, anchor[match], row, column, classes, targets[match, 2:])
