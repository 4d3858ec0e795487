import dataclasses

import numpy as np
import pytest

import taichi_softras as sr
from taichi_softras.fitting.framing import mesh_center, mesh_radius


def moved(mesh):
    """A mesh that is neither of size 1 nor at the origin."""
    return mesh.with_vertices(mesh.vertices * np.float32(40) + np.float32([100, -20, 7]))


@pytest.mark.parametrize("place", [lambda mesh: mesh, moved], ids=["at the origin", "elsewhere"])
@pytest.mark.parametrize("size", [(20, 60), (60, 20)], ids=["wide", "high"])
def test_frames_hold_the_mesh_in_view_and_depth_range(size, place):
    mesh = place(sr.icosphere(2))
    height, width = size
    settings = sr.RasterizerSettings(height=height, width=width)
    camera = sr.frame_mesh(
        mesh, azimuth_degrees=np.arange(0, 360, 30), aspect=settings.aspect, fov_degrees=50.0
    )
    vertices, _, _ = mesh.to_taichi()
    near, far = sr.depth_range(vertices, camera)
    ndc = sr.project(vertices, camera, settings.aspect).to_numpy()
    assert 0.8 < np.abs(ndc[..., :2]).max() < 1  # it fills the picture as well
    assert near < ndc[..., 2].min()
    assert ndc[..., 2].max() < far


def test_frame_stands_where_it_is_told_to():
    mesh = moved(sr.cube())
    camera = sr.frame_mesh(mesh, azimuth_degrees=90.0, elevation_degrees=0.0, distance=200.0)
    np.testing.assert_allclose(camera.eye, [[300.0, -20.0, 7.0]], atol=1e-4)
    np.testing.assert_allclose(camera.at, [[100.0, -20.0, 7.0]], atol=1e-4)


def test_cameras_all_round_are_at_all_elevations():
    camera = sr.surround_mesh(sr.cube(), 7, elevations_degrees=(0.0, 45.0), azimuth_degrees=10.0)
    elevations = np.degrees(np.arcsin(camera.eye[:, 1] / np.linalg.norm(camera.eye, axis=1)))
    np.testing.assert_allclose(elevations, [0, 0, 0, 0, 45, 45, 45], atol=1e-9)
    azimuths = np.degrees(np.arctan2(camera.eye[:, 0], camera.eye[:, 2])) % 360
    steps = 360 / 7 * np.array([0, 2, 4, 6, 1, 3, 5])
    np.testing.assert_allclose(azimuths, (10 + steps) % 360)


def test_radius_is_that_of_the_sphere_round_the_box():
    mesh = sr.Mesh([[0, 0, 0], [2, 0, 0], [0, 2, 0]], [[0, 1, 2]])
    np.testing.assert_allclose(mesh_center(mesh), (1, 1, 0))
    assert mesh_radius(mesh) == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("vertices", [np.zeros((0, 3)), np.ones((2, 3))], ids=["none", "a point"])
def test_poor_meshes_are_framed(vertices):
    mesh = sr.Mesh(vertices, np.zeros((0, 3), dtype=int))
    assert mesh_radius(mesh) == 1
    assert np.isfinite(sr.frame_mesh(mesh).eye).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fov_degrees": 180.0}, "fov_degrees must be above 0 and under 180, got 180"),
        ({"aspect": 0.0}, "aspect must be above 0, got 0"),
        ({"distance": -1.0}, "distance must be above 0, got -1"),
        ({"azimuth_degrees": np.nan}, "azimuth_degrees must be"),
    ],
)
def test_frame_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        sr.frame_mesh(sr.cube(), **options)


@pytest.mark.parametrize(
    ("views", "options", "message"),
    [
        (0, {}, "views must be at least 1, got 0"),
        (3, {"elevations_degrees": ()}, "elevations_degrees must be at least one"),
    ],
)
def test_surround_refuses(views, options, message):
    with pytest.raises(ValueError, match=message):
        sr.surround_mesh(sr.cube(), views, **options)


def test_the_same_view_of_meshes_of_any_size():
    settings = sr.RasterizerSettings(height=24, width=24, sigma=1e-3)
    images = []
    for mesh in (sr.teapot(), moved(sr.teapot())):
        vertices, faces, _ = mesh.to_taichi()
        camera = sr.frame_mesh(mesh)
        near, far = sr.depth_range(vertices, camera)
        fitting = dataclasses.replace(settings, near=near, far=far)
        images.append(sr.render_silhouette(vertices, faces, camera, fitting).to_numpy())
    assert images[0].mean() > 0.2
    np.testing.assert_allclose(*images, atol=2e-3)
