"""A trained network for other programs: `Segmenter("model_data/deeplab_mobilenetv2.pth").segment(image)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import nn

from nets.blocks import fold_batchnorm
from nets.cpu import for_cpu
from nets.sparse import SparseDeepLab
from utils.digitise.reading.lying import quarter_turns
from utils.files.images import MODES_8BIT, pillow_to_rgb, to_uint8
from utils.network.batching import Batcher
from utils.network.checkpoint import load_checkpoint
from utils.network.letterbox import Placement, highest_class, letterbox_tightly, unletterbox_classes
from utils.network.onnx_export import OnnxNetwork
from utils.network.precision import choose_precision
from utils.objects.confidence import drop_unsure, highest_probability
from utils.objects.drawing import draw_mask
from utils.objects.instances import find_instances, instances_at
from utils.objects.regions import MIN_AREA, Region, count_pixels, find_regions
from utils.predicting.view import View, find_view
from utils.utils import UserError, pick_device

GPU_BATCH = 4  # most sheets from different threads that a GPU computes in one batch


class Segmenter:
    """A trained network of any kind that segments images of any size. Other programs know it as `DeeplabV3`.

    Attributes:
        name_classes: list of str, background first.
        colors: (R, G, B) of each class.
        input_shape: (height, width) of the network's input.
        calibration: what makes the confidence of objects, see `utils.objects.confidence`; empty: none.
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
        straighten: bool = True,
        sparse: bool = True,
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
            min_confidence: 0 to 1; objects with a lower confidence become background. 0 keeps all objects;
                None: the checkpoint's.
            engine: "torch", or "onnxruntime", which runs on the CPU in float32 and is about as fast. It finds no
                instances.
            straighten: show the network a sheet that lies turned in its photograph upright. The results are in the
                photograph's own frame all the same.
            sparse: on a CPU, compute ASPP and decoder only where objects may be, if the checkpoint has a probe that
                says where: see nets/sparse.py. `engine` "onnxruntime" computes everything.

        Raises:
            UserError: the file cannot be used, or an argument does not fit.
        """
        checkpoint = load_checkpoint(
            model_path, name_classes=name_classes, backbone=backbone,
            downsample_factor=downsample_factor, input_shape=input_shape,
        )
        self.device, self.straighten = pick_device(device), straighten
        if engine not in ("torch", "onnxruntime") or engine == "onnxruntime" and self.device.type != "cpu":
            raise UserError(f'engine is "{engine}" on {self.device}: take "torch", or "onnxruntime" on a CPU.', 2)
        self.precision = choose_precision(fp16 and engine == "torch", self.device)
        self.model = for_cpu(fold_batchnorm(checkpoint.build()))
        if engine == "onnxruntime":
            self.model = OnnxNetwork(self.model)
        self.model.to(self.device, memory_format=torch.channels_last)
        self._sparse = None
        if sparse and checkpoint.probe is not None and self.device.type == "cpu" and engine == "torch":
            try:
                self._sparse = SparseDeepLab(self.model, checkpoint.probe)
            except ValueError as error:
                raise UserError(f"{model_path} is damaged: {error} Copy the file again.") from error
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
        self.calibration = self.checkpoint.calibration
        if not 0 <= self.min_confidence <= 1:
            raise UserError(f"min_confidence is {self.min_confidence}: it has to be from 0 to 1.", 2)
        if len(self.colors) != len(self.name_classes):
            raise UserError(f"colors has {len(self.colors)} entries, not one for each of {self.name_classes}.", 2)
        if min(self.input_shape) < 1:
            raise UserError(f"input_shape is {self.input_shape}: height and width have to be positive.", 2)

    def segment(self, image: Image.Image | np.ndarray) -> np.ndarray:
        """The class of each pixel, uint8 (H, W). Objects below `min_confidence` are background.

        Several threads may call this at once. On a GPU, sheets of one shape that arrive together become one batch.

        Args:
            image: an array, RGB (H, W, 3) or grey (H, W), uint8 or uint16; or a Pillow image. A Pillow image is first
                turned upright by its EXIF orientation, and its transparent parts become white.

        Raises:
            UserError: the image is of another kind, or the GPU's memory runs out.
        """
        return self._compute(image).mask()

    def segment_with_probability(self, image: Image.Image | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `segment`, and the probability of each pixel's class, float32 (h, w), 0 to 1, at the network's scale."""
        output = self._compute(image)
        return output.mask(), output.probability()

    def segment_instances(self, image: Image.Image | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `segment`, and the number of the object that each pixel belongs to, uint16 (H, W), 0 for none.

        Numbers count from 1 over the sheet, see `utils.objects.instances`. Raises UserError also when the network finds
        no instances.
        """
        if not self.finds_instances:
            raise UserError(f"This {self.checkpoint.model_name} finds no instances: take a checkpoint of nhm, "
                            'and engine "torch".', 2)
        output = self._compute(image)
        mask = output.mask()
        return mask, output.instances(mask)

    def segment_sheet(self, image: Image.Image | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Mask and probability as `segment_with_probability`, and the instances as `segment_instances`, or None."""
        output = self._compute(image)
        mask = output.mask()
        return mask, output.probability(), output.instances(mask) if self.finds_instances else None

    @property
    def finds_instances(self) -> bool:
        """Whether the network tells the objects of one class apart."""
        return hasattr(self.model, "embed")

    def _compute(self, image: Image.Image | np.ndarray) -> Output:
        """What the network says of an image, in which objects below `min_confidence` are background."""
        pixels = to_uint8(rgb_array(image))
        if not self.straighten:
            return self._see(pixels, View(pixels.shape[:2]))
        view = find_view(pixels)
        output = self._see(pixels, view)
        quarters = quarter_turns(output.seen, output.classes(), self.name_classes)
        return self._see(pixels, view._replace(quarters=quarters)) if quarters else output

    @torch.inference_mode()
    def _see(self, pixels: np.ndarray, view: View) -> Output:
        """What the network says of an image, uint8 (H, W, 3), in a view of it."""
        seen = view.show(pixels)
        boxed, placement = letterbox_tightly(seen, self.input_shape, self.checkpoint.downsample_factor)
        sheet = torch.from_numpy(boxed)
        try:
            output = self._batcher(sheet) if self._batcher else self._forward(sheet[None])[0]
        except torch.OutOfMemoryError as error:
            raise UserError("The GPU's memory ran out: lower num_workers, or make input_shape smaller.") from error
        logits, embeddings = np.split(output.float().cpu().numpy(), [len(self.name_classes)])
        kept = drop_unsure(logits, self.min_confidence, self.calibration)
        return Output(logits, kept, embeddings, placement, seen, view)

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits and, behind them, embeddings if the network has any, float (N, C, h, w), of uint8 (N, h, w, 3)."""
        network = partial(_joined, self.model) if self.finds_instances else self._sparse or self.model
        return self.precision.forward(network, images.to(self.device))

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

    def regions(
        self, mask: np.ndarray, min_area: float = MIN_AREA, probability: np.ndarray | None = None,
        instances: np.ndarray | None = None,
    ) -> list[Region]:
        """The objects in a mask from `segment`: class, box, area, centroid and confidence of each.

        Args:
            mask: uint8 (H, W).
            min_area: connected components smaller than this share of the sheet are specks and left out.
            probability: from `segment_with_probability`; without it the confidence is NaN.
            instances: from `segment_instances`; without it connected components are the objects.
        """
        return find_regions(mask, self.name_classes, min_area, probability, instances, self.calibration)


DeeplabV3 = Segmenter  # the name that other programs use


class Output(NamedTuple):
    """What a network says of one image, at its own scale and with the bars of the letterbox."""

    logits: np.ndarray  # float32 (C, h, w)
    kept: np.ndarray  # the same, in which unsure objects are background
    embeddings: np.ndarray  # float32 (2, h, w), or (0, h, w) if the network finds no instances
    placement: Placement  # of the image in the letterbox
    seen: np.ndarray  # the image in its view, uint8 (H, W, 3)
    view: View

    def mask(self) -> np.ndarray:
        """The class of each pixel of the image, uint8 (H, W)."""
        return self.view.back(unletterbox_classes(self.kept, self.placement, self.seen.shape[:2]))

    def probability(self) -> np.ndarray:
        """That of each pixel's class, float32 (h, w) without the bars, 0 to 1."""
        return self.view.back(highest_probability(self._without_bars(self.logits)), outside=1)

    def classes(self) -> np.ndarray:
        """The class of each pixel of the view, uint8 (h, w) without the bars."""
        return highest_class(self._without_bars(self.kept))

    def instances(self, mask: np.ndarray) -> np.ndarray:
        """The number of the object of each pixel of the image, uint16 (H, W); mask: from `mask`."""
        classes = self.classes()
        instances = find_instances(classes, self._without_bars(self.embeddings))
        return instances_at(mask, self.view.back(classes), self.view.back(instances))

    def _without_bars(self, values: np.ndarray) -> np.ndarray:
        top, left, height, width = self.placement
        return values[:, top:top + height, left:left + width]


def _joined(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Logits and embeddings of a network that finds instances as one tensor, float (N, C + 2, H, W)."""
    return torch.cat(model.embed(x), dim=1)


def rgb_array(image: Image.Image | np.ndarray) -> np.ndarray:
    """`image` as upright RGB, uint8 or uint16 (H, W, 3). Arguments and errors: see `Segmenter.segment`."""
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
