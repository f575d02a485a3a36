"""The instance loss: De Brabandere et al. 2017, arXiv 1708.02551, on the objects of each class.

It pulls the embeddings of one object's pixels together, and pushes objects of the same class apart. Objects of
different classes may have the same embedding.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PULL, PUSH, CENTRE = 1.0, 1.0, 0.001  # weights of the three terms: alpha, beta and gamma in section 3.1 of the paper
NEAR = 0.5  # delta_v: pixels no farther than this from their object's mean are not pulled
FAR = 3.0  # 2 delta_d: objects whose means are at least this far apart are not pushed
NO_CLASS = 254  # from this value on, a mask holds no classes: GAP and IGNORE of utils/utils.py


def discriminative_loss(embeddings: Tensor, masks: Tensor, instances: Tensor, original: bool = False) -> Tensor:
    """The loss of a batch, float32 scalar: summed over the classes of an image, averaged over images with objects.

    For one class with C objects, where m is the mean embedding x of an object:

        PULL * mean over objects of the mean over its pixels of max(|x - m| - NEAR, 0)^2
        + PUSH * mean over pairs of objects of max(FAR - |m1 - m2|, 0)^2  (none if C is 1)
        + CENTRE * mean over objects of |m|

    Without any object it is 0, with a gradient of 0.

    Args:
        embeddings: (N, D, H, W), any float type; computed in float32.
        masks: classes, uint8 or int64 (N, H, W).
        instances: uint8 or int64 (N, H, W), at most 255: the number of a pixel's object; 0 = none. Pixels with 0, of
            background, or of a value from NO_CLASS on are left out.
        original: True computes what the Natural History Museum's program does (de la Hidalga et al. 2022). Distances
            and |m| are squared before they are compared with NEAR and FAR. All pixels of a class are pulled to each of
            its objects. Means over objects and pairs divide by one more than their number. Images are summed.
    """
    pixels = ((masks > 0) & (masks < NO_CLASS) & (instances > 0)).flatten().nonzero().squeeze(1)
    classes, numbers = masks.flatten()[pixels].long(), instances.flatten()[pixels].long()
    images = pixels // masks[0].numel()
    x = embeddings.float().movedim(1, 0).flatten(1).index_select(1, pixels)  # (D, pixels)
    # objects get the numbers 0, 1, ... over the whole batch; a group is one class in one image
    objects, owner, sizes = ((images * 256 + classes) * 256 + numbers).unique(return_inverse=True, return_counts=True)
    _, group, members = (objects // 256).unique(return_inverse=True, return_counts=True)
    members = members[group]  # objects in the group of each object
    together = group[:, None] == group

    means = x.new_zeros(len(x), len(objects)).index_add(1, owner, x) / sizes
    extra = int(original)
    target = owner  # the object that each pixel is pulled to
    if original:
        repeated, target = together[owner].nonzero().unbind(1)
        x, sizes = x.index_select(1, repeated), target.bincount(minlength=len(objects))
    too_far = F.relu(_length(x - means.index_select(1, target), original) - NEAR)
    pull = (too_far.square() / (sizes * (members + extra))[target]).sum()

    first, second = together.triu(1).nonzero().unbind(1)
    too_near = F.relu(FAR - _length(means[:, first] - means[:, second], original))
    push = (too_near.square() / (members * (members - 1) / 2 + extra)[first]).sum()

    centre = (_length(means, original) / (members + extra)).sum()
    loss = PULL * pull + PUSH * push + CENTRE * centre
    return loss if original else loss / max(len(images.unique()), 1)


def _length(x: Tensor, squared: bool) -> Tensor:
    """The length of each column of x, (D, K), or its square: (K,)."""
    return x.square().sum(0) if squared else torch.linalg.vector_norm(x, dim=0)
