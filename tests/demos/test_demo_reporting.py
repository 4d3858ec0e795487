"""What the demos share: `demos/reporting.py`."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def reporting(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "demos")
    return importlib.import_module("reporting")


def test_intervals_hold_the_mean_in_95_of_100_samples(reporting):
    rng = np.random.default_rng(0)
    held, widths = 0, []
    for seed in range(100):
        mean, low, high = reporting.mean_interval(rng.normal(3.0, 2.0, 50), seed)
        assert low < mean < high
        held += low < 3.0 < high
        widths.append(high - low)
    assert 88 <= held <= 99
    # That of a normal distribution: 2 x 1.96 standard errors.
    assert np.mean(widths) == pytest.approx(3.92 * 2 / 50**0.5, rel=0.06)


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0, 2.0]])
def test_interval_of_what_does_not_vary_is_a_point(reporting, values):
    assert reporting.mean_interval(values) == (2.0, 2.0, 2.0)


def test_tables_are_not_cut(reporting, capsys):
    long = "word " * 40
    reporting.print_table("Title", ("name", "number"), [(long, 1.5), ("short", None)])
    printed = capsys.readouterr().out
    assert long.strip() in printed
    assert "1.5" in printed


def test_results_are_written_whole_or_not_at_all(reporting, tmp_path):
    path = tmp_path / "results.json"
    reporting.write_json(path, {"array": np.arange(3), "number": np.float32(0.5)})
    assert json.loads(path.read_text()) == {"array": [0, 1, 2], "number": 0.5}
    with pytest.raises(TypeError, match="results must be numbers"):
        reporting.write_json(path, {"object": object()})
    assert json.loads(path.read_text())["number"] == 0.5
    assert [*tmp_path.iterdir()] == [path]
