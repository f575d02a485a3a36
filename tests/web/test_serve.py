"""serve.py: its constants, and that it serves what they say."""

import re

import pytest

import serve
from helpers import ROOT
from utils import config
from utils.digitise import checks, sheet
from utils.utils import NAME_CLASSES, UserError
from utils.web.looked_for import NAMES, read_looked_for


@pytest.mark.parametrize(("changes", "words"), [
    ({"port": 70_000}, "port is 70000: it has to be from 0 to 65535"),
    ({"threads": 0}, "threads is 0"), ({"queue_length": -1}, "queue_length is -1"),
    ({"max_upload_mb": 0}, "max_upload_mb is 0"), ({"request_seconds": 0.5}, "request_seconds is 0.5"),
    ({"allowed_origins": ("*",)}, 'allowed_origins has "\\*"'),
    ({"allowed_origins": ("https://a.example/page",)}, "allowed_origins has"),
    ({"digitise": {"crops": False}}, 'digitise has "crops"'),
    ({"digitise": {"review_below": 2.0}}, "review_below is 2"),
    ({"digitise": {"symbologies": ("Morse",)}}, "Morse"), ({"digitise": {"scale": "yes"}}, "scale is 'yes'"),
    ({"token_variable": "NO_SUCH_VARIABLE"}, "the environment has no such variable"),
    ({"model_path": "nowhere.pth"}, "nowhere.pth"), ({"min_confidence": 2.0}, "min_confidence is 2"),
])
def test_constants_that_do_not_fit(monkeypatch, changes, words):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(serve, "serve", lambda app, s: pytest.fail("it was started"))
    with pytest.raises(UserError, match=words):
        serve.main(config.read(serve, device="cpu", **changes))


def test_it_serves_the_model_of_the_constants(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    apps = []
    monkeypatch.setattr(serve, "serve", lambda app, s: apps.append(app) or 0)
    assert serve.main(config.read(serve, device="cpu", host="0.0.0.0", min_confidence=0.25)) == 0
    assert "there is no token" in capsys.readouterr().out
    about = apps[0].test_client().get("/api/v1/model").json
    assert (about["name"], about["backbone"], about["device"]) == ("deeplabv3_plus", "mobilenet", "cpu")
    assert re.fullmatch("[0-9a-f]{12}", about["id"]) and about["min_confidence"] == 0.25


def test_the_constants_that_count_are_those_that_are_read():
    """Each `s.name` and `limits.name` in the code of a sheet, but for those of files that are not written."""
    source = "".join(open(module.__file__, encoding="utf-8").read() for module in (checks, sheet))
    read = set(re.findall(r"\b(?:s|limits)\.(\w+)", source)) & set(config.constants((ROOT / "digitise.py").read_text()))
    written = {"crops", "collages", "masks", "labelme", "report", "plants", "specimens", "skip_done"}
    assert read - written == set(NAMES)
    own = config.read(ROOT / "digitise.py")
    changed = read_looked_for(ROOT / "digitise.py", {"review_below": 0.5}, NAME_CLASSES, True)
    assert changed.to_dict() == {name: getattr(own, name) for name in NAMES} | {"review_below": 0.5}
