import json
import runpy
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
DEMOS = ROOT / "demos"


def run(*arguments):
    command = [sys.executable, "demos/gradients.py", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gradients") / "made"
    done = run("--quick", "--output", folder)
    assert done.returncode == 0, done.stderr
    assert "two triangles" in done.stdout
    assert iio.imread(folder / "gradients.png").shape[1] == 1520
    return json.loads((folder / "results.json").read_text())


def test_only_a_soft_rasterizer_moves_what_is_hidden(results):
    (hidden,) = results["hidden"]
    assert np.abs(hidden["hard"]["gradient"]).max() == 0
    assert hidden["hard"]["loss after"] == hidden["hard"]["loss"]
    assert hidden["soft"]["loss after"] < 0.8 * hidden["soft"]["loss"]
    assert hidden["soft"]["error after"] < 0.7 * hidden["hard"]["error after"]


def test_only_a_soft_pixel_pulls_from_afar(results):
    (reach,) = results["reach"]
    assert max(reach["pulls"].pop("hard")) == 0
    # The softer, the farther.
    farthest = [np.max(np.nonzero(pulls)) for pulls in reach["pulls"].values()]
    assert farthest == sorted(farthest)
    assert farthest[0] < farthest[-1]


def test_descent_heads_for_the_target_if_soft(results):
    hard, *_, softest = results["landscapes"]
    assert hard["softness"] is None
    assert hard["same"]["heading"][0] == 0
    assert softest["same"]["heading"][0] > 0.6


def test_the_exact_gradient_is_right_and_the_incomplete_one_is_not(results):
    for found in results["missing"]:
        assert found["images differ by"] < 1e-11, found
        assert found["exact"][0] < 1e-6, found
        parallel = found["scene"] == "two triangles, parallel, one colour each"
        assert (found["held"][0] < 1e-6) == parallel, found
    assert max(found["held"][0] for found in results["missing"]) > 0.1
    assert max(found["median error"] for found in results["slopes"]) > 0.02


@pytest.fixture
def demo(monkeypatch):
    """What the demo's files define, in one dictionary."""
    monkeypatch.syspath_prepend(DEMOS)
    names = ("gradients_scenes", "gradients_measures", "gradients")
    found = [runpy.run_path(str(DEMOS / f"{name}.py")) for name in names]
    return found[0] | found[1] | found[2]


def test_landings_follow_the_slope_to_its_valley(demo):
    degrees = demo["angles"](72)
    one, two = np.sin(np.radians(degrees)), np.sin(2 * np.radians(degrees))
    assert np.abs(demo["landings"](degrees, one)).max() < 1e-9
    ends = demo["landings"](degrees, two)
    np.testing.assert_allclose(np.abs(ends), np.where(np.abs(degrees) < 90, 0, 180), atol=1e-9)
    # Round the end of the circle: a single valley at 170 degrees.
    ends = demo["landings"](degrees, np.sin(np.radians(degrees - 170)))
    np.testing.assert_allclose(ends, 170, atol=1e-9)
    # Without a slope all stay.
    np.testing.assert_array_equal(demo["landings"](degrees, 0 * degrees), degrees)


def test_headings_take_the_shorter_way(demo):
    degrees = demo["angles"](8)
    slopes = np.array([1, 1, -1, -1, 1, 1, -1, 0.0])
    np.testing.assert_array_equal(demo["headings"](degrees, slopes), [-1, -1, 1, 1, 1, 1, -1, 0])


def test_held_image_is_the_image_and_its_gradient_lacks_what_is_interpolated(demo):
    scene = demo["two_triangles"]("triangles", 8, 1.0, demo["PALETTE"][:3])
    settings = demo["make_settings"](8, (1e-2, 1e-1))
    corners = scene.vertices[:, scene.faces]
    images = [demo[name](corners, scene.colors, settings) for name in ("draw", "draw_held")]
    torch.testing.assert_close(*images, rtol=0, atol=1e-12)
    exact, held = (scene.gradient(settings, demo[name]) for name in ("draw", "draw_held"))
    assert (exact - held)[..., :2].abs().max() > 0.01 * exact[..., :2].abs().max()
    assert held[..., 2].abs().max() == 0


def test_compare(demo):
    error, cosine = demo["compare"](np.array([3.0, 4.0]), np.array([3.0, 0.0]))
    assert error == pytest.approx(4 / 3)
    assert cosine == pytest.approx(0.6)


def test_bad_arguments_are_refused_in_one_line(demo, tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    for arguments, words in (
        (["--seed", "-1"], "seed must be at least 0, got -1"),
        (["--output", str(file)], "output must be a folder"),
    ):
        with pytest.raises(SystemExit) as raised:
            demo["main"](arguments)
        assert raised.value.code == 2
        assert words in capsys.readouterr().err.splitlines()[-1]
