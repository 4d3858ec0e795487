"""What a session of the viewer does as time passes."""

import gc

import imageio.v3 as iio
import numpy as np
import pytest
from viewing import SIZE, STATE, Clock, rested, sphere

import taichi_softras as sr
from taichi_softras.viewer import LiveFit, Session, ViewedMesh
from taichi_softras.viewer.pacing import COARSEST, LONG_REST, SHORT_REST, Pacing


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
