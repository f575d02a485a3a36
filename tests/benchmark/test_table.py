"""The table of measurements."""

from utils.benchmark.table import Row, table


def test_table_has_medians_spread_and_ratio():
    rows = [Row("a", "s", [3.0, 1.0, 2.0], "b", [4.0], memory=12e6), Row("c", "%", [0.5])]
    assert table(rows).splitlines()[2:] == [
        "| a | 2 s (1 to 3) | b | 4 s | 0.50 | 12 MB |", "| c | 0.5 % |  |  |  |  |"]
