"""Images that threads hand in at the same time are computed together, and each gets its own result."""

import torch

from helpers import together
from utils.network.batching import Batcher


class Doubles:
    """Twice its images, RuntimeError for negative ones; notes the shape of each batch."""

    def __init__(self):
        self.shapes = []

    def __call__(self, images):
        self.shapes.append(tuple(images.shape))
        if (images < 0).any():
            raise RuntimeError("out of memory")
        return 2 * images


def run(images, max_batch):
    network = Doubles()
    batcher = Batcher(network, max_batch)
    return together(batcher, batcher, images), network.shapes


def test_images_that_wait_are_one_batch_and_each_gets_its_own_result():
    images = [torch.full((2, 2), float(k)) for k in range(4)]
    results, shapes = run(images, max_batch=4)
    assert shapes == [(4, 2, 2)]
    for image, result in zip(images, results):
        assert torch.equal(result, 2 * image)


def test_a_batch_holds_one_shape_and_at_most_max_batch_images():
    images = [torch.full((2, 2 + k % 2), float(k)) for k in range(8)]
    results, shapes = run(images, max_batch=3)
    assert sorted(shapes) == [(1, 2, 2), (1, 2, 3), (3, 2, 2), (3, 2, 3)]
    for image, result in zip(images, results):
        assert torch.equal(result, 2 * image)


def test_an_error_reaches_every_image_of_its_batch_and_no_other():
    bad, beside, other = run([torch.tensor([-1.0]), torch.ones(1), torch.ones(2)], max_batch=2)[0]
    assert str(bad) == str(beside) == "out of memory"
    assert torch.equal(other, torch.tensor([2.0, 2.0]))


def test_a_single_image_waits_for_nobody():
    assert run([torch.ones(3)], max_batch=8)[1] == [(1, 3)]
