"""What a fresh clone promises: documents that agree with the code, data and weights that work as they are."""

import ast
import re
import runpy
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest

import predict
import train
from deeplab import DeeplabV3
from helpers import ROOT
from utils import config
from utils.files.images import read_image
from utils.files.masks import read_mask
from utils.files.voc import VocDataset
from utils.training.preflight import preflight
from utils.utils import NAME_CLASSES, default_colors, find_images

SCRIPTS = sorted(path.name for path in ROOT.glob("*.py") if path.name not in ("deeplab.py", "yolo.py"))
READMES = ("README.md", "README.CN.md")


def imports(path: Path) -> set[str]:
    """Names of the modules that a Python file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in names if (ROOT / name.replace(".", "/")).with_suffix(".py").is_file()}
            found |= modules or {node.module}
    return found


# What stands on which floor; a module is on that of its longest name here. Imports go down or stay on their floor.
FLOORS = {
    "nets": 0, "utils": 0,
    "utils.network": 1, "utils.files": 1,
    "utils.labels": 2, "utils.objects": 2,
    "utils.training": 3, "utils.scoring": 3, "utils.predicting": 3, "utils.sheets": 3, "utils.dataloader": 3,
    "utils.callbacks": 3, "utils.utils_fit": 3, "utils.utils_metrics": 3, "utils.detection": 3,
    "utils.digitise": 4, "utils.benchmark": 4, "utils.experiments": 4, "utils.web": 4, "utils.mistakes": 4,
    "deeplab": 5, "yolo": 5,
    **{Path(name).stem: 6 for name in SCRIPTS},
}


def floor(module: str) -> int | None:
    """The floor of a module, None for one that is not ours."""
    while module not in FLOORS and "." in module:
        module = module.rpartition(".")[0]
    return FLOORS.get(module)


def modules() -> dict[str, set[str]]:
    """Name of each module of the project -> what it imports, ours alone."""
    files = [*ROOT.glob("*.py"), *(path for folder in ("nets", "utils") for path in (ROOT / folder).rglob("*.py"))]
    found = {".".join(path.relative_to(ROOT).with_suffix("").parts): imports(path) for path in files}
    return {name: {other for other in others if floor(other) is not None} for name, others in found.items()}


def test_imports_never_climb():
    for module, others in modules().items():
        for other in others:
            assert floor(other) <= floor(module), f"{module} imports {other}, which is a floor above"
    assert not [name for name, others in modules().items()
                if name.startswith("nets") and any(other.startswith("utils") for other in others)]


def test_rooms_of_one_floor_do_not_import_each_other_in_a_circle():
    rooms = {name: name if name in FLOORS else ".".join(name.split(".")[:2]) for name in modules()}
    graph = {}
    for module, others in modules().items():
        graph.setdefault(rooms[module], set()).update(
            room for other in others if (room := rooms.get(other, other)) != rooms[module])
    list(TopologicalSorter(graph).static_order())  # raises CycleError


@pytest.mark.parametrize("folder", ["nets", "utils", "tests", "."])
def test_no_module_is_longer_than_300_lines(folder):
    paths = (ROOT / folder).glob("*.py") if folder == "." else (ROOT / folder).rglob("*.py")
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert not {name: length for name, length in lengths.items() if length > 300}


def test_scripts_keep_what_they_free():
    for script in SCRIPTS:
        assert 'if __name__ == "__main__":\n    keep_freed_memory()\n    config.run(main)' in (
            ROOT / script).read_text(encoding="utf-8"), script


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_a_block_of_commented_constants(script):
    source = (ROOT / script).read_text(encoding="utf-8")
    settings = config.read(ROOT / script)
    lines = source.splitlines()
    for name, (first, last) in config.constants(source).items():
        assert any("#" in line for line in lines[first - 1:last]), name
    assert len(settings.to_dict()) >= 3
    assert ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("readme", READMES)
def test_readmes_name_real_constants_and_files(readme):
    text = (ROOT / readme).read_text(encoding="utf-8")
    for script, *arguments in re.findall(r"python (\w+\.py)((?: --\w+=\S+)*)", text):
        known = config.constants((ROOT / script).read_text(encoding="utf-8"))
        for name in re.findall(r"--(\w+)=", arguments[0]):
            assert name in known, f"{script} --{name}"
    for path in re.findall(r"\]\(([\w./]+)\)", text):
        assert (ROOT / path).exists(), path
    assert "RESULTS_TABLE" not in text


def test_both_readmes_have_the_same_commands_and_tables():
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in READMES)
    for pattern in (r"^```\w*\n([^`]*)^```$", r"^\| ((?:`[\w.]+`(?:, )?)+) \|", r"^(#+) "):
        found = [re.findall(pattern, text, re.MULTILINE) for text in (english, chinese)]
        assert found[0] == found[1] and found[0], pattern


def test_ci_runs_the_readmes_two_commands():
    pattern = re.search(r"grep -E '(.*)' README.md", (ROOT / ".ci" / "run").read_text()).group(1)
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if re.match(pattern, line)]
    assert commands == [
        "python -m pip install -r requirements.txt && python predict.py",
        "python -m pip install -r requirements-test.txt && python -m pytest",
    ]


def test_tree_lists_the_tracked_files():
    tree = runpy.run_path(str(ROOT / ".ci" / "tree.py"))
    try:
        paths = tree["tracked"](ROOT)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout")
    assert (ROOT / "tree.txt").read_text(encoding="utf-8").splitlines() == tree["lines"](paths)


def test_the_demo_data_set_is_ready_to_train_on():
    settings = config.read(ROOT / "train.py")
    data = VocDataset(ROOT / settings.dataset_path, settings.dataset)
    files = data.files("train") + data.files("val")
    assert 12 <= len(files) <= 24 and len(set(files)) == len(files)
    pixels = preflight(files, len(NAME_CLASSES), progress=False)
    assert (pixels.sum(0) > 0).all()


def test_train_runs_as_cloned(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    changes = {"input_shape": (64, 64), "unfreeze_epoch": 1, "save_dir": str(tmp_path), "device": "cpu",
               "cache_dir": str(tmp_path / "cache")}
    assert train.main(config.read(ROOT / "train.py", **changes)) == 0
    assert (tmp_path / "best_epoch_weights.pth").is_file()


def test_the_weights_find_the_objects_of_the_demo_sheets(monkeypatch):
    monkeypatch.chdir(ROOT)
    settings = config.read(ROOT / "predict.py")
    model = DeeplabV3(settings.model_path, device="cpu")
    assert tuple(model.name_classes) == NAME_CLASSES and model.colors == default_colors(len(NAME_CLASSES))
    data = VocDataset(ROOT / "herbarium_sheets", "demo")
    stem = data.stems("val")[0]
    truth, found = read_mask(data.mask(stem)), model.segment(read_image(data.images()[stem]))
    assert (truth == found)[truth != 255].mean() > 0.8
    assert (ROOT / settings.model_path).stat().st_size <= 13_000_000


def test_predict_runs_as_cloned(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert predict.main(config.read(ROOT / "predict.py", output_dir=str(tmp_path), device="cpu")) == 0
    sheets = find_images(ROOT / "img")
    assert 2 <= len(sheets) <= 3
    for sheet in sheets:
        mask = read_mask(tmp_path / "masks" / f"{sheet.stem}.png")
        assert mask.shape == read_image(sheet).shape[:2] == read_image(tmp_path / sheet.name).shape[:2]
        assert len(np.unique(mask)) >= 3
