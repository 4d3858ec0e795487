"""The viewer without a window: state, pictures, and what a user does to them."""

import dataclasses

import numpy as np
import pytest
from PIL import Image
from viewing import SIZE, SOFT, STATE, sphere

import taichi_softras as sr
from taichi_softras.rasterizer import families
from taichi_softras.viewer import LiveFit, Orbit, Session, ViewedMesh
from taichi_softras.viewer.controls import Action, Choice, Slider, Toggle, controls, with_value


@pytest.fixture
def viewed():
    return ViewedMesh(sr.torus(major_segments=12, minor_segments=8).normalized())


@pytest.fixture
def fit():
    return LiveFit.to_mesh(sphere(), sr.cube().normalized(), views=3, size=24)


# State


def test_orbit_looks_where_it_says():
    orbit = Orbit(azimuth=90.0, elevation=0.0, distance=2.0, center=(1.0, 2.0, 3.0))
    np.testing.assert_allclose(orbit.eye, (3.0, 2.0, 3.0), atol=1e-12)
    np.testing.assert_allclose(orbit.axes(), [[0, 0, -1], [0, 1, 0], [-1, 0, 0]], atol=1e-12)
    again = Orbit.at_eye(orbit.eye, np.array(orbit.center), orbit.fov)
    np.testing.assert_allclose(again.eye, orbit.eye, atol=1e-12)


def test_orbit_drags_the_mesh_with_the_mouse(viewed):
    point = np.array([[0.1, 0.2, 0.3]])
    before = viewed.shot(STATE, SIZE, SIZE).pixels_of(point)[0]
    panned = dataclasses.replace(STATE, orbit=STATE.orbit.panned(0.25, -0.125))
    after = viewed.shot(panned, SIZE, SIZE).pixels_of(point)[0]
    assert after[0] - before[0] == pytest.approx(0.25 * SIZE, rel=0.2)
    assert after[1] - before[1] == pytest.approx(-0.125 * SIZE, rel=0.2)
    turned = dataclasses.replace(STATE, orbit=STATE.orbit.turned(0.02, 0.0))
    near = STATE.orbit.eye[None] * 0.2  # on the side of the mesh that is seen
    x = [viewed.shot(s, SIZE, SIZE).pixels_of(near)[0, 0] for s in (STATE, turned)]
    assert x[1] > x[0]


def test_orbit_stops_short_of_the_pole_and_of_the_mesh():
    orbit = Orbit()
    assert orbit.turned(0, 99).elevation == 89
    assert orbit.turned(0, -99).elevation == -89
    assert -180 <= orbit.turned(77.7, 0).azimuth <= 180
    assert orbit.zoomed(1e9).distance > 0
    assert orbit.zoomed(2).distance == orbit.distance / 2
    assert np.isfinite(orbit.turned(0, 99).axes()).all()
    assert Orbit.at_eye(np.array([0.0, 5.0, 0.0]), np.zeros(3), 30.0).elevation == 89


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"view": "colour"}, "view must be one of"),
        ({"background": 2.0}, "background must be from 0 to 1, got 2.0"),
        ({"smoothing": -1.0}, "smoothing must be from 0 to 1"),
        ({"face": -1}, "face must be at least 0, got -1"),
        ({"pixel": (0.5, 1.5)}, "pixel must be inside the picture"),
        ({"pixel": (float("nan"), 0.5)}, "pixel must be finite"),
    ],
)
def test_state_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(STATE, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distance": 0.0}, "distance must be above 0"),
        ({"fov": 180.0}, "fov must be above 0 and under 180"),
        ({"azimuth": float("nan")}, "azimuth must be finite"),
        ({"center": (0.0, float("inf"), 0.0)}, "center must be finite"),
    ],
)
def test_orbit_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        Orbit(**change)


def every_control(*, with_target=True):
    return [c for group in controls(10, with_target=with_target) for c in group.controls]


# Controls


def test_every_option_of_the_rasterizer_has_a_control():
    names = {control.name for control in every_control()}
    fields = {field.name for field in dataclasses.fields(sr.RasterizerSettings)}
    missing = fields - {name.removeprefix("settings.") for name in names}
    assert missing == {"height", "width", "near", "far", "orthographic"}


