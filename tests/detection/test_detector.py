"""yolo.Detector and predict_yolo.py: boxes where the network says, and results that other programs read."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO

import predict_yolo
import yolo
from boxed import make_boxes, save_detector, yolo_settings
from helpers import csv_rows
from utils import config
from utils.detection.average_precision import detection_scores
from utils.detection.boxes import DETECTION_CLASSES, Box, box_colors
from utils.detection.checkpoint import DetectionCheckpoint
from utils.detection.decoding import PREDICTION, VALIDATION, decode, non_maximum_suppression
from utils.detection.predicting.drawing import draw_boxes
from utils.detection.predicting.evaluate import find_failures, suppress_more
from utils.labels.formats.labelme import find_image, read_labelme
from utils.labels.formats.yolo import read_yolo
from utils.network.letterbox import Placement, letterbox, network_input
from utils.utils import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set, demo/, and a checkpoint, model.pth, of a network that finds something everywhere."""
    root = tmp_path_factory.mktemp("detector")
    make_boxes(root / "demo", 2, 2)
    save_detector(root / "model.pth", yolo_settings(root / "demo"))
    return root


@pytest.fixture(scope="module")
def detector(folder: Path) -> yolo.Detector:
    """The detector of that checkpoint."""
    return yolo.Detector(folder / "model.pth", device="cpu", fp16=False)


def pictures(folder: Path) -> list[np.ndarray]:
    """The images of the data set."""
    return [np.asarray(Image.open(path)) for path in sorted((folder / "demo" / "JPEGImages").iterdir())]


def settings(folder: Path, tmp_path: Path, **changes: object) -> config.Settings:
    """Settings of predict_yolo.py for the folder's sheets, with results in `tmp_path`."""
    return config.read(predict_yolo, **{
        "model_path": str(folder / "model.pth"), "device": "cpu", "fp16": False, "num_workers": 2,
        "input_dir": str(folder / "demo" / "JPEGImages"), "output_dir": str(tmp_path / "out"),
        "dataset_path": str(folder), "dataset": "demo", "map_dir": str(tmp_path / "map"), **changes,
    })


def test_the_same_boxes_as_by_hand(folder: Path, detector: yolo.Detector) -> None:
    image = pictures(folder)[0]  # 96 x 64 becomes 64 x 43; with tight bars it is 64 x 64 all the same
    boxed, _ = letterbox(image, (64, 64))
    model = DetectionCheckpoint.build(torch_checkpoint(folder))
    with torch.inference_mode():
        outputs = model(network_input(torch.from_numpy(boxed)[None]))
        expected = non_maximum_suppression(decode(outputs, model.anchors))[0].numpy()
    left, inner = (64 - 43) // 2, 43
    expected[:, 0:4:2] = ((expected[:, 0:4:2] - left) * 64 / inner).clip(0, 64)
    expected[:, 1:4:2] = (expected[:, 1:4:2] * 96 / 64).clip(0, 96)
    expected = expected[(expected[:, 2] > expected[:, 0]) & (expected[:, 3] > expected[:, 1])]
    found = detector.detect(image)
    assert len(found) == len(expected) > 3
    for box, row in zip(found, expected.tolist()):
        assert box[3:] == pytest.approx(row[:4], abs=0.02) and box.score == pytest.approx(row[4], abs=1e-4)
        assert box.index == row[5] and box.name == DETECTION_CLASSES[box.index]
    assert [box.score for box in found] == sorted((box.score for box in found), reverse=True)


def torch_checkpoint(folder: Path) -> DetectionCheckpoint:
    """The checkpoint as PyTorch alone reads it."""
    return DetectionCheckpoint(**torch.load(folder / "model.pth", weights_only=True))


def test_boxes_on_the_bars_are_left_out() -> None:
    found = np.array([[10, 20, 40, 60, 0.9, 1], [0, 0, 9, 60, 0.8, 0], [5, -3, 30, 90, 0.7, 2]], np.float32)
    result = yolo.unletterbox_boxes(found, Placement(top=0, left=10, height=80, width=40), (160, 80))
    np.testing.assert_allclose(result, [[0, 40, 60, 120, 0.9, 1], [0, 0, 40, 160, 0.7, 2]], rtol=1e-6)


def test_threads_find_the_same(folder: Path, detector: yolo.Detector) -> None:
    images = pictures(folder) * 3
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(detector.detect, images)) == list(map(detector.detect, images))


def test_any_kind_of_image(folder: Path, detector: yolo.Detector) -> None:
    image = pictures(folder)[0]
    expected = detector.detect(image)
    assert detector.detect(image.astype(np.uint16) * 257) == expected
    assert detector.detect(Image.fromarray(image)) == expected
    grey = image[..., 0]
    assert detector.detect(grey) == detector.detect(np.dstack([grey] * 3))
    with pytest.raises(UserError, match="it has to be uint8 or uint16"):
        detector.detect(image / 255)


