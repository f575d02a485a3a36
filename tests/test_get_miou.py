"""get_miou.py from a data set on disk to its files, with a model that reads the class off the image's colour."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn import metrics as sk

import get_miou
from helpers import checkpoint_of, csv_rows, new_deeplab
from utils import config
from utils.files.masks import read_mask, write_mask
from utils.network.checkpoint import save_checkpoint
from utils.scoring import report
from utils.utils import IGNORE, UserError

TABLES = {"metrics.md", "metrics.json", "per_sheet.csv", "confusion_matrix.csv"}
PICTURES = {"confusion_matrix.png", "iou.png", "recall.png", "precision.png"}


class ColourModel:
    """Stands in for DeeplabV3: the class of a pixel is its red value / 10."""

    name_classes = ["_background_", "=Barcode", "标签"]
    colors = [[0, 0, 0], [1, 2, 3], [4, 5, 6]]

    def __init__(
        self, model_path: str, device: str, input_shape: tuple[int, int] | None, min_confidence: float | None,
        straighten: bool,
    ) -> None:
        assert (model_path, device, input_shape, min_confidence, straighten) == ("some.pth", "cpu", None, None, True)

    def segment(self, image: np.ndarray) -> np.ndarray:
        return image[:, :, 0] // 10


@pytest.fixture(autouse=True)
def pictures(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple]:
    """Puts ColourModel in place; file name -> arguments of the pictures, which are not drawn (that takes a second)."""
    made: dict[str, tuple] = {}
    for function in ("plot_bars", "plot_confusion"):
        monkeypatch.setattr(report, function, lambda path, *arguments: made.update({path.name: arguments}))
    monkeypatch.setattr(get_miou, "DeeplabV3", ColourModel)
    return made


@pytest.fixture
def sheets(tmp_path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Stem -> (truth, what ColourModel predicts) of a data set of two sheets in tmp_path / "data 标本"."""
    rng = np.random.default_rng(5)
    made = {}
    for stem in ("K.000123", "-BM 2"):
        shape = (40, 30) if stem == "-BM 2" else (25, 50)
        prediction = rng.integers(0, 3, shape).astype(np.uint8)
        truth = np.where(rng.random(shape) < 0.8, prediction, rng.integers(0, 3, shape)).astype(np.uint8)
        truth[:5] = IGNORE
        made[stem] = truth, prediction
        root = tmp_path / "data 标本"
        write_mask(root / "SegmentationClass" / f"{stem}.png", truth)
        image = np.stack([prediction * 10] * 3, axis=2)
        (root / "JPEGImages").mkdir(exist_ok=True)
        Image.fromarray(image).save(root / "JPEGImages" / f"{stem}.PNG")
    write_list(tmp_path, list(made))
    return made


def write_list(tmp_path: Path, stems: list[str]) -> None:
    path = tmp_path / "data 标本" / "ImageSets" / "Segmentation" / "val.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")


def run(tmp_path: Path, **changes: object) -> int:
    settings = {"model_path": "some.pth", "device": "cpu", "dataset_path": str(tmp_path), "dataset": "data 标本",
                "out_dir": str(tmp_path / "out"), "name_classes": tuple(ColourModel.name_classes)}
    return get_miou.main(config.read(get_miou, **{**settings, **changes}))


def metrics(tmp_path: Path) -> dict:
    return json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))


