"""What a benchmark says while it runs."""

import pytest

from utils.benchmark import progress
from utils.benchmark.progress import Progress, in_words


@pytest.fixture
def clock(monkeypatch):
    """Seconds on the clock, in a list of one: tests move it."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    return now


def test_a_line_has_title_estimate_and_the_time_it_took(capsys, clock):
    with Progress().line("Predicting 10 sheets", 40):
        assert capsys.readouterr().err == "Predicting 10 sheets: about 40 s ... "
        clock[0] += 37
    assert capsys.readouterr() == ("", "37 s\n")


def test_estimates_follow_how_fast_the_machine_has_been(capsys, clock):
    lines = Progress()
    with lines.line("One", 10):
        clock[0] += 30
    with lines.line("Two", 10):  # 30 s are expected: three times as slow as said
        clock[0] += 10
    with lines.line("Three", 10):  # 20 said, 40 taken
        pass
    assert capsys.readouterr().err.splitlines() == [
        "One: about 10 s ... 30 s", "Two: about 30 s ... 10 s", "Three: about 20 s ... 1 s"]


def test_what_fails_is_said_and_does_not_count(capsys, clock):
    lines = Progress()
    with pytest.raises(KeyError), lines.line("One", 10):
        clock[0] += 30
        raise KeyError("x")
    with lines.line("Two", 10):
        clock[0] += 10
    assert capsys.readouterr().err.splitlines() == ["One: about 10 s ... failed", "Two: about 10 s ... 10 s"]


def test_seconds_in_words():
    assert [in_words(seconds) for seconds in (0.2, 7.4, 119, 130, 720)] == ["1 s", "7 s", "119 s", "2 min", "12 min"]