@pytest.mark.parametrize("changes, message", [
    ({"min_confidence": 1.1}, "min_confidence is 1.1"), ({"overlap": -0.1}, "overlap is -0.1"),
    ({"input_shape": (64, 65)}, "input_shape is \\(64, 65\\).*multiples of 32"),
])
def test_arguments_that_do_not_fit(folder: Path, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        yolo.Detector(folder / "model.pth", device="cpu", **changes)


def test_a_folder_of_results_is_read_back(folder: Path, detector: yolo.Detector, tmp_path: Path) -> None:
    assert predict_yolo.main(settings(folder, tmp_path)) == 0
    out, paths = tmp_path / "out", sorted((folder / "demo" / "JPEGImages").iterdir())
    coco = COCO(str(out / "boxes.json"))
    header, *table = csv_rows(out / "boxes.csv")
    assert header[:4] == ["sheet", "object", "class", "score"]
    for path, image in zip(paths, pictures(folder)):
        boxes = detector.detect(image)
        own = [row for row in table if row[0] == path.name]
        assert [row[2] for row in own] == [box.name for box in boxes] and own[0][8:] == ["64", "96"]
        np.testing.assert_allclose([list(map(float, row[4:8])) for row in own], [box[3:] for box in boxes], atol=0.006)
        (number,) = [entry["id"] for entry in coco.imgs.values() if entry["file_name"] == path.name]
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[number]))
        assert [coco.cats[entry["category_id"]]["name"] for entry in annotations] == [box.name for box in boxes]
        assert annotations[0]["bbox"][2] == pytest.approx(boxes[0].x2 - boxes[0].x1, abs=0.006)
        names = (out / "classes.txt").read_text().splitlines()
        objects = read_yolo(out / "labels" / f"{path.stem}.txt", (96, 64), names)
        assert [item.name for item in objects] == [box.name for box in boxes]
        np.testing.assert_allclose(objects[0].polygons[0].min(0), boxes[0][3:5], atol=1e-3)
        annotation = read_labelme(out / "labelme" / f"{path.stem}.json")
        assert find_image(annotation)[0].samefile(path) and annotation.shapes[0].kind == "rectangle"
        np.testing.assert_allclose(annotation.shapes[0].points.ravel(), boxes[0][3:], atol=1e-3)
        assert Image.open(out / path.name).size == (64, 96)
    assert not list(out.rglob(".tmp_*"))


def test_a_bad_file_is_skipped_and_an_original_never_overwritten(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(pictures(folder)[0]).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.jpg").write_bytes(b"")
    assert predict_yolo.main(settings(folder, tmp_path, input_dir=str(tmp_path / "in"))) == 1
    assert "b.jpg is empty" in capsys.readouterr().err and (tmp_path / "out" / "labels" / "a.txt").is_file()
    with pytest.raises(UserError, match="so that no original is overwritten"):
        predict_yolo.main(settings(folder, tmp_path, input_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "in")))
    image = str(tmp_path / "in" / "a.png")
    assert predict_yolo.main(settings(folder, tmp_path, mode="image", image=image)) == 0
    assert "a.json written." in capsys.readouterr().out
    with pytest.raises(UserError, match="a.png is an input and would be overwritten"):
        predict_yolo.main(settings(folder, tmp_path, mode="image", image=image, output_dir=str(tmp_path / "in")))


