"""The viewer without a window: state, pictures, and what a user does to them."""

import dataclasses
import gc
import re

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

import taichi_softras as sr
from taichi_softras.cli import main
from taichi_softras.rasterizer import families
from taichi_softras.viewer import LiveFit, Orbit, Session, ViewedMesh, ViewerState, draw_frame
from taichi_softras.viewer.colormaps import colored
from taichi_softras.viewer.controls import Action, Choice, Slider, Toggle, controls, with_value
from taichi_softras.viewer.pacing import COARSEST, LONG_REST, SHORT_REST, Pacing
from taichi_softras.viewer.panel import WIDTH as PANEL_WIDTH
from taichi_softras.viewer.screen import Screen
from taichi_softras.viewer.state import ViewName
from taichi_softras.viewer.views import VIEWS

SIZE = 96
SOFT = sr.RasterizerSettings(height=1, width=1, sigma=1e-3, gamma=1e-2)
STATE = ViewerState(orbit=Orbit(distance=2.5), settings=SOFT)
VIEW_NAMES = ViewName.__args__


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def viewed():
    return ViewedMesh(sr.torus(major_segments=12, minor_segments=8).normalized())


@pytest.fixture
def fit():
    return LiveFit.to_mesh(sphere(), sr.cube().normalized(), views=3, size=24)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def session(viewed, clock, tmp_path):
    return Session(viewed, STATE, folder=tmp_path, clock=clock)


def sphere():
    return sr.icosphere(1).normalized()


def frame(viewed, state, **options):
    return draw_frame(viewed, state, SIZE, SIZE, **options)


def rested(session, clock):
    clock.now += 10
    return session.picture(SIZE, SIZE)


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


# Controls


def every_control(*, with_target=True):
    return [c for group in controls(10, with_target=with_target) for c in group.controls]


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


# Pictures


@pytest.mark.parametrize("view", VIEW_NAMES)
@pytest.mark.parametrize("divisor", [1, 3])
def test_every_view_draws(view, divisor, viewed):
    state = dataclasses.replace(STATE, view=view, face=0, pixel=(0.5, 0.5), wireframe=True)
    rgb = draw_frame(viewed, state, 60, 82, divisor=divisor)
    assert rgb.shape == (60, 82, 3)
    assert rgb.dtype == np.uint8
    assert len(np.unique(rgb.reshape(-1, 3), axis=0)) > 5


@pytest.mark.parametrize("view", VIEW_NAMES)
@pytest.mark.parametrize(
    "mesh",
    [
        sr.Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]),
        sr.Mesh([[1, 1, 1]] * 3, [[0, 1, 2]]),
    ],
    ids=["one face", "a point"],
)
def test_poor_meshes_draw(view, mesh):
    viewed = ViewedMesh(mesh.normalized())
    state = dataclasses.replace(STATE, view=view, face=0, pixel=(0.5, 0.5), wireframe=True)
    assert frame(viewed, state).shape == (SIZE, SIZE, 3)


def test_a_mesh_without_faces_is_refused():
    for num_vertices in (0, 3):
        mesh = sr.Mesh(np.zeros((num_vertices, 3)), np.zeros((0, 3), dtype=int))
        with pytest.raises(ValueError, match="a mesh to be viewed must have faces, got none"):
            ViewedMesh(mesh)


def test_a_mesh_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="vertices must be finite"):
        ViewedMesh(sr.torus().with_vertices(np.full((sr.torus().num_vertices, 3), np.nan)))


def picture(viewed, view, **changes):
    """A view without what is drawn on top."""
    state = dataclasses.replace(STATE, view=view, **changes)
    return VIEWS[view](viewed.shot(state, SIZE, SIZE))


def test_silhouette_is_the_rasterizers(viewed):
    shot = viewed.shot(STATE, SIZE, SIZE)
    alpha = sr.rasterize_silhouette(shot.face_vertices, shot.settings).to_numpy()[0]
    np.testing.assert_array_equal(picture(viewed, "silhouette").rgb[..., 0], alpha)


def test_colors_are_blended_by_alpha_or_not(viewed):
    shot = viewed.shot(STATE, SIZE, SIZE)
    image = sr.rasterize(
        shot.face_vertices, shot.face_colors, shot.settings, background=STATE.background
    ).to_numpy()[0]
    np.testing.assert_array_equal(picture(viewed, "color", blend=False).rgb, image[..., :3])
    alpha = image[..., 3:]
    blended = image[..., :3] * alpha + STATE.background * (1 - alpha)
    np.testing.assert_allclose(picture(viewed, "color").rgb, blended, atol=1e-6)


