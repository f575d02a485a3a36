"""The constants of a script: read, given for one run, refused."""

import runpy
import signal
import sys
from types import SimpleNamespace
from typing import Literal

import pytest

from helpers import ROOT
from utils import config
from utils.utils import UserError

SCRIPT = '''"""A script."""
from typing import Literal
from utils import config

# ---- Network ----
backbone: Literal["mobilenet", "xception"] = "mobilenet"  # which
input_shape: tuple[int, int] = (512, 512)
init_lr: float | None = None
cls_weights: Literal["auto"] | tuple[float, ...] | None = None
name_classes: tuple[str, ...] = ("_background_", "Barcode")
fp16: bool = True
label: str = "a=b"
# ---- nothing below ----

def main(settings):
    print(settings.to_dict())
    return 3

if __name__ == "__main__":
    config.run(main)
'''


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


@pytest.fixture
def run(script, monkeypatch, capsys):
    """Runs the script as `python script.py argument ...` does, in this process: another takes seconds to start."""
    def run(*arguments: str) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", [str(script), *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(script), run_name="__main__")
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=end.value.code, stdout=out, stderr=err)

    return run


def test_defaults_in_the_scripts_order(script):
    settings = config.read(script)
    assert list(settings.to_dict()) == [
        "backbone", "input_shape", "init_lr", "cls_weights", "name_classes", "fp16", "label"
    ]
    assert settings.input_shape == (512, 512) and settings.fp16 is True


@pytest.mark.parametrize(("text", "hint", "value"), [
    ("512,384", tuple[int, int], (512, 384)),
    ("(512, 384)", tuple[int, int], (512, 384)),
    ("False", bool, False),
    ("true", bool, True),
    ("1e-3", float, 1e-3),
    ("2", float, 2.0),
    ("2", str, "2"),
    ("none", str, "none"),
    ("none", float | None, None),
    ("auto", Literal["auto"] | tuple[float, ...] | None, "auto"),
    ("1,2,.5", Literal["auto"] | tuple[float, ...] | None, (1.0, 2.0, 0.5)),
    ("Barcode,Color chart", tuple[str, ...], ("Barcode", "Color chart")),
    ("Barcode", tuple[str, ...], ("Barcode",)),
    ("4", tuple[int, ...], (4,)),
    ("{'a': 1}", dict[str, int], {"a": 1}),
    ("8", Literal[8, 16], 8),
])
def test_parse(text, hint, value):
    parsed = config.parse(text, hint)
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(("text", "hint"), [
    ("yes", bool), ("1", bool), ("1.5", int), ("1,2,3", tuple[int, int]), ("vgg", Literal["a", "b"]), ("True", int),
    ("true", Literal[1]), ("a", float | None), ("1", dict[str, int]),
])
def test_parse_refuses(text, hint):
    with pytest.raises(ValueError):
        config.parse(text, hint)


def test_read_refuses_unknown_names_and_wrong_types(script):
    with pytest.raises(UserError, match="nonsense is not a constant of script.py.*backbone, input_shape"):
        config.read(script, nonsense=1)
    sentence = r"input_shape is \(512, '512'\): it has to be \(a whole number, a whole number\)"
    with pytest.raises(UserError, match=sentence):
        config.read(script, input_shape=(512, "512"))


def test_command_line(run):
    result = run("--backbone=xception", "--input-shape=64,48", "--label=x=y")
    assert result.returncode == 3  # what main returned
    assert "'backbone': 'xception', 'input_shape': (64, 48)" in result.stdout and "'label': 'x=y'" in result.stdout


@pytest.mark.parametrize(("argument", "sentence"), [
    ("--nonsense=1",
     "--nonsense=1 is not a constant of script.py: give --name=value with one of backbone, input_shape"),
    ("fp16=true", "fp16=true is not a constant"),
    ("--fp16", "--fp16 needs a value: --fp16=True is the script's own."),
    ("--backbone=vgg", "--backbone=vgg: backbone has to be one of mobilenet, xception."),
])
def test_command_line_refuses_with_a_sentence(run, argument, sentence):
    result = run(argument)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith(sentence) and "Traceback" not in result.stderr


@pytest.mark.parametrize(("script", "name", "values"), [
    ("train", "mixed_in", "a number"), ("convert_labelled", "label_names", "a text"),
])
def test_dictionaries_are_described(script, name, values):
    with pytest.raises(UserError, match=f"{name} is 'demo': it has to be a dictionary {{\"name\": {values}, ...}}"):
        config.read(ROOT / f"{script}.py", **{name: "demo"})


def test_help_prints_the_block(run):
    result = run("--help")
    assert result.returncode == 0
    block = SCRIPT[SCRIPT.index("# ---- Network"):SCRIPT.index("# ---- nothing")]
    assert block.strip() in result.stdout and "def main" not in result.stdout


def test_errors_of_main_are_one_sentence(script, run):
    sad = "    from utils.utils import UserError\n    raise UserError('Sad.')"
    script.write_text(SCRIPT.replace("    return 3", sad))
    result = run()
    assert (result.returncode, result.stderr) == (1, "Sad.\n")


def test_what_the_system_says_of_files_is_one_sentence(script, run):
    script.write_text(SCRIPT.replace("    return 3", "    open('nowhere/a', 'w')"))
    result = run()
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert "No such file or directory: 'nowhere/a': check the name, the permissions of the folder" in result.stderr


def test_ctrl_c_ends_without_traceback(script, run):
    script.write_text(SCRIPT.replace("    return 3", "    raise KeyboardInterrupt"))
    result = run()
    assert (result.returncode, result.stderr) == (130, "Stopped by Ctrl-C.\n")


@pytest.mark.parametrize(("script_name", "changes", "sentence"), [
    ("train.py", {"input_shape": (1_000_000, 512)}, r"input_shape is \(1000000, 512\): 1000000 is out .* 16384"),
    ("train.py", {"num_workers": 100_000}, "num_workers is 100000: 100000 is out of range, it has to be at most 256"),
    ("predict.py", {"num_workers": 100_000}, "num_workers is 100000"),
    ("train.py", {"unfreeze_epoch": 10**40}, "unfreeze_epoch is 1.*: .* is out of range"),
    ("train.py", {"init_lr": float("nan")}, "init_lr is nan: it has to be a number or None"),
    ("train.py", {"augment_scale": (0.5, float("inf"))}, "augment_scale is"),
])
def test_constants_that_no_machine_can_serve(script_name, changes, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        config.read(ROOT / script_name, **changes)
    assert error.value.exit_status == 2


def test_debug_prints_the_traceback_too(script, run):
    body = "    from utils.utils import UserError\n    raise UserError('a.')"
    script.write_text(SCRIPT.replace("    return 3", body))
    for arguments, lines in (((), 1), (("--debug=true",), 2)):
        result = run(*arguments)
        assert result.returncode == 1 and result.stderr.splitlines()[-1] == "a."
        assert ("Traceback" in result.stderr) == (lines == 2)


@pytest.fixture
def sigterm():
    """A SIGTERM that nobody handles is ignored: it would end the tests."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_sigterm_leaves_no_temporary_file(script, run, sigterm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    body = ("    import os, signal\n    from utils.utils import atomic_path\n"
            "    with atomic_path('result.txt'):\n        os.kill(os.getpid(), signal.SIGTERM)\n    return 3")
    script.write_text(SCRIPT.replace("    return 3", body))
    assert run().returncode == 143 and [path.name for path in tmp_path.iterdir()] == [script.name]
