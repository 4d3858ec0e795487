"""The demos of poses and calibration, and the renderer that they compare with."""

import importlib
import itertools
import json
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import taichi_softras as sr

ROOT = Path(__file__).parents[2]


@pytest.fixture
def demo(monkeypatch):
    """A function that imports a module of the demos."""
    monkeypatch.syspath_prepend(ROOT / "demos")
    return importlib.import_module


def run(name, output):
    """Run a demo as a stranger would."""
    command = [sys.executable, f"demos/{name}.py", "--quick", "--output", str(output)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


# --- The renderer without an interpolation gradient -------------------------------------------


@pytest.fixture
def triangles(rng):
    """Overlapping faces, partly outside the image, with colours and an incoming gradient."""
    faces = 2 * torch.rand(2, 6, 3, 3, generator=rng, dtype=torch.float64) - 1
    faces[..., 2] = 1.5 + 0.5 * faces[..., 2]
    colors = torch.rand(1, 6, 3, 3, generator=rng, dtype=torch.float64)
    return faces, colors, torch.randn(2, 9, 13, 4, generator=rng, dtype=torch.float64)


SETTINGS = sr.RasterizerSettings(height=9, width=13, near=0.5, far=4.0, sigma=1e-2, gamma=0.1)


def differentiate(draw, triangles):
    faces, colors, incoming = triangles
    leaves = [x.clone().requires_grad_() for x in (faces, colors)]
    image = draw(*leaves, SETTINGS)
    image.backward(incoming)
    return [image.detach(), *(x.grad for x in leaves)]


def test_dense_render_is_the_librarys(demo, triangles):
    def draw(*arguments):
        return demo("dense").dense_render(*arguments, interpolation_gradient=True)

    ours, theirs = differentiate(sr.rasterize, triangles), differentiate(draw, triangles)
    torch.testing.assert_close(theirs, ours, rtol=1e-9, atol=1e-11)


def test_dense_render_leaves_out_what_softras_does(demo, triangles):
    def draw(*arguments):
        return demo("dense").dense_render(*arguments, interpolation_gradient=False)

    (image, exact, of_colors), found = (differentiate(x, triangles) for x in (sr.rasterize, draw))
    torch.testing.assert_close(found[0], image)
    torch.testing.assert_close(found[2], of_colors)
    torch.testing.assert_close(found[1][..., 2], exact[..., 2])
    error = (found[1] - exact)[..., :2].norm() / exact[..., :2].norm()
    assert error > 0.05


# --- Rotations --------------------------------------------------------------------------------


def test_rotations_about_vectors(demo):
    turns = np.random.default_rng(0).normal(size=(5, 2, 3))
    found = demo("rotations").exp_rotation(torch.tensor(turns)).numpy()
    expected = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix()
    np.testing.assert_allclose(found.reshape(-1, 3, 3), expected, atol=1e-13)


@pytest.mark.parametrize("angle", [0.0, 1e-6, 5.0, 90.0, 179.0, 180.0])
def test_angles_between_rotations(demo, angle):
    start = Rotation.random(rng=np.random.default_rng(1))
    end = Rotation.from_rotvec(np.radians(angle) * np.array([0.6, 0, 0.8])) * start
    found = demo("rotations").angles_between(end.as_matrix(), start.as_matrix())
    assert found == pytest.approx(angle, rel=1e-6, abs=1e-9)


# --- Poses ------------------------------------------------------------------------------------


def test_opposite_faces_of_the_cube_are_complementary(demo):
    cube = demo("pose").colored_cube(by_face=True)
    middles = cube.vertices.reshape(6 * 2, 3, 3).mean(1)
    colors = cube.colors.reshape(6 * 2, 3, 3)
    assert len(colors[:, 0].unique(dim=0)) == 6
    assert (colors == colors[:, :1]).all()
    red = colors[:, 0].argmax(1) == 0
    red &= colors[:, 0, 1:].amax(1) < 0.5
    np.testing.assert_allclose(middles[red].mean(0), (0.5, 0, 0), atol=1e-6)
    cyan = (colors[:, 0] + colors[red][0, 0] - 1).abs().amax(1) < 1e-6
    np.testing.assert_allclose(middles[cyan].mean(0), (-0.5, 0, 0), atol=1e-6)


def test_best_of_is_what_drawing_would_give(demo):
    rng = np.random.default_rng(2)
    values, losses = rng.normal(size=7), rng.normal(size=7)
    for count in (1, 3, 7):
        draws = [list(x) for x in itertools.combinations(range(7), count)]
        expected = np.mean([values[x][losses[x].argmin()] for x in draws])
        assert demo("pose").best_of(values, losses, count) == pytest.approx(expected)


def test_guesses_that_are_near_arrive(demo):
    """From 40 degrees, by annealing."""
    pose = demo("pose")
    truth = Rotation.random(rng=np.random.default_rng(3))
    turns = np.radians(40) * np.array([[1, 0, 0], [0, -1, 0], [0, 0, 1], [0, 0.6, -0.8]])
    guesses = (Rotation.from_rotvec(turns) * truth).as_matrix().astype(np.float32)
    cube = pose.colored_cube(by_face=True)
    settings = sr.RasterizerSettings(height=24, width=24, near=2.0, far=6.0)
    target = truth.as_matrix().astype(np.float32)
    sharp = sr.RasterizerSettings(height=24, width=24, near=2.0, far=6.0, **pose.SHARP)
    picture = pose.draw(cube, torch.tensor(target[None]), sharp)
    method = pose.make_methods(40)["annealed"]
    descent = pose.descend(cube, picture, torch.tensor(guesses), method, settings, steps=40)
    assert descent.rotations.shape == (41, 4, 3, 3)
    np.testing.assert_array_equal(descent.rotations[0], guesses)
    angles = demo("rotations").angles_between(descent.rotations[-1], target)
    assert np.median(angles) < 5


def test_pose_writes_what_it_found(tmp_path):
    printed = run("pose", tmp_path / "new")
    results = json.loads((tmp_path / "new" / "pose.json").read_text())["results"]["cube"]
    assert len(results["start_angles"]) == 8
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


@pytest.mark.parametrize("name", ["pose", "calibrate"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--steps", "0"], "--steps must be at least 1, got 0"),
        (["--seed", "-1"], "--seed must be at least 0, got -1"),
        (["--output", __file__], "--output must be a folder, got the file"),
    ],
    ids=lambda x: x[0] if isinstance(x, list) else "",
)
def test_bad_arguments_are_refused_in_a_line(demo, name, arguments, words, capsys):
    with pytest.raises(SystemExit):
        demo(name).main(arguments)
    assert words in capsys.readouterr().err.splitlines()[-1]


# --- Calibration ------------------------------------------------------------------------------


def test_cameras_see_the_origin_where_they_say(demo):
    calibrate = demo("calibrate")
    truth, start = calibrate.make_problems(2, 3, np.random.default_rng(4))
    points = torch.zeros(1, 1, 3, dtype=torch.float64)
    ndc = sr.project(points, truth.as_posed(32), 1.0).reshape(2, 3, 3)
    # v is down in OpenCV's frame, y is up in NDC.
    torch.testing.assert_close(ndc[..., :2] * torch.tensor([1, -1]), truth.places)
    sizes = truth.log_focals.exp()[:, None] / ndc[..., 2]
    torch.testing.assert_close(sizes, truth.log_sizes.exp())
    errors = calibrate.errors_of(start, truth)
    np.testing.assert_allclose(errors["rotation_degrees"], 15)
    np.testing.assert_allclose(abs(np.log1p(errors["focal_percent"] / 100)), np.log(1.1), atol=0.01)
    assert all((x == 0).all() for x in calibrate.errors_of(truth, truth).values())


def test_extrapolation_takes_out_an_error_that_is_proportional(demo):
    calibrate = demo("calibrate")
    truth, _ = calibrate.make_problems(2, 3, np.random.default_rng(5))
    turn = torch.tensor([0.01, -0.02, 0.03], dtype=torch.float64)

    def off_by(width):
        return calibrate.Cameras(
            demo("rotations").exp_rotation(width * turn) @ truth.rotations,
            truth.places + 0.1 * width,
            truth.log_sizes - 0.2 * width,
            truth.log_focals + 0.3 * width,
        )

    found = calibrate.extrapolate(off_by(1.0), off_by(0.5))
    for errors in calibrate.errors_of(found, truth).values():
        np.testing.assert_allclose(errors, 0, atol=1e-8)


def test_calibration_finds_cameras(tmp_path):
    run("calibrate", tmp_path / "new")
    results = json.loads((tmp_path / "new" / "calibrate.json").read_text())
    rotations = {stage: row["rotation_degrees"][0] for stage, row in results.items()}
    assert rotations["start"] == pytest.approx(15)
    assert rotations["same blur, L-BFGS"] < 2
    assert rotations["sharp, extrapolated"] < 4
    assert iio.imread(tmp_path / "new" / "calibrate.png").shape == (3 * 48, 3 * 48, 3)
