"""Cameras from silhouettes of a known object."""

import json

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from experiments import run_experiment

import taichi_softras as sr
from demos.paper.calibrate.cameras import Cameras, errors_of, extrapolate, make_problems
from demos.paper.shared.rotations import exp_rotation


def test_cameras_see_the_origin_where_they_say():
    truth, start = make_problems(2, 3, np.random.default_rng(4))
    points = torch.zeros(1, 1, 3, dtype=torch.float64)
    ndc = sr.project(points, truth.as_posed(32), 1.0).reshape(2, 3, 3)
    # v is down in OpenCV's frame, y is up in NDC.
    torch.testing.assert_close(ndc[..., :2] * torch.tensor([1, -1]), truth.places)
    sizes = truth.log_focals.exp()[:, None] / ndc[..., 2]
    torch.testing.assert_close(sizes, truth.log_sizes.exp())
    errors = errors_of(start, truth)
    np.testing.assert_allclose(errors["rotation_degrees"], 15)
    np.testing.assert_allclose(abs(np.log1p(errors["focal_percent"] / 100)), np.log(1.1), atol=0.01)
    assert all((x == 0).all() for x in errors_of(truth, truth).values())


def test_extrapolation_takes_out_an_error_that_is_proportional():
    truth, _ = make_problems(2, 3, np.random.default_rng(5))
    turn = torch.tensor([0.01, -0.02, 0.03], dtype=torch.float64)

    def off_by(width):
        return Cameras(
            exp_rotation(width * turn) @ truth.rotations,
            truth.places + 0.1 * width,
            truth.log_sizes - 0.2 * width,
            truth.log_focals + 0.3 * width,
        )

    found = extrapolate(off_by(1.0), off_by(0.5))
    for errors in errors_of(found, truth).values():
        np.testing.assert_allclose(errors, 0, atol=1e-8)


def test_calibration_finds_cameras(tmp_path):
    run_experiment("calibrate", "--quick", "--output", tmp_path / "new")
    results = json.loads((tmp_path / "new" / "calibrate.json").read_text())
    rotations = {stage: row["rotation_degrees"][0] for stage, row in results.items()}
    assert rotations["start"] == pytest.approx(15)
    assert rotations["same blur, L-BFGS"] < 2
    assert rotations["sharp, extrapolated"] < 4
    assert iio.imread(tmp_path / "new" / "calibrate.png").shape == (3 * 48, 3 * 48, 3)