def joined(sheets: dict, stems: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The counted pixels of the truth and of the prediction of several sheets, one behind the other."""
    truth, prediction = (np.concatenate([sheets[stem][i].ravel() for stem in stems]) for i in (0, 1))
    return truth[truth != IGNORE], prediction[truth != IGNORE]


def test_predict_and_score(
    tmp_path: Path, sheets: dict, pictures: dict[str, tuple], capsys: pytest.CaptureFixture
) -> None:
    assert run(tmp_path) == 0
    out_dir = tmp_path / "out"
    assert {path.name for path in out_dir.iterdir()} == TABLES | {"masks"}
    for stem, (_, prediction) in sheets.items():
        np.testing.assert_array_equal(read_mask(out_dir / "masks" / f"{stem}.png"), prediction)
        with Image.open(out_dir / "masks" / f"{stem}.png") as mask:
            assert mask.getpalette()[:9] == [0, 0, 0, 1, 2, 3, 4, 5, 6]

    truth, prediction = joined(sheets, list(sheets))
    found = metrics(tmp_path)
    matrix = sk.confusion_matrix(truth, prediction)
    assert found["confusion_matrix"] == matrix.tolist()
    for name, mean, score in (("iou", "miou", sk.jaccard_score), ("recall", "mrecall", sk.recall_score),
                              ("precision", "mprecision", sk.precision_score)):
        expected = score(truth, prediction, average=None)
        assert [record[name] for record in found["classes"]] == pytest.approx(list(expected))
        assert found[mean] == pytest.approx(expected.mean())
        values, names, colors, title = pictures[f"{name}.png"]
        assert list(values) == pytest.approx(list(expected)) and f"{expected.mean():.2%}" in title
        assert (names, colors) == (ColourModel.name_classes, ColourModel.colors)
    assert pictures.keys() == PICTURES and pictures["confusion_matrix.png"][0].tolist() == matrix.tolist()
    assert found["mpa"] == found["mrecall"]
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(truth, prediction))
    assert [record["name"] for record in found["classes"]] == ColourModel.name_classes
    assert (found["sheets"], found["missing"], found["model_path"], found["split"]) == (2, [], "some.pth", "val")
    assert [record["name"] for record in found["objects"]["classes"]] == ColourModel.name_classes[1:]

    text = (out_dir / "metrics.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert f"| 标签 | {sk.jaccard_score(truth, prediction, average=None)[2]:.2%} |" in text
    assert csv_rows(out_dir / "confusion_matrix.csv") == [
        ["truth \\ prediction", "_background_", "'=Barcode", "标签"],
        *([name, *map(str, row)] for name, row in zip(["_background_", "'=Barcode", "标签"], matrix)),
    ]


def test_per_sheet_scores(tmp_path: Path, sheets: dict) -> None:
    only_background = np.zeros((30, 30), np.uint8)
    only_background[0, 0] = 1  # a speck, too small for an object
    Image.fromarray(np.zeros((30, 30), np.uint8)).save(tmp_path / "data 标本" / "JPEGImages" / "third.png")
    write_mask(tmp_path / "data 标本" / "SegmentationClass" / "third.png", only_background)
    write_list(tmp_path, [*sheets, "third"])
    run(tmp_path)
    header, first, second, third = csv_rows(tmp_path / "out" / "per_sheet.csv")
    assert header == ["sheet", "mIoU", "IoU _background_", "IoU =Barcode", "IoU 标签",
                      "objects", "objects found", "false objects"]
    assert [first[0], second[0], third[0]] == ["K.000123", "'-BM 2", "third"]
    expected = sk.jaccard_score(*joined(sheets, ["K.000123"]), average=None)
    assert [float(cell) for cell in first[1:5]] == pytest.approx([expected.mean(), *expected], abs=5e-5)
    assert third[1:] == [str(round(899 / 900 / 2, 4)), str(round(899 / 900, 4)), "0.0", "", "1", "0", "0"]


def test_a_checkpoint_from_the_command_line(tmp_path: Path, sheets: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real network with random weights and real pictures."""
    monkeypatch.undo()  # what `pictures` put in place
    torch.manual_seed(0)
    names = ["_background_", "Barcode", "Label"]
    save_checkpoint(tmp_path / "random.pth", checkpoint_of(new_deeplab(3), [64, 64]))
    command = [get_miou.__file__, f"--model_path={tmp_path / 'random.pth'}", "--device=cpu",
               f"--dataset_path={tmp_path}", "--dataset=data 标本", f"--out_dir={tmp_path / 'out'}"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as exit:
        runpy.run_path(get_miou.__file__, run_name="__main__")
    assert exit.value.code == 0
    out_dir = tmp_path / "out"
    assert {path.name for path in out_dir.iterdir()} == TABLES | PICTURES | {"masks"}
    for name in PICTURES:
        with Image.open(out_dir / name) as picture:
            assert picture.format == "PNG"
            picture.load()
    masks = {stem: (truth, read_mask(out_dir / "masks" / f"{stem}.png")) for stem, (truth, _) in sheets.items()}
    found = metrics(tmp_path)
    assert found["confusion_matrix"] == sk.confusion_matrix(*joined(masks, list(masks)), labels=range(3)).tolist()
    assert [record["name"] for record in found["classes"]] == names


def test_score_equals_predict_and_score(tmp_path: Path, sheets: dict) -> None:
    run(tmp_path)
    expected = metrics(tmp_path)
    (tmp_path / "out" / "metrics.json").unlink()
    assert run(tmp_path, mode="score", model_path="not read.pth") == 0
    assert metrics(tmp_path) == {**expected, "model_path": None}


def test_predict_only_writes_masks(tmp_path: Path, sheets: dict) -> None:
    for path in (tmp_path / "data 标本" / "SegmentationClass").iterdir():
        path.unlink()  # labels are not needed
    assert run(tmp_path, mode="predict") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["masks"]
    assert {path.stem for path in (tmp_path / "out" / "masks").iterdir()} == set(sheets)


def test_object_scores_can_be_left_out(tmp_path: Path, sheets: dict) -> None:
    assert run(tmp_path, object_scores=False) == 0
    assert "objects" not in metrics(tmp_path)
    assert "Boundary" not in (tmp_path / "out" / "metrics.md").read_text(encoding="utf-8")
    assert len(csv_rows(tmp_path / "out" / "per_sheet.csv")[0]) == 5


def test_a_class_that_is_nowhere_is_null(tmp_path: Path, sheets: dict) -> None:
    run(tmp_path, mode="predict")
    run(tmp_path, mode="score", name_classes=(*ColourModel.name_classes, "nowhere"))
    assert metrics(tmp_path)["classes"][3] == {
        "name": "nowhere", "iou": None, "recall": None, "precision": None, "true_pixels": 0, "predicted_pixels": 0,
    }


def break_image(root: Path) -> None:
    (root / "JPEGImages" / "K.000123.PNG").write_bytes(b"")


def remove_image(root: Path) -> None:
    (root / "JPEGImages" / "K.000123.PNG").unlink()


def remove_mask(root: Path) -> None:
    (root / "SegmentationClass" / "K.000123.png").unlink()


def shrink_mask(root: Path) -> None:
    write_mask(root / "SegmentationClass" / "K.000123.png", np.zeros((25, 49), np.uint8))


def spoil_mask(root: Path) -> None:
    write_mask(root / "SegmentationClass" / "K.000123.png", np.full((25, 50), 7, np.uint8))


@pytest.mark.parametrize("damage, message", [
    (break_image, "K.000123.PNG is empty"),
    (remove_image, "K.000123.* is not there: add the image"),
    (remove_mask, "K.000123.png is not there"),
    (shrink_mask, "do not fit: the truth is (25, 49) and the prediction (25, 50): sizes have to be equal."),
    (spoil_mask, "do not fit: the truth holds 7: allowed are 0 to 2 and 255 (ignore)."),
])
def test_a_bad_sheet_is_named_and_the_others_are_scored(
    tmp_path: Path, sheets: dict, capsys: pytest.CaptureFixture, damage, message: str
) -> None:
    damage(tmp_path / "data 标本")
    assert run(tmp_path) == 1
    captured = capsys.readouterr()
    assert message in captured.err and "K.000123" in captured.err and "Traceback" not in captured.err
    assert "1 of 2 sheets done, 1 bad or missing" in captured.out
    assert "Sheets scored: 1, missing: 1." in captured.out
    found = metrics(tmp_path)
    assert found["sheets"] == 1 and len(found["missing"]) == 1 and message in found["missing"][0]
    assert found["confusion_matrix"] == sk.confusion_matrix(*joined(sheets, ["-BM 2"])).tolist()
    assert [row[0] for row in csv_rows(tmp_path / "out" / "per_sheet.csv")] == ["sheet", "'-BM 2"]


def test_a_predicted_value_outside_the_classes_is_named(
    tmp_path: Path, sheets: dict, capsys: pytest.CaptureFixture
) -> None:
    run(tmp_path, mode="predict")
    write_mask(tmp_path / "out" / "masks" / "K.000123.png", np.full((25, 50), 9, np.uint8))
    assert run(tmp_path, mode="score") == 1
    assert "do not fit: the prediction holds 9: allowed are 0 to 2." in capsys.readouterr().err


def test_a_sheet_listed_twice_counts_once(tmp_path: Path, sheets: dict, capsys: pytest.CaptureFixture) -> None:
    write_list(tmp_path, [*sheets, "K.000123"])
    assert run(tmp_path) == 0
    assert "2 of 2 sheets done" in capsys.readouterr().out
    assert metrics(tmp_path)["sheets"] == 2


def test_a_sheet_for_which_the_memory_does_not_do_is_named(tmp_path: Path, sheets: dict, monkeypatch) -> None:
    def run_out(model: object, image: np.ndarray) -> np.ndarray:
        raise UserError("The GPU's memory ran out.")

    monkeypatch.setattr(ColourModel, "segment", run_out)
    assert run(tmp_path) == 1
    assert metrics(tmp_path)["missing"] == [f"{stem}: The GPU's memory ran out." for stem in sheets]


def test_without_any_good_sheet_the_report_says_so(tmp_path: Path, sheets: dict, capsys: pytest.CaptureFixture) -> None:
    assert run(tmp_path) == 0  # leaves a report of good sheets
    write_list(tmp_path, ["gone"])
    assert run(tmp_path) == 1
    assert "0 of 1 sheets done, 1 bad or missing" in capsys.readouterr().out
    found = metrics(tmp_path)
    assert found["sheets"] == 0 and found["miou"] is None and len(found["missing"]) == 1
    assert "Sheets scored: 0, missing: 1." in (tmp_path / "out" / "metrics.md").read_text(encoding="utf-8")


def test_an_empty_or_missing_list_says_what_to_run(tmp_path: Path, sheets: dict) -> None:
    write_list(tmp_path, [])
    with pytest.raises(UserError, match="val.txt is empty: run get_annotation.py"):
        run(tmp_path)
    with pytest.raises(UserError, match="test.txt does not exist: run get_annotation.py"):
        run(tmp_path, split="test")


def test_score_without_masks_says_what_to_run(tmp_path: Path, sheets: dict) -> None:
    with pytest.raises(UserError, match='masks is not a folder: mode "score" needs the masks of mode "predict"'):
        run(tmp_path, mode="score")


@pytest.mark.parametrize("name", ["metrics.json", "per_sheet.csv"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, sheets: dict, name: str) -> None:
    (tmp_path / "out" / name).mkdir(parents=True)  # as a file that Excel holds open on Windows
    with pytest.raises(UserError, match=f"{name} cannot be written .* close the program that has it open"):
        run(tmp_path)
