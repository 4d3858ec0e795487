"""Rotations from one picture."""

import itertools
import json

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from experiments import run_experiment
from scipy.spatial.transform import Rotation

import taichi_softras as sr
from demos.paper.pose.descents import SHARP, descend, make_methods
from demos.paper.pose.errors import best_of, summarize
from demos.paper.pose.subjects import colored_cube, draw
from demos.paper.shared.rotations import angles_between


def test_opposite_faces_of_the_cube_are_complementary():
    cube = colored_cube(by_face=True)
    middles = cube.vertices.reshape(6 * 2, 3, 3).mean(1)
    colors = cube.colors.reshape(6 * 2, 3, 3)
    assert len(colors[:, 0].unique(dim=0)) == 6
    assert (colors == colors[:, :1]).all()
    red = colors[:, 0].argmax(1) == 0
    red &= colors[:, 0, 1:].amax(1) < 0.5
    np.testing.assert_allclose(middles[red].mean(0), (0.5, 0, 0), atol=1e-6)
    cyan = (colors[:, 0] + colors[red][0, 0] - 1).abs().amax(1) < 1e-6
    np.testing.assert_allclose(middles[cyan].mean(0), (-0.5, 0, 0), atol=1e-6)


def test_best_of_is_what_drawing_would_give():
    rng = np.random.default_rng(2)
    values, losses = rng.normal(size=7), rng.normal(size=7)
    for count in (1, 3, 7):
        draws = [list(x) for x in itertools.combinations(range(7), count)]
        expected = np.mean([values[x][losses[x].argmin()] for x in draws])
        assert best_of(values, losses, count) == pytest.approx(expected)


def test_guesses_that_are_near_arrive():
    """From 40 degrees, by annealing."""
    truth = Rotation.random(rng=np.random.default_rng(3))
    turns = np.radians(40) * np.array([[1, 0, 0], [0, -1, 0], [0, 0, 1], [0, 0.6, -0.8]])
    guesses = (Rotation.from_rotvec(turns) * truth).as_matrix().astype(np.float32)
    cube = colored_cube(by_face=True)
    settings = sr.RasterizerSettings(height=24, width=24, near=2.0, far=6.0)
    target = truth.as_matrix().astype(np.float32)
    sharp = sr.RasterizerSettings(height=24, width=24, near=2.0, far=6.0, **SHARP)
    picture = draw(cube, torch.tensor(target[None]), sharp)
    method = make_methods(40)["annealed"]
    found = descend(cube, picture, torch.tensor(guesses), method, settings, steps=40)
    assert found.rotations.shape == (41, 4, 3, 3)
    np.testing.assert_array_equal(found.rotations[0], guesses)
    angles = angles_between(found.rotations[-1], target)
    assert np.median(angles) < 5


def test_pose_writes_what_it_found(tmp_path):
    printed = run_experiment("pose", "--quick", "--output", tmp_path / "new")
    results = json.loads((tmp_path / "new" / "pose.json").read_text())["results"]["cube"]
    assert np.shape(results["start_angles"]) == (2, 6)
    errors = {name: row["mean_error"][0] for name, row in results["methods"].items()}
    assert set(errors) == {
        "little blur",
        "much blur",
        "annealed",
        "annealed, SoftRas's gradient",
    }
    assert errors["annealed"] < np.mean(results["start_angles"]) - 10
    difference = results["minus_annealed"]["little blur"]["mean_error"][0]
    assert difference == pytest.approx(errors["little blur"] - errors["annealed"])
    assert f"{errors['annealed']:.1f} [" in printed
    frames = iio.imread(tmp_path / "new" / "pose.gif")
    assert np.ptp(frames[0].astype(int) - frames[-1]) > 50
    assert iio.imread(tmp_path / "new" / "pose.png").shape[2] == 4


def test_intervals_are_over_truths():
    """Of one truth all guesses arrive, of the other none: of a third one nothing is known."""
    errors = np.array([[1.0] * 50, [90.0] * 50])
    found = summarize(errors, errors)
    assert found["share_found"] == (0.5, 0.0, 1.0)
    assert found["share_found_by_truth"].tolist() == [1.0, 0.0]
    assert found["share_found_best_of"]["20"] == 0.5