def test_a_registered_family_shows_up(monkeypatch):
    monkeypatch.setitem(families.ALPHAS, "mine", families.ALPHAS["prod"])
    words = next(c.options for c in every_control() if c.name == "settings.alpha")
    assert words == ("prod", "sum", "hard", "mine")


@pytest.mark.parametrize("control", every_control(), ids=lambda control: control.name)
def test_every_control_changes_the_state(control):
    if isinstance(control, Action):
        assert callable(getattr(Session, control.name.removesuffix("_gif").removesuffix("_mp4")))
        return
    options = {
        Slider: lambda: (control.low, control.high),
        Choice: lambda: control.options,
        Toggle: lambda: (True, False),
    }[type(control)]()
    states = {with_value(STATE, control.name, option) for option in options}
    assert len(states) == len(options) > 1


def test_logarithmic_slider_has_equal_factors():
    slider = Slider("settings.sigma", "sigma", 1e-6, 1e-2, logarithmic=True)
    assert slider.value(0.5) == pytest.approx(1e-4)
    assert slider.fraction(1e-4) == pytest.approx(0.5)
    assert slider.value(-1) == pytest.approx(1e-6)
    assert slider.value(2) == pytest.approx(1e-2)
    assert slider.fraction(1.0) == 1
    assert Slider("face", "face", 0, 0, integer=True).fraction(0) == 0


# LiveFit


def test_fit_measures_the_gradient_of_its_loss(fit):
    state = dataclasses.replace(STATE, smoothing=0.0)
    gradient = fit.gradient(state)
    loss = fit.loss(state)
    # A small step down the gradient lowers the loss by about its squared length.
    rate = 2e-3 * loss / np.square(gradient).sum()
    moved = sphere().with_vertices(fit.vertices - rate * gradient)
    other = LiveFit.to_mesh(moved, sr.cube().normalized(), views=3, size=24)
    assert other.loss(state) - loss == pytest.approx(-2e-3 * loss, rel=0.1)


def test_fit_goes_down_and_starts_over(fit):
    before = fit.vertices
    for _ in range(15):
        fit.step(STATE)
    assert fit.losses[-1] < 0.9 * fit.losses[0]
    assert len(fit.losses) == 15
    fit.restart()
    assert fit.losses == []
    np.testing.assert_array_equal(fit.vertices, before)
    first = fit.gradient(STATE)
    np.testing.assert_allclose(first, LiveFit.gradient(fit, STATE))


def test_fit_follows_the_state(fit):
    gradients = [
        fit.gradient(dataclasses.replace(STATE, **change))
        for change in ({}, {"smoothing": 0.0}, {"settings": dataclasses.replace(SOFT, sigma=1e-5)})
    ]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(gradients[one] - gradients[other]).max() > 1e-6
    np.testing.assert_allclose(fit.gradient(STATE), gradients[0], atol=1e-7)


@pytest.mark.parametrize("mode", ["RGBA", "L"])
def test_fit_to_a_picture(mode, tmp_path):
    path = tmp_path / "target.png"
    disc = np.hypot(*(np.mgrid[:48, :64] - np.array([24, 32])[:, None, None])) < 10
    if mode == "RGBA":  # black on transparent
        pixels = np.zeros((48, 64, 4), np.uint8)
        pixels[..., 3] = disc * 255
    else:
        pixels = disc.astype(np.uint8) * 255
    Image.fromarray(pixels).save(path)
    fit = LiveFit.to_picture(sphere(), path, Orbit(distance=2.5), size=24)
    assert fit._masks.shape == (1, 24, 32)
    assert fit._masks.mean() == pytest.approx(disc.mean(), rel=0.05)
    for _ in range(20):
        fit.step(STATE)
    assert fit.losses[-1] < 0.8 * fit.losses[0]  # the sphere shrinks to the disc


def test_fit_refuses_meshes_without_faces():
    empty = sr.Mesh(np.zeros((3, 3)), np.zeros((0, 3), dtype=int))
    with pytest.raises(ValueError, match="the target must have faces"):
        LiveFit.to_mesh(sphere(), empty)
    with pytest.raises(ValueError, match="must have faces, got none"):
        LiveFit.to_mesh(empty, sphere())
