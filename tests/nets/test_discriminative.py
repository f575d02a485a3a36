"""The instance loss: values worked out by hand, the museum's own numbers, what changes nothing, gradients."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers import FIXTURES, needs_fixtures
from nets.discriminative import NO_CLASS, discriminative_loss
from utils.utils import GAP, IGNORE


def batch(*images: list[tuple[float, float, int, int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings (N, 2, 1, W), masks and instances (N, 1, W) of images whose pixels are (x, y, class, instance)."""
    pixels = torch.tensor(images).movedim(-1, 0).unsqueeze(2)  # (4, N, 1, W)
    return pixels[:2].movedim(0, 1).clone().requires_grad_(), pixels[2].byte(), pixels[3].byte()


def random_batch() -> tuple[Tensor, Tensor, Tensor]:
    """Two images of four classes with three objects each, and pixels that belong to none."""
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(2, 2, 12, 9, generator=generator)
    masks = torch.randint(0, 5, (2, 12, 9), generator=generator, dtype=torch.uint8)
    instances = torch.randint(0, 4, (2, 12, 9), generator=generator, dtype=torch.uint8)
    instances[instances > 0] += 3 * masks[instances > 0]
    masks[0, 0], masks[1, :, 2] = IGNORE, GAP
    return embeddings.requires_grad_(), masks, instances


# Two objects of class 1, with means (1, 0) and (1, 1). Their pixels are 1 and 0 away from them.
PAIR = [(0.0, 0.0, 1, 1), (2.0, 0.0, 1, 1), (1.0, 1.0, 1, 2), (1.0, 1.0, 1, 2)]
# pull ((1 - 0.5)^2 + 0) / 2, push (3 - 1)^2, lengths of the means (1 + sqrt 2) / 2
PAIR_LOSS = 0.125 + 4.0 + 0.001 * 1.20710678
# Squared: from (1, 0) the pixels are 1, 1, 1, 1 away: (1 - 0.5)^2 = 0.25 each; from (1, 1) they are 2, 2, 0, 0 away:
# (2 - 0.5)^2 = 2.25 twice, mean 1.125. Divided by one more than the objects: (0.25 + 1.125) / 3. One pair:
# (3 - 1)^2 / 2. Means: (1 + 2) / 3.
PAIR_ORIGINAL = 1.375 / 3 + 2.0 + 0.001


def test_two_objects_by_hand() -> None:
    assert discriminative_loss(*batch(PAIR)).item() == pytest.approx(PAIR_LOSS, rel=1e-6)
    assert discriminative_loss(*batch(PAIR), original=True).item() == pytest.approx(PAIR_ORIGINAL, rel=1e-6)


def test_classes_are_summed_and_images_averaged() -> None:
    other = [(3.0, 4.0, 2, 3)] * 4  # one object, whose mean is 5 from the origin and not pushed by those of class 1
    alone = [(0.0, 3.0, 1, 7), (0.0, -3.0, 1, 7)] * 4  # 3 from their mean, the origin: (3 - 0.5)^2
    nothing = [(9.0, 9.0, 0, 0)] * 8
    value = discriminative_loss(*batch(PAIR + other, nothing, alone)).item()
    assert value == pytest.approx((PAIR_LOSS + 0.001 * 5 + 6.25) / 2, rel=1e-6)
    # squared, one object: divided by 2; the mean of (3, 4) is 25 from the origin, the other pixels 9 from their mean
    value = discriminative_loss(*batch(PAIR + other, nothing, alone), original=True).item()
    assert value == pytest.approx(PAIR_ORIGINAL + 0.001 * 25 / 2 + 8.5**2 / 2, rel=1e-6)


