"""What the experiments share."""

import importlib
import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from demos.paper.shared.intervals import mean_interval, nested_interval
from demos.paper.shared.reporting import print_table, write_json
from demos.paper.shared.rotations import angles_between, exp_rotation

# --- Intervals --------------------------------------------------------------------------------


def test_intervals_hold_the_mean_in_95_of_100_samples():
    rng = np.random.default_rng(0)
    held, widths = 0, []
    for seed in range(100):
        mean, low, high = mean_interval(rng.normal(3.0, 2.0, 50), seed)
        assert low < mean < high
        held += low < 3.0 < high
        widths.append(high - low)
    assert 88 <= held <= 99
    # That of a normal distribution: 2 x 1.96 standard errors.
    assert np.mean(widths) == pytest.approx(3.92 * 2 / 50**0.5, rel=0.06)


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0, 2.0]])
def test_interval_of_what_does_not_vary_is_a_point(values):
    assert mean_interval(values) == (2.0, 2.0, 2.0)


def test_intervals_over_groups_hold_the_mean_of_all_groups():
    """Draws of a group are alike: an interval that takes them for independent is too short."""
    held, taken_for_independent = 0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        values = rng.normal(3.0, 1.0, (12, 1)) + rng.normal(0.0, 1.0, (12, 20))
        mean, low, high = nested_interval(values, seed)
        assert mean == pytest.approx(values.mean())
        held += low < 3.0 < high
        _, low, high = mean_interval(values.ravel(), seed)
        taken_for_independent += low < 3.0 < high
    assert held >= 52
    assert taken_for_independent < 42


def test_interval_over_one_group_is_over_its_draws():
    values = np.random.default_rng(0).normal(size=(1, 60))
    nested, plain = nested_interval(values), mean_interval(values[0])
    np.testing.assert_allclose(nested, plain, atol=0.02)


# --- Reporting --------------------------------------------------------------------------------


def test_tables_are_not_cut(capsys):
    long = "word " * 40
    print_table("Title", ("name", "number"), [(long, 1.5), ("short", None)])
    printed = capsys.readouterr().out
    assert long.strip() in printed
    assert "1.5" in printed


def test_results_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "results.json"
    write_json(path, {"array": np.arange(3), "number": np.float32(0.5)})
    assert json.loads(path.read_text()) == {"array": [0, 1, 2], "number": 0.5}
    with pytest.raises(TypeError, match="results must be numbers"):
        write_json(path, {"object": object()})
    assert json.loads(path.read_text())["number"] == 0.5
    assert [*tmp_path.iterdir()] == [path]


# --- Command lines ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("pose", ["--steps", "0"], "--steps must be at least 1, got 0"),
        ("calibrate", ["--steps", "0"], "--steps must be at least 1, got 0"),
        *(
            (name, *case)
            for name in ("pose", "calibrate", "gradients", "body")
            for case in (
                (["--seed", "-1"], "--seed must be at least 0, got -1"),
                (["--output", __file__], "--output must be a folder, got the file"),
            )
        ),
    ],
)
def test_bad_arguments_are_refused_in_a_line(name, arguments, words, capsys):
    with pytest.raises(SystemExit):
        importlib.import_module(f"demos.paper.{name}.__main__").main(arguments)
    assert words in capsys.readouterr().err.splitlines()[-1]


# --- Rotations --------------------------------------------------------------------------------


def test_rotations_about_vectors():
    turns = np.random.default_rng(0).normal(size=(5, 2, 3))
    found = exp_rotation(torch.tensor(turns)).numpy()
    expected = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix()
    np.testing.assert_allclose(found.reshape(-1, 3, 3), expected, atol=1e-13)


@pytest.mark.parametrize("angle", [0.0, 1e-6, 5.0, 90.0, 179.0, 180.0])
def test_angles_between_rotations(angle):
    start = Rotation.random(rng=np.random.default_rng(1))
    end = Rotation.from_rotvec(np.radians(angle) * np.array([0.6, 0, 0.8])) * start
    found = angles_between(end.as_matrix(), start.as_matrix())
    assert found == pytest.approx(angle, rel=1e-6, abs=1e-9)
