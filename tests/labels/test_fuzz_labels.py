"""Label files with random damage: each is read, or ends in the project's own error. FUZZ_LOOPS=20000: so many."""

import base64
import io
import json
import os
import random
from functools import partial

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as mask_utils

from helpers import refused
from utils.labels.formats.coco import coco_objects, read_coco
from utils.labels.formats.labelme import embedded_image, find_image, read_labelme
from utils.labels.formats.voc import read_voc
from utils.labels.formats.yolo import read_yolo
from utils.labels.marked import paint_objects
from utils.labels.shapes import paint

TRIES = int(os.environ.get("FUZZ_LOOPS", 150))
SIZE = (40, 30)
VALUES = {"Label": 2, "Barcode": 1}
HUGE = ["1e308", "-1e308", "1e400", "NaN", "Infinity", "-1", "0", "99999999999999999999999", "null", "[]", '{"a": 1}',
        '"1"', "true", "0.5", "-0.0", "65536", "4294967296"]


def png() -> str:
    file = io.BytesIO()
    Image.fromarray(np.ones((4, 5), np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


DISC = np.asfortranarray(np.hypot(*np.ogrid[-20:20, -15:15]) < 9).view(np.uint8)
SAMPLES = {
    "labelme": json.dumps({
        "version": "5.5.0", "imagePath": "K1.jpg", "imageHeight": 40, "imageWidth": 30, "imageData": png(), "shapes": [
            {"label": "Label", "shape_type": kind, "points": points, "group_id": 1, "mask": png()} for kind, points in (
                ("polygon", [[1, 1], [9, 1], [9, 9]]), ("rectangle", [[3, 3], [8, 12]]), ("circle", [[9, 9], [12, 9]]),
                ("mask", [[4, 5], [8, 8]]), ("linestrip", [[1, 1], [20, 30]]), ("points", [[1, 1], [20, 30]]))]}),
    "coco": json.dumps({
        "images": [{"id": 1, "file_name": "K1.jpg", "height": 40, "width": 30}],
        "categories": [{"id": 1, "name": "Label"}, {"id": 2, "name": "Barcode"}],
        "annotations": [
            {"id": number, "image_id": 1, "category_id": 1, "iscrowd": 0, **item} for number, item in enumerate((
                {"bbox": [1, 2, 9, 9]}, {"segmentation": [[1, 1, 9, 1, 9, 9]]},
                {"segmentation": {"size": [40, 30], "counts": [0, 60, 1140]}, "iscrowd": 1},
                {"segmentation": {"size": [40, 30], "counts": mask_utils.encode(DISC)["counts"].decode()}}))]}),
    "voc": "<annotation><size><width>30</width><height>40</height></size><object><name>Label</name><bndbox>"
           "<xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox></object><object><name>Barcode</name>"
           "<polygon><x1>1</x1><y1>1</y1><x2>9</x2><y2>1</y2><x3>9</x3><y3>9</y3></polygon></object></annotation>",
    "yolo": "0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.4 0.1 0.4 0.3 0.9\n",
}


def read(kind: str, path) -> None:
    """Reads a file of labels and paints what is in it."""
    if kind == "labelme":
        annotation = read_labelme(path)
        find_image(annotation)
        if annotation.embedded:
            embedded_image(path)
        shapes = [shape for shape in annotation.shapes if shape.label in VALUES]
        paint(shapes, SIZE, VALUES, 10, 5, seam=0.05)
    elif kind == "coco":
        for image in read_coco(path).images:
            if image.size and image.size[0] * image.size[1] < 1_000_000:
                objects = coco_objects(image, image.size, crowds_are_objects=True)
                paint_objects([item for item in objects if item.name in VALUES], image.size, VALUES)
    elif kind == "voc":
        labels = read_voc(path, 1)
        if labels.size[0] * labels.size[1] < 1_000_000:
            paint_objects([item for item in labels.objects if item.name in VALUES], labels.size, VALUES)
    else:
        paint_objects(read_yolo(path, SIZE, ("Label", "Barcode")), SIZE, VALUES)


def damaged(text: str, rng: random.Random) -> bytes:
    """The text with one to three random damages."""
    for _ in range(rng.randint(1, 3)):
        places = [at for at, letter in enumerate(text) if letter.isdigit()]
        start = rng.randrange(len(text)) if text else 0
        way = rng.randrange(5)
        if way == 0 and places:  # a number becomes another thing
            start = end = rng.choice(places)
            while end < len(text) and (text[end].isdigit() or text[end] == "."):
                end += 1
            text = text[:start] + rng.choice(HUGE) + text[end:]
        elif way == 1:
            text = text[:start] + text[start + rng.randint(1, 20):]
        elif way == 2:
            text = text[:start] + text[start:start + 30] * rng.randint(2, 9) + text[start:]
        elif way == 3:
            text = text[:start] + rng.choice('{}[]<>"&,:\\\0\ud800é\n') + text[start + 1:]
        else:
            text = text[:start]
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if data and rng.random() < 0.2:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_damaged_label_files_are_read_or_named(tmp_path, kind):
    path = tmp_path / f"K1.{'json' if kind in ('labelme', 'coco') else 'xml' if kind == 'voc' else 'txt'}"
    path.write_text(SAMPLES[kind])
    read(kind, path)
    rng = random.Random(0)
    count = sum(refused(partial(read, kind), path, damaged(SAMPLES[kind], rng)) for _ in range(TRIES))
    assert count > TRIES / 10