@needs_fixtures
def test_original_form_gives_the_museums_numbers() -> None:
    arrays = np.load(FIXTURES / "nhm_instance_loss.npz")
    instances = torch.from_numpy(arrays["instance"]).view(1, -1, 1)
    embeddings = torch.from_numpy(arrays["embedding"]).unsqueeze(-1)
    total = discriminative_loss(embeddings, torch.ones_like(instances), instances, original=True).item()
    assert total == pytest.approx(float(arrays["total"]), rel=1e-6)


def test_random_objects_pixel_by_pixel() -> None:
    """The paper's formulas in plain loops, in float64."""
    embeddings, masks, instances = random_batch()
    total = 0.0
    for x, mask, numbers in zip(embeddings.detach().numpy().astype(float), masks.numpy(), instances.numpy()):
        for kind in range(1, 5):
            clusters = [x[:, (mask == kind) & (numbers == n)] for n in np.unique(numbers[mask == kind]) if n]
            means = [cluster.mean(1, keepdims=True) for cluster in clusters]
            total += np.mean([
                (np.maximum(np.linalg.norm(c - m, axis=0) - 0.5, 0)**2).mean() for c, m in zip(clusters, means)])
            total += np.mean([max(3 - np.linalg.norm(a - b), 0)**2 for a, b in combinations(means, 2)])
            total += 0.001 * np.mean([np.linalg.norm(m) for m in means])
    assert discriminative_loss(embeddings, masks, instances).item() == pytest.approx(total / 2, rel=1e-5)


@pytest.mark.parametrize("original", [False, True])
def test_what_changes_nothing(original: bool) -> None:
    embeddings, masks, instances = random_batch()
    loss = discriminative_loss(embeddings, masks, instances, original)
    loss.backward()
    gradient = embeddings.grad.clone()
    counts = (masks > 0) & (masks != GAP) & (masks != IGNORE) & (instances > 0)
    assert not gradient[(~counts).unsqueeze(1).expand_as(gradient)].any()
    assert gradient[counts.unsqueeze(1).expand_as(gradient)].all()
    with torch.no_grad():
        renumbered = torch.cat((torch.zeros(1), torch.randperm(255) + 1)).byte()[instances.long()]
        reclassed = torch.arange(256, dtype=torch.uint8)[masks.long()]
        reclassed[(masks > 0) & (masks < GAP)] += 17
        moved = embeddings + 100 * ~counts.unsqueeze(1)  # the embeddings of pixels that belong to no object
        for changed in ((embeddings, masks, renumbered), (embeddings, reclassed, instances), (moved, masks, instances)):
            torch.testing.assert_close(discriminative_loss(*changed, original), loss)


@pytest.mark.parametrize("original", [False, True])
def test_without_objects_there_is_a_loss_of_0_with_a_graph(original: bool) -> None:
    embeddings = torch.randn(2, 2, 4, 5, dtype=torch.bfloat16, requires_grad=True)
    masks = torch.full((2, 4, 5), IGNORE, dtype=torch.uint8)
    loss = discriminative_loss(embeddings, masks, torch.ones_like(masks), original)
    loss.backward()
    assert loss.item() == 0 and loss.dtype == torch.float32 and not embeddings.grad.any()


def test_objects_pulled_together_and_pushed_apart_have_no_loss_but_the_third_term() -> None:
    pixels = [(2.0, 0.4, 1, 1), (2.0, -0.4, 1, 1), (-2.0, 0.4, 1, 2), (-2.0, -0.4, 1, 2)]
    embeddings, masks, instances = batch(pixels)
    loss = discriminative_loss(embeddings, masks, instances)
    loss.backward()
    assert loss.item() == pytest.approx(0.002) and embeddings.grad.isfinite().all()
    embeddings, masks, instances = batch([(0.0, 0.0, 1, 1), (0.0, 0.0, 1, 2)])  # no direction to push in
    discriminative_loss(embeddings, masks, instances).backward()
    assert embeddings.grad.isfinite().all()


def test_values_that_are_no_classes_are_those_of_the_masks() -> None:
    assert min(GAP, IGNORE) == NO_CLASS
