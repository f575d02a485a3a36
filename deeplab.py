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
from utils.network.letterbox import letterbox_tightly, unletterbox_classes
from utils.network.onnx_export import OnnxNetwork
from utils.network.precision import choose_precision
from utils.objects.confidence import drop_unsure
from utils.objects.drawing import draw_mask
from utils.objects.regions import MIN_AREA, Region, count_pixels, find_regions
from utils.utils import UserError, pick_device

GPU_BATCH = 4  # most sheets from different threads that a GPU computes in one batch


class DeeplabV3:
    """A DeepLabv3+ checkpoint that segments images of any size.

    Attributes:
        name_classes: list of str, background first.
        colors: (R, G, B) of each class.
        input_shape: (height, width) of the network's input.
        device: the device that computes.
        checkpoint: the description in the file with the changes made here, without the weights.
        model: the network, for prediction only, because its BatchNorms are folded.
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
        """Loads `model_path`. A checkpoint of this project describes itself and needs no other argument.

        Args:
            model_path: the checkpoint file.
            device: "auto" (CUDA, else Apple's MPS, else CPU), "cuda", "cuda:1", "mps" or "cpu".
            fp16: use mixed precision on devices where it is faster.
            colors: (R, G, B) of each class. None: the checkpoint's.
            name_classes: only for a bare state dict in the community's layout, which does not store them.
            backbone: only for such a state dict.
            downsample_factor: the same weights work with 8 and 16. None: the checkpoint's.
            input_shape: (height, width); the same weights work with any. None: the checkpoint's.
            min_confidence: 0 to 1; objects with a lower mean probability become background. 0 keeps all objects;
                None: the checkpoint's.
            engine: "torch", or "onnxruntime", which runs on the CPU in float32 and is about as fast.

        Raises:
            UserError: the file cannot be used, or an argument does not fit.
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
        """The class of each pixel, uint8 (H, W). Objects below `min_confidence` are background.

        Several threads may call this at once. On a GPU, sheets of one shape that arrive together become one batch.

        Args:
            image: an array, RGB (H, W, 3) or grey (H, W), uint8 or uint16; or a Pillow image. A Pillow image is first
                turned upright by its EXIF orientation, and its transparent parts become white.

        Raises:
            UserError: the image is of another kind, or the GPU's memory runs out.
        """
        pixels = to_uint8(rgb_array(image))
        boxed, placement = letterbox_tightly(pixels, self.input_shape, self.checkpoint.downsample_factor)
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
        """A picture of the objects in `image`, or (picture, pixels of each class by name) if `count` is True.

        Args:
            image: as for `segment`. The picture is a Pillow image for a Pillow image, else an array (H, W, 3) of the
                same type.
            mix_type: 0: objects tinted, background unchanged; 1: only the colours of the classes; 2: objects cut out,
                background black.
            count: also count the pixels of each class.

        Raises:
            UserError: as in `segment`, or for another mix_type.
        """
        pixels = rgb_array(image)
        mask = self.segment(pixels)
        picture = draw_mask(pixels, mask, self.colors, mix_type)
        if isinstance(image, Image.Image):
            picture = Image.fromarray(picture)
        return (picture, count_pixels(mask, self.name_classes)) if count else picture

    def regions(self, mask: np.ndarray, min_area: float = MIN_AREA) -> list[Region]:
        """The objects in a mask from `segment`: class, box, area and centroid of each.

        min_area: connected components smaller than this share of the sheet are specks and left out.
        """
        return find_regions(mask, self.name_classes, min_area)


def rgb_array(image: Image.Image | np.ndarray) -> np.ndarray:
    """`image` as upright RGB, uint8 or uint16 (H, W, 3). Arguments and errors: see `DeeplabV3.segment`."""
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
