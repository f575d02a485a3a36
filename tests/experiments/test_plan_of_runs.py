"""What is run: rows, constants, folders, and what is not run again."""

import os

import pytest

import train
from utils import config
from utils.experiments.plan import choose_sheets, start_weights, unique_runs
from utils.experiments.runs import PUBLISHED, TITLES, VARIANTS
from utils.utils import UserError


def folders(experiments):
    return [run.folder.name for each in experiments for run in each.runs]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_row_changes_constants_of_train(name):
    for variant in VARIANTS[name]:
        config.read(train, **variant.changes)
    names = [variant.name for variant in VARIANTS[name]]
    assert len(set(names)) == len(names) and TITLES[name] and set(PUBLISHED.get(name, ())) <= set(names)


def test_the_run_with_trains_own_constants_is_shared(plan):
    experiments = plan(experiment="all", only=(
        "DeepLabv3+ on MobileNetV2", "FL + DL", "FL", "Adam", "cos", "step", "fp16 on"))
    assert [each.name for each in experiments] == ["models", "losses", "optimizers", "schedules", "precision"]
    assert len(folders(experiments)) == 7 and len(unique_runs(experiments)) == 3


def test_constants_reach_the_run(plan, folder):
    experiment, = plan(changes={"paste": 0.5}, learning_rates={"adam": 1e-3}, seeds=(3, 4), min_confidence=0.5)
    (cos, runs), (step, _) = experiment.rows
    t = runs[1].training
    assert (cos.name, step.name) == ("cos", "step")
    assert (t.paste, t.init_lr, t.seed, t.min_confidence, t.input_shape) == (0.5, 1e-3, 4, 0.5, (32, 32))
    assert t.save_dir == str(runs[1].folder) and runs[1].evaluation.model_path.startswith(t.save_dir)
    assert runs[1].evaluation.dataset == folder.name


def test_a_folder_stands_for_constants_sheets_and_start_weights(plan, folder):
    first = folders(plan())
    assert folders(plan(num_workers=1, cache_dir="", sheets=("K.0004",))) == first  # these change no result
    assert not set(first) & set(folders(plan(unfreeze_epoch=3)))
    assert not set(first) & set(folders(plan(seeds=(12,))))
    image = folder / "JPEGImages" / "K.0005.jpg"
    os.utime(image, (1, 1))
    assert not set(first) & set(folders(plan()))
    (folder / "weights.pth").write_bytes(b"x")
    weights = {"backbone_paths": {"mobilenet": str(folder / "weights.pth")}}
    before = folders(plan(**weights))
    (folder / "weights.pth").write_bytes(b"xy")
    assert not set(before) & set(folders(plan(**weights)))


def test_start_weights(plan, folder):
    for name in ("a.pth", "b.pth"):
        (folder / name).touch()
    weights = {"model_path": str(folder / "a.pth"), "backbone_paths": {"mobilenet": str(folder / "b.pth")}}
    found = {each.name: {variant.name: start_weights(runs[0].training) for variant, runs in each.rows}
             for each in plan(experiment="all", pretrained=True, **weights, only=(
                 "DeepLabv3+ on MobileNetV2", "U-Net on VGG16", "CE"))}
    assert found == {
        "models": {"DeepLabv3+ on MobileNetV2": "backbone b.pth", "U-Net on VGG16": "ImageNet backbone"},
        "losses": {"CE": "weights a.pth"}}
    assert start_weights(plan()[0].runs[0].training) == "fresh weights"


def test_small_training_sets_get_more_passes(plan, folder):
    lists = folder / "ImageSets" / "Segmentation"
    for number in range(6):
        for part, suffix in (("JPEGImages", "jpg"), ("SegmentationClass", "png")):
            old = folder / part / f"K.{number:04d}.{suffix}"
            old.rename(folder / part / f"{'K' if number < 1 else 'BM'}_a b{number}.{suffix}")
    (lists / "train.txt").write_text("K_a b0\nBM_a b1\nBM_a b2\nBM_a b3\n")
    (lists / "val.txt").write_text("BM_a b4\nBM_a b5\n")
    experiment, = plan(experiment="datasets", passes=3, least_sheets=1, target_sheets=1)
    passes = {variant.name: runs[0].training.passes for variant, runs in experiment.rows}
    assert passes == {"BM alone (3)": 4, "K alone (1)": 12, "all combined (4)": 3,
                      "all combined + 1 of the target (5)": 2}
    assert len(set(folders([experiment]))) == 4 and len(experiment.shown) == 1
    assert folders(plan(experiment="datasets", passes=3, least_sheets=1, target_sheets=1)) == folders([experiment])


def test_sheets_to_show():
    stems = [f"K {number}" for number in range(11)]
    assert choose_sheets((), stems) == [f"K {number}" for number in (0, 2, 4, 6, 8, 10)]
    assert choose_sheets((), stems[:2]) == ["K 0", "K 1"] and choose_sheets((), stems[:1]) == ["K 0"]
    assert choose_sheets(("K 9", "K 1", "moved"), stems) == ["K 9", "K 1"]


@pytest.mark.parametrize(("changes", "message"), [
    ({"seeds": ()}, r"seeds is \(\): it has to be one number or more"),
    ({"seeds": (1, 1)}, "seeds is .*all different"),
    ({"target_sheets": -1}, "target_sheets is -1: it has to be 0 or more"),
    ({"least_sheets": 0}, "least_sheets is 0: it has to be 1 or more"),
    ({"only": ("CE",)}, "only names CE, which is no row of schedules: there are cos, step"),
    ({"sheets": ("K.0009",)}, "sheets names K.0009, not in val.txt: it has K.0004, K.0005"),
    ({"model_path": "nowhere.pth"}, "nowhere.pth is not there"),
    ({"changes": {"pasted": 1}}, "pasted is not a constant of train.py"),
    ({"changes": {"paste": "much"}}, "paste is 'much': it has to be a number"),
    ({"dataset": "nowhere"}, "is not a folder"),
])
def test_constants_that_do_not_fit(plan, changes, message):
    with pytest.raises(UserError, match=message):
        plan(**changes)


def test_no_validation_list(plan, folder):
    (folder / "ImageSets" / "Segmentation" / "val.txt").unlink()
    with pytest.raises(UserError, match="val.txt does not exist: run get_annotation.py"):
        plan()


def test_unknown_experiment(settings):
    with pytest.raises(UserError, match="experiment is 'losse': it has to be one of models, datasets, losses"):
        settings(experiment="losse")