def test_fps(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict_yolo.main(settings(folder, tmp_path, mode="fps", fps_repeats=2)) == 0
    assert re.search(r"K\.0000\.jpg, 96 x 64 pixels on cpu: [\d.]+ ms an image .* 2 times", capsys.readouterr().out)
    with pytest.raises(UserError, match="Mode fps needs an image"):
        predict_yolo.main(settings(folder, tmp_path, mode="fps", fps_repeats=0))


def test_video(folder: Path, tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "in.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 5, (64, 96))
    for _ in range(2):
        writer.write(pictures(folder)[0][..., ::-1])
    writer.release()
    assert predict_yolo.main(settings(
        folder, tmp_path, mode="video", video_path=str(tmp_path / "in.avi"), video_save_path=str(tmp_path / "out.avi"),
    )) == 0
    assert cv2.VideoCapture(str(tmp_path / "out.avi")).get(cv2.CAP_PROP_FRAME_COUNT) == 2


def test_onnx_gives_the_same_boxes(folder: Path, detector: yolo.Detector, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "a.onnx"
    assert predict_yolo.main(settings(folder, tmp_path, mode="onnx", onnx_path=str(path))) == 0
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["name_classes"]) == list(DETECTION_CLASSES)
    image = torch.rand(1, 3, 96, 32, generator=torch.Generator().manual_seed(0))
    (boxes,) = session.run(["boxes"], {"image": image.numpy()})
    with torch.inference_mode():
        expected = detector.model(image)
    assert boxes.shape == (1, 3 * (12 * 4 + 6 * 2 + 3 * 1), 10)
    np.testing.assert_allclose(boxes, expected, atol=0.02)


def test_map_writes_its_files(folder: Path, detector: yolo.Detector, tmp_path: Path) -> None:
    assert predict_yolo.main(settings(folder, tmp_path, mode="map", failures=1)) == 0
    content = json.loads((tmp_path / "map" / "metrics.json").read_text())
    images = pictures(folder)[2:]  # the first two are for training
    plants = [36, 60, 60, 90]
    assert content["sheets"] == 2 and content["boxes"] == [2] * 5
    found = [detector.find(image, VALIDATION) for image in images]
    plant_only = [boxes[boxes[:, 5] == 4] for boxes in found]
    scores = detection_scores(plant_only, [np.array([[4, *plants]])] * 2, 5)
    assert content["average_precisions"][4][0] == pytest.approx(scores.average_precisions[4, 0], abs=1e-4)
    names = {path.name for path in (tmp_path / "map").iterdir()}
    assert names == {"metrics.json", "scores.csv", "confusion_matrix.png", "precision_recall.png", "failures"}
    assert len(list((tmp_path / "map" / "failures").iterdir())) == 1
    assert [row[0] for row in csv_rows(tmp_path / "map" / "scores.csv")] == ["class", *DETECTION_CLASSES]


def test_failures_by_hand() -> None:
    true = np.array([[0, 0, 0, 10, 10], [1, 20, 0, 30, 10], [2, 40, 0, 50, 10]], np.float32)
    found = np.array([
        [0, 0, 10, 9, 0.9, 0],      # right
        [0, 0, 10, 7, 0.8, 0],      # the same object again
        [20, 0, 30, 10, 0.7, 2],    # of another class
    ], np.float32)
    failure = find_failures(found, true)
    assert failure.missed[:, 0].tolist() == [1, 2]
    np.testing.assert_allclose(failure.false[:, 4], [0.8, 0.7])
    assert find_failures(found[:0], true).missed.shape == (3, 5)
    assert find_failures(found, true[:0]).false.shape == (3, 6)


def test_failures_are_those_of_prediction() -> None:
    found = np.array([
        [0, 0, 10, 10, 0.9, 0],
        [0, 0, 10, 10, 0.8, 1],     # the same box, of another class
        [0, 0, 10, 5.5, 0.7, 0],    # overlaps the first by 0.55: validation keeps it
        [20, 0, 30, 10, 0.6, 0],
        [40, 0, 50, 10, 0.25, 2],   # too unsure
    ], np.float32)
    np.testing.assert_array_equal(suppress_more(found, PREDICTION), found[[0, 3]])
    np.testing.assert_array_equal(suppress_more(found, PREDICTION._replace(most=1)), found[:1])
    assert suppress_more(found[:0], PREDICTION).shape == (0, 6)


@pytest.mark.parametrize("color", [(255, 255, 255), (0, 180, 255), (0, 0, 128), (128, 128, 0)])
def test_names_can_be_read_on_any_colour(color: tuple[int, int, int]) -> None:
    picture = np.full((200, 300, 3), color, np.uint8)  # so that only the letters can be seen
    named = draw_boxes(picture, [Box("Label", 0, 0.5, 100, 120, 180, 170)], [color])
    assert np.abs(named.mean(2) - np.mean(color)).max() > 100


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_box_is_drawn_inside_its_edges(kind: type) -> None:
    highest = np.iinfo(kind).max
    white = np.full((200, 300, 3), highest, kind)
    box = Box("Label", 1, 0.5, 100, 120, 180, 170)
    picture = draw_boxes(white, [box], box_colors(5))
    green = np.array([0, 128, 0]) * (highest // 255)
    assert (picture[120, 100:180] == green).all() and (picture[169, 100:180] == green).all()
    assert (picture[120:170, 100] == green).all() and (picture[120:170, 179] == green).all()
    rows, columns = np.nonzero((picture != white).any(2))
    assert (rows.max(), columns.min(), columns.max()) == (169, 100, 179)
    assert (picture[125:165, 105:175] == highest).all() and (white == highest).all()
    draw_boxes(white, [Box("Label", 1, float("nan"), -9, -9, 400, 400)], box_colors(5))  # reaches beyond the picture
