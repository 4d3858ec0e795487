"""The pictures that the viewer draws."""

import dataclasses

import numpy as np
import pytest
from viewing import SIZE, SOFT, STATE, VIEW_NAMES, frame, sphere

import taichi_softras as sr
from taichi_softras.viewer import LiveFit, Orbit, Session, ViewedMesh, draw_frame
from taichi_softras.viewer.colormaps import colored
from taichi_softras.viewer.views import VIEWS


@pytest.fixture
def viewed():
    return ViewedMesh(sr.torus(major_segments=12, minor_segments=8).normalized())


@pytest.fixture
def fit():
    return LiveFit.to_mesh(sphere(), sr.cube().normalized(), views=3, size=24)


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