def test_depth_is_that_of_a_plane_in_front():
    front = dataclasses.replace(STATE, orbit=Orbit(azimuth=0, elevation=0, distance=2.5))
    shot = ViewedMesh(sr.plane().normalized()).shot(front, SIZE, SIZE)
    drawn = VIEWS["depth"](shot)
    # The plane stands in the middle between near and far.
    middle = colored("viridis", np.array(0.5))
    # Between two faces there is a seam, where alpha is less than 1: hence the median.
    np.testing.assert_allclose(np.median(drawn.rgb[40:56, 40:56], (0, 1)), middle, atol=0.02)
    low, high = (float(text) for text in (drawn.legend.low, drawn.legend.high))
    assert (low + high) / 2 == pytest.approx(2.5, abs=0.01)


def test_normals_point_to_the_camera_in_the_middle_of_a_sphere():
    drawn = picture(ViewedMesh(sr.icosphere(3).normalized()), "normals")
    middle = drawn.rgb[SIZE // 2, SIZE // 2]
    np.testing.assert_allclose(middle, (0.5, 0.5, 1.0), atol=0.05)
    right, left = drawn.rgb[SIZE // 2, [65, 31]]
    assert right[0] > middle[0] + 0.1 > left[0] + 0.2
    above = drawn.rgb[31, SIZE // 2]
    assert above[1] > middle[1] + 0.1


def test_coverage_shows_the_face_and_its_cut_off(viewed):
    face = Session(viewed, STATE)
    face.click(0.5, 0.6, (SIZE, SIZE))
    drawn = picture(viewed, "coverage", face=face.state.face)
    shot = viewed.shot(STATE, SIZE, SIZE)
    covered = sr.face_coverage(shot.face_vertices, face.state.face, shot.settings).to_numpy()[0]
    np.testing.assert_array_equal(drawn.outline, covered > 0)
    assert covered[covered > 0].min() > SOFT.coverage_cutoff
    assert 0 < drawn.outline.mean() < 0.5
    brightest = np.unravel_index(drawn.rgb.sum(-1).argmax(), covered.shape)
    assert covered[brightest] > 0.9 * covered.max()
    assert "click" in picture(viewed, "coverage").caption


def test_faces_counts_faces(viewed):
    shot = viewed.shot(STATE, SIZE, SIZE)
    most = sr.summarize_fragments(shot.face_vertices, shot.settings).num_faces.to_numpy().max()
    assert picture(viewed, "faces").legend.high == str(most)


def test_difference_vanishes_where_nothing_is_soft(viewed):
    def strongest(sigma, gamma):
        settings = dataclasses.replace(SOFT, sigma=sigma, gamma=gamma)
        return float(picture(viewed, "difference", settings=settings).legend.high)

    assert strongest(1e-9, 1e-6) < 0.05 < strongest(1e-3, 1e-2)


def test_wireframe_and_pixel_are_drawn_on_top(viewed):
    plain = frame(viewed, STATE)
    for change in ({"wireframe": True}, {"pixel": (0.5, 0.6)}, {"pixel": (0.01, 0.01)}):
        assert (frame(viewed, dataclasses.replace(STATE, **change)) != plain).any()


def test_a_face_that_does_not_exist_is_refused(viewed):
    num_faces = viewed.mesh.num_faces
    with pytest.raises(ValueError, match=f"face must be under the number of faces, {num_faces}"):
        frame(viewed, dataclasses.replace(STATE, face=num_faces))


def test_gradient_view_shows_the_fits_gradient(fit):
    viewed = ViewedMesh(sphere())
    state = dataclasses.replace(STATE, view="gradient")
    gradient = fit.gradient(state)
    assert gradient.shape == (viewed.mesh.num_vertices, 3)
    with_gradient = frame(viewed, state, fit=fit)
    assert (with_gradient != frame(viewed, state)).any()


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


# Session


def test_session_draws_only_what_has_changed(session, clock):
    first = rested(session, clock)
    assert rested(session, clock) is first
    session.set("wireframe", True)
    assert rested(session, clock) is not first


def test_session_is_coarse_while_things_move_and_refines(session, clock):
    final = rested(session, clock)
    session.set("orbit.azimuth", 40.0)
    coarse = session.picture(SIZE, SIZE)
    fine = rested(session, clock)
    session.set("orbit.azimuth", STATE.orbit.azimuth)
    assert (rested(session, clock) == final).all()

    def sharpness(rgb):
        return np.abs(np.diff(rgb[:60].astype(int), axis=0)).max()

    assert sharpness(coarse) < sharpness(fine)


def test_session_refuses_and_says_so(session):
    session.set("orbit.fov", 200.0)
    assert session.state == STATE
    assert "fov must be above 0 and under 180" in session.message
    session.set("settings.sigma", 1e-5)
    assert session.message == ""
    with pytest.raises(ValueError, match="action must be one of"):
        session.act("explode")


def test_click_inspects_and_chooses_a_face(session):
    session.click(0.5, 0.6, (SIZE, SIZE))
    assert session.state.pixel == (0.5, 0.6)
    shot = session.viewed.shot(session.state, SIZE, SIZE)
    row, col = shot.pixel()
    heaviest = sr.list_fragments(shot.face_vertices, shot.face_colors, shot.settings, row, col)
    assert session.state.face == heaviest.faces[0]


def test_click_beside_the_mesh_chooses_nothing(session):
    session.click(0.02, 0.02, (SIZE, SIZE))
    assert session.state.pixel == (0.02, 0.02)
    assert session.state.face is None
    session.click(1.2, 0.5, (SIZE, SIZE))
    assert session.state.pixel == (0.02, 0.02)
    session.act("reset")
    assert session.state == STATE


def test_session_fits_step_by_step(fit, clock, tmp_path):
    viewed = ViewedMesh(sphere())
    session = Session(viewed, STATE, fit=fit, folder=tmp_path, clock=clock)
    first = rested(session, clock)
    session.act("step")
    assert len(fit.losses) == 1
    assert (rested(session, clock) != first).any()
    np.testing.assert_array_equal(viewed.mesh.vertices, fit.vertices)
    session.act("toggle_fitting")
    for _ in range(3):
        session.picture(SIZE, SIZE)
    session.act("toggle_fitting")
    session.picture(SIZE, SIZE)
    assert len(fit.losses) == 4
    session.act("restart")
    assert (rested(session, clock) == first).all()


def test_session_without_a_target_does_not_fit(session, clock):
    for action in ("step", "toggle_fitting", "restart"):
        session.act(action)
    assert not session.fitting
    assert rested(session, clock).shape == (SIZE, SIZE, 3)


def test_session_saves_under_new_names(session, clock, tmp_path):
    shown = rested(session, clock)
    for _ in range(2):
        session.act("save_picture")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "softras-001.png",
        "softras-002.png",
    ]
    assert (iio.imread(tmp_path / "softras-002.png") == shown).all()
    assert "softras-002.png" in session.message


# imageio's FFmpeg plugin leaves the pipes to its process to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_session_records(suffix, session, clock, tmp_path):
    session.act(f"record_{suffix}")
    assert session.recording
    for elevation in (0.0, 25.0, 50.0, 75.0):
        session.set("orbit.elevation", elevation)
        session.picture(49, 64)
        clock.now += 0.1
    session.picture(80, 80)  # the window was resized: left out
    session.act(f"record_{suffix}")
    assert not session.recording
    frames = iio.imread(tmp_path / f"softras-001.{suffix}")
    assert frames.shape == (4, 48, 64, 3)
    assert np.abs(frames[0].astype(int) - frames[3]).max() > 30
    gc.collect()


def test_failed_save_is_said(viewed, clock, tmp_path):
    session = Session(viewed, STATE, folder=tmp_path / "missing", clock=clock)
    rested(session, clock)
    session.act("save_picture")
    assert "folder" in session.message


def paced(pacing, seconds_of, frames=40):
    """The divisors of frames that take as long as a function of the divisor says."""
    divisors = []
    for _ in range(frames):
        divisors.append(pacing.divisor(0.0))
        pacing.note(0.0, divisors[-1], seconds_of(divisors[-1]))
    return divisors


def test_pacing_finds_a_resolution():
    pacing = Pacing()
    pacing.touch(0.0)
    assert set(paced(pacing, lambda d: 0.2 / d**2)[2:]) == {3}
    assert pacing.divisor(SHORT_REST) == 1  # 0.2 s
    # Something takes longer: at once it is as coarse as can be, then about so.
    divisors = paced(pacing, lambda d: 30 / d**2)
    assert divisors[1] == COARSEST
    assert set(divisors[-10:]) <= {COARSEST - 1, COARSEST}
    assert pacing.divisor(SHORT_REST) >= COARSEST - 1
    assert pacing.divisor(LONG_REST) == 1
    assert paced(pacing, lambda d: 1e-3)[-1] == 1


def test_pacing_is_not_coarse_in_vain():
    pacing = Pacing()
    pacing.touch(0.0)
    assert set(paced(pacing, lambda d: 0.05)[-10:]) == {1}
    assert set(paced(pacing, lambda d: 0.02 + 0.5 / d**2)[-10:]) <= {5, 6, 7, 8}


# Screen and panel


@pytest.fixture
def screen(session):
    screen = Screen(session)
    screen.image(600, PANEL_WIDTH + SIZE)
    return screen


def spot(screen, name, word=""):
    """The middle of where a control is on the panel."""
    for found in screen.panel.spots:
        control = found.control
        if (control is None and found.word == name) or (
            control is not None and control.name == name and found.word == word
        ):
            left, top, right, bottom = found.box
            return (left + right) / 2, (top + bottom) / 2
    raise AssertionError(f"no {name} {word} on the panel")


def press_and_let_go(screen, at, button="left"):
    screen.press(button, *at)
    screen.release(button)


def test_screen_has_the_panel_beside_the_picture(screen):
    image = screen.image(600, PANEL_WIDTH + SIZE)
    assert image.shape == (600, PANEL_WIDTH + SIZE, 3)
    assert screen.image(600, PANEL_WIDTH + SIZE) is image
    assert screen.image(40, 50).shape == (40, 50, 3)
    assert screen.image(1, 1).shape == (1, 1, 3)


def test_panel_has_every_control_and_none_overlap(screen):
    shown = {found.control.name for found in screen.panel.spots if found.control is not None}
    assert shown == {control.name for control in every_control(with_target=False)}
    covered = np.zeros((700, PANEL_WIDTH), dtype=int)
    for found in screen.panel.spots:
        left, top, right, bottom = found.box
        assert 0 <= left < right <= PANEL_WIDTH
        covered[top:bottom, left:right] += 1
    assert covered.max() == 1


def test_panel_slider_is_dragged(screen):
    x, y = spot(screen, "settings.sigma")
    screen.press("left", x, y)
    assert screen.session.state.settings.sigma == pytest.approx(1e-4, rel=0.1)
    screen.move(10_000, -50)  # far beyond its end
    assert screen.session.state.settings.sigma == pytest.approx(1e-1)
    screen.release("left")
    screen.move(x, y)
    assert screen.session.state.settings.sigma == pytest.approx(1e-1)


def test_panel_choices_switches_and_actions(screen):
    press_and_let_go(screen, spot(screen, "view", "depth"))
    assert screen.session.state.view == "depth"
    press_and_let_go(screen, spot(screen, "wireframe"))
    assert screen.session.state.wireframe
    press_and_let_go(screen, spot(screen, "reset"))
    assert screen.session.state == STATE


def test_panel_groups_fold(screen):
    number = len(screen.panel.spots)
    press_and_let_go(screen, spot(screen, "rasterizer"))
    screen.image(600, PANEL_WIDTH + SIZE)
    assert 0 < len(screen.panel.spots) < number
    press_and_let_go(screen, spot(screen, "rasterizer"))
    screen.image(600, PANEL_WIDTH + SIZE)
    assert len(screen.panel.spots) == number


DX, DY = 30 / 600, 40 / 600
"""A drag to the right and down, in heights of the picture."""


@pytest.mark.parametrize(
    ("button", "shift", "expected"),
    [
        ("left", False, STATE.orbit.turned(DX, DY)),
        ("left", True, STATE.orbit.panned(DX, DY)),
        ("middle", False, STATE.orbit.panned(DX, DY)),
        ("right", False, STATE.orbit.zoomed(np.exp(-2 * DY))),
    ],
)
def test_drags_move_the_camera(button, shift, expected, screen):
    screen.press(button, PANEL_WIDTH + 20, 30, shift=shift)
    screen.move(PANEL_WIDTH + 50, 70)
    screen.release(button)
    assert screen.session.state.orbit == expected
    assert screen.session.state.pixel is None
    screen.move(PANEL_WIDTH + 80, 90)
    assert screen.session.state.orbit == expected


def test_a_click_inspects_the_pixel_under_the_mouse(screen):
    screen.press("left", PANEL_WIDTH + 48, 300)
    screen.move(PANEL_WIDTH + 49, 301)  # an unsteady hand
    screen.release("left")
    assert screen.session.state.orbit == STATE.orbit
    x, y = screen.session.state.pixel
    assert (x * SIZE, y * 600) == pytest.approx((48.5, 300.5))


def test_a_drag_from_the_panel_leaves_the_camera_alone(screen):
    screen.press("left", *spot(screen, "settings.gamma"))
    screen.move(PANEL_WIDTH + 60, 300)
    screen.release("left")
    assert screen.session.state.orbit == STATE.orbit
    assert screen.session.state.pixel is None


def test_keys(screen, tmp_path):
    distance = STATE.orbit.distance
    assert screen.key("+")
    assert screen.session.state.orbit.distance < distance
    assert screen.key("-")
    assert screen.session.state.orbit.distance == pytest.approx(distance)
    screen.zoom(2)
    assert screen.key("r")
    assert screen.session.state == STATE
    assert screen.key("s")
    assert (tmp_path / "softras-001.png").exists()
    assert screen.key("q")
    assert not screen.key("Escape")


# Command line


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_screenshot_needs_no_display(view, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    path = tmp_path / "out.png"
    options = ("--view", view, "--face", 3, "--pixel", 20, 30, "--height", 48, "--width", 64)
    target = ("--target", "cube", "--steps", 1) if view == "gradient" else ()
    assert run("view", "sphere", "--screenshot", path, *options, *target) == 0
    assert iio.imread(path).shape == (48, 64, 3)
    assert f"wrote {path}" in capsys.readouterr().out


def test_screenshot_with_controls_and_options(tmp_path):
    sr.write_mesh(sr.cube(), tmp_path / "a cube.obj")
    pictures = []
    for name, options in (
        ("plain", ()),
        ("soft", ("--sigma", 1e-2)),
        ("eps", ("--eps", 1.5)),
        ("light", ("--background", 1.0)),
        ("raw", ("--no-blend", "--sigma", 1e-2)),
        ("other", ("--coverage", "barycentric", "--alpha", "sum", "--sigma", 1e-2)),
        ("wire", ("--wireframe",)),
        ("side", ("--azimuth", 0)),
    ):
        path = tmp_path / f"{name}.png"
        size = ("--height", 64, "--width", 64, "--controls")
        assert run("view", tmp_path / "a cube.obj", "--screenshot", path, *size, *options) == 0
        pictures.append(iio.imread(path))
    assert pictures[0].shape == (64, 64 + PANEL_WIDTH, 3)
    for i, one in enumerate(pictures):
        for other in pictures[i + 1 :]:
            assert (one[:, PANEL_WIDTH:] != other[:, PANEL_WIDTH:]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--face", 99999), "face must be under the number of faces, 1280, got 99999"),
        (("--face", -1), "face must be at least 0, got -1"),
        (("--pixel", 48, 0), "pixel must be inside the picture of 48 rows and 64 columns"),
        (("--view", "gradient"), "a target must be given"),
        (("--steps", 3), "a target must be given"),
        (("--target", "no-such.obj"), "no-such.obj"),
        (("--target", "no-such.png"), "no-such.png"),
        (("--sigma", 0), "sigma must be above 0, got 0"),
        (("--background", 3), "background must be from 0 to 1"),
        (("--screenshot", "out.gif"), "output must end in one of .png"),
        (("--screenshot", "missing/out.png"), "folder of the output does not exist"),
    ],
)
def test_view_refuses(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    size = ("--height", 48, "--width", 64)
    if "--screenshot" not in arguments:
        size = (*size, "--screenshot", "out.png")
    assert run("view", "sphere", *size, *arguments) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("display", [None, ":4242"])
def test_without_a_display_it_says_what_to_install(display, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    assert run("view", "sphere") == 1
    message = capsys.readouterr().err
    for word in ("xvfb", "libx11-6", "libvulkan1", "mesa-vulkan-drivers", "--web", "--screenshot"):
        assert word in message
    assert re.search(r"DISPLAY is not set|':4242' does not answer", message)
