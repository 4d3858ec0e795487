import json

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from experiments import run_experiment

from demos.paper.gradients.measures import angles, compare, headings, landings
from demos.paper.gradients.problems import (
    PALETTE,
    draw,
    draw_held,
    make_settings,
    two_triangles,
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gradients") / "made"
    assert "two triangles" in run_experiment("gradients", "--quick", "--output", folder)
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


def test_landings_follow_the_slope_to_its_valley():
    degrees = angles(72)
    one, two = np.sin(np.radians(degrees)), np.sin(2 * np.radians(degrees))
    assert np.abs(landings(degrees, one)).max() < 1e-9
    ends = landings(degrees, two)
    np.testing.assert_allclose(np.abs(ends), np.where(np.abs(degrees) < 90, 0, 180), atol=1e-9)
    # Round the end of the circle: a single valley at 170 degrees.
    ends = landings(degrees, np.sin(np.radians(degrees - 170)))
    np.testing.assert_allclose(ends, 170, atol=1e-9)
    # Without a slope all stay.
    np.testing.assert_array_equal(landings(degrees, 0 * degrees), degrees)


def test_headings_take_the_shorter_way():
    degrees = angles(8)
    slopes = np.array([1, 1, -1, -1, 1, 1, -1, 0.0])
    np.testing.assert_array_equal(headings(degrees, slopes), [-1, -1, 1, 1, 1, 1, -1, 0])


def test_held_image_is_the_image_and_its_gradient_lacks_what_is_interpolated():
    problem = two_triangles("triangles", 8, 1.0, PALETTE[:3])
    settings = make_settings(8, (1e-2, 1e-1))
    corners = problem.vertices[:, problem.faces]
    images = [f(corners, problem.colors, settings) for f in (draw, draw_held)]
    torch.testing.assert_close(*images, rtol=0, atol=1e-12)
    exact, held = (problem.gradient(settings, f) for f in (draw, draw_held))
    assert (exact - held)[..., :2].abs().max() > 0.01 * exact[..., :2].abs().max()
    torch.testing.assert_close(held[..., 2], exact[..., 2])


def test_compare():
    error, cosine = compare(np.array([3.0, 4.0]), np.array([3.0, 0.0]))
    assert error == pytest.approx(4 / 3)
    assert cosine == pytest.approx(0.6)
