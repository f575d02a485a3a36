"""A trained model for other programs: `DeeplabV3("model_data/deeplab_mobilenetv2.pth").segment(image)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from nets.blocks import fold_batchnorm
from nets.cpu import for_cpu
from utils.files.images import MODES_8BIT, pillow_to_rgb, to_uint8
from utils.network.batching import Batcher
from utils.network.checkpoint import load_checkpoint
from utils.network.letterbox import letterbox, tight_shape, unletterbox_classes
from utils.network.onnx_export import OnnxNetwork
from utils.network.precision import choose_precision
from utils.objects.confidence import drop_unsure
from utils.objects.drawing import draw_mask
from utils.objects.regions import MIN_AREA, Region, count_pixels, find_regions
from utils.utils import UserError, pick_device

GPU_BATCH = 4  # sheets that threads hand in at the same time and a GPU computes together


class DeeplabV3:
    """A DeepLabv3+ checkpoint that segments images of any size.

    Attributes:
        name_classes: list of str, background first.
        colors: an (R, G, B) for each.
        input_shape: the network's (height, width).
        device: where it computes.
        checkpoint: what the file says, as it is used; the weights left out.
        model: the network, for prediction only (its BatchNorms are folded).
    """

    def __init__(
        self,
        model_path: str | Path,
        *,
        device: str = "auto",
        fp16: bool = True,
        colors: Sequence[Sequence[int]] | None = None,
        name_classes: Sequence[str] | None = None,
        backbone: str | None = None,
        downsample_factor: int | None = None,
        input_shape: tuple[int, int] | None = None,
        min_confidence: float | None = None,
        engine: str = "torch",
    ) -> None:
        """Loads `model_path`; a checkpoint made here describes itself and needs no other argument.

        Args:
            model_path: the file.
            device: "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps" or "cpu".
            fp16: mixed precision where the device gains from it.
            colors: (R, G, B) of each class instead of the checkpoint's own.
            name_classes, backbone: needed for a bare state dict in the community's layout, and only there.
            downsample_factor, input_shape: instead of the checkpoint's own, as its weights fit any.
            min_confidence: 0 to 1; objects whose mean probability is lower are taken for background. None: the
                checkpoint's; 0 keeps all.
            engine: "torch", or "onnxruntime": CPU, float32, as fast as torch there.

        Raises:
            UserError: the file cannot be used or an argument does not fit.
        """
        checkpoint = load_checkpoint(
            model_path, name_classes=name_classes, backbone=backbone,
            downsample_factor=downsample_factor, input_shape=input_shape,
        )
        self.device = pick_device(device)
        if engine not in ("torch", "onnxruntime") or engine == "onnxruntime" and self.device.type != "cpu":
            raise UserError(f'engine is "{engine}" on {self.device}: take "torch", or "onnxruntime" on a CPU.', 2)
        self.precision = choose_precision(fp16 and engine == "torch", self.device)
        self.model = for_cpu(fold_batchnorm(checkpoint.build()))
        if engine == "onnxruntime":
            self.model = OnnxNetwork(self.model)
        self.model.to(self.device, memory_format=torch.channels_last)
        self._batcher = Batcher(self._forward, GPU_BATCH) if self.device.type == "cuda" else None
        self.checkpoint = replace(
            checkpoint, model={}, training=None,
            colors=[list(color) for color in colors or checkpoint.colors],
            min_confidence=checkpoint.min_confidence if min_confidence is None else min_confidence,
        )
        self.name_classes = self.checkpoint.name_classes
        self.colors = [tuple(color) for color in self.checkpoint.colors]
        self.input_shape: tuple[int, int] = tuple(self.checkpoint.input_shape)
        self.min_confidence = self.checkpoint.min_confidence
        if not 0 <= self.min_confidence <= 1:
            raise UserError(f"min_confidence is {self.min_confidence}: it has to be from 0 to 1.", 2)
        if len(self.colors) != len(self.name_classes):
            raise UserError(f"colors has {len(self.colors)} entries, not one for each of {self.name_classes}.", 2)
        if min(self.input_shape) < 1:
            raise UserError(f"input_shape is {self.input_shape}: height and width have to be positive.", 2)

    @torch.inference_mode()
    def segment(self, image: Image.Image | np.ndarray) -> np.ndarray:
        """The class of each pixel of `image`, uint8 (H, W), background for objects below `min_confidence`.

        May be called from several threads; on a GPU, sheets of one shape that come at the same time are one batch.
        image: an array, RGB (H, W, 3) or grey (H, W), uint8 or uint16; or a Pillow image, whose EXIF orientation is
        applied first (H and W are those of the upright image) and whose transparent parts are laid over white.
        Raises UserError for any other image, and when the GPU's memory runs out.
        """
        pixels = to_uint8(rgb_array(image))
        shape = tight_shape(pixels.shape[:2], self.input_shape, self.checkpoint.downsample_factor)
        boxed, placement = letterbox(pixels, shape)
        sheet = torch.from_numpy(boxed)
        try:
            logits = self._batcher(sheet) if self._batcher else self._forward(sheet[None])[0]
        except torch.OutOfMemoryError as error:
            raise UserError("The GPU's memory ran out: lower num_workers, or make input_shape smaller.") from error
        logits = drop_unsure(logits.float().cpu().numpy(), self.min_confidence)
        return unletterbox_classes(logits, placement, pixels.shape[:2])

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.precision.forward(self.model, images.to(self.device))

    def detect_image(
        self, image: Image.Image | np.ndarray, mix_type: int = 0, count: bool = False
    ) -> Image.Image | np.ndarray | tuple[Image.Image | np.ndarray, dict[str, int]]:
        """A picture of what is in `image`: a Pillow image for one, else an array (H, W, 3) of the input's type.

        mix_type 0: objects tinted, background exactly as it is; 1: the colours of the classes alone; 2: the objects
        cut out, background black. count: (picture, pixels of each class by name) instead. Raises like `segment`.
        """
        pixels = rgb_array(image)
        mask = self.segment(pixels)
        picture = draw_mask(pixels, mask, self.colors, mix_type)
        if isinstance(image, Image.Image):
            picture = Image.fromarray(picture)
        return (picture, count_pixels(mask, self.name_classes)) if count else picture

    def regions(self, mask: np.ndarray, min_area: float = MIN_AREA) -> list[Region]:
        """The objects in a mask that `segment` made: class, box, area and centroid of each.

        min_area: share of the sheet below which a connected component is taken for a speck and left out.
        """
        return find_regions(mask, self.name_classes, min_area)


def rgb_array(image: Image.Image | np.ndarray) -> np.ndarray:
    """`image` as RGB, uint8 or uint16 (H, W, 3), upright. What is allowed and raised: see `DeeplabV3.segment`."""
    if isinstance(image, Image.Image):
        if image.mode not in MODES_8BIT:
            raise UserError(
                f"The image has mode {image.mode}: open it with utils.files.images.read_image, or convert it.")
        return pillow_to_rgb(ImageOps.exif_transpose(image))
    if image.dtype not in (np.uint8, np.uint16) or image.size == 0:
        raise UserError(f"The image is {image.dtype} of shape {image.shape}: it has to be uint8 or uint16, not empty.")
    if image.ndim == 2:
        return np.dstack([image] * 3)
    if image.ndim != 3 or image.shape[2] != 3:
        raise UserError(f"The image is an array of shape {image.shape}: it has to be (H, W, 3) RGB or (H, W) grey.")
    return np.ascontiguousarray(image)
