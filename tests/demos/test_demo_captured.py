"""Photographs by a path tracer show what our cameras see, and cameras are compared in any world."""

from dataclasses import replace

import numpy as np
import pytest

import taichi_softras as sr
from demos.paper.captured.alignment import align_points, camera_errors
from demos.paper.captured.photographs import Order, read_truth, take_photographs
from demos.paper.captured.stage import ground_image, photographers_around
from demos.paper.shared.models import FURNITURE, furniture_model


def turn(axis, degrees):
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def test_points_are_aligned():
    points = np.random.default_rng(0).normal(size=(6, 3))
    rotation = turn((1, 2, 3), 130)
    scale, found, move = align_points(points, 2.5 * points @ rotation.T + (1, -2, 3))
    assert scale == pytest.approx(2.5)
    np.testing.assert_allclose(found, rotation, atol=1e-12)
    np.testing.assert_allclose(move, (1, -2, 3), atol=1e-12)
    mirrored = align_points(points, points * (1, 1, -1))[1]
    assert np.linalg.det(mirrored) == pytest.approx(1)


def test_errors_of_cameras_are_those_that_were_made():
    cameras = sr.LookAtCamera(sr.orbit_eyes(2.0, 20.0, np.arange(0, 360, 45)))
    rotation, translation = map(np.asarray, sr.camera_to_opencv(cameras, 10, 10)[:2])
    eyes = -np.einsum("nji,nj->ni", rotation, translation)
    world = turn((3, -1, 2), 50)
    errors = np.array([0, 0.01, 0.2, 5, 0, 0, 170, 0])
    turned = np.stack([turn((1, 0, 1), e) for e in errors]) @ rotation @ world.T
    moved = eyes @ world.T / 3 + (4, 5, 6)
    degrees, away = camera_errors((turned, moved), (rotation, eyes))
    np.testing.assert_allclose(degrees, errors, atol=1e-9)
    np.testing.assert_allclose(away, 0, atol=1e-12)
    assert camera_errors((turned, moved + np.eye(8, 3)), (rotation, eyes))[1].max() > 0.1


def test_no_place_of_the_ground_is_like_another():
    image = ground_image(256).mean(axis=2)
    assert 0 <= image.min() < image.max() <= 1
    tiles = image.reshape(8, 32, 8, 32).swapaxes(1, 2).reshape(64, -1)
    alike = np.corrcoef(tiles) - np.eye(64)
    assert alike.max() < 0.9


def test_photographs_show_what_our_cameras_see(tmp_path):
    pytest.importorskip("mitsuba")
    mesh = furniture_model("rattanArmchair")
    if mesh is None:
        pytest.skip(f"sweethome3d-furniture is not in {FURNITURE}")
    import imageio.v3 as iio

    order = Order(furniture="rattanArmchair", views=2, height=48, width=64, samples=4)
    take_photographs(order, tmp_path)
    photos, masks = (
        np.stack([iio.imread(tmp_path / kind / f"{i:03}.png") for i in range(2)])
        for kind in ("images", "masks")
    )
    arrays = mesh.normalized().to_taichi()
    settings = sr.RasterizerSettings(height=48, width=64, sigma=1e-7, supersampling=4)
    camera = photographers_around(2).camera
    ours = sr.render_silhouette(*arrays[:2], camera, settings).to_numpy()
    cover = masks / 255
    assert (np.minimum(ours, cover).sum() / np.maximum(ours, cover).sum()) > 0.97
    assert photos.shape == (2, 48, 64, 3)
    assert photos.std() > 20
    truth = read_truth(tmp_path)["001.png"]
    np.testing.assert_allclose(truth[:, :3] @ camera.eye[1] + truth[:, 3], 0, atol=1e-6)

    (tmp_path / "masks" / "001.png").unlink()
    before = (tmp_path / "images" / "001.png").read_bytes()
    (tmp_path / "images" / "000.png").write_bytes(b"kept")
    take_photographs(order, tmp_path)
    assert (tmp_path / "images" / "000.png").read_bytes() == b"kept"
    assert (tmp_path / "images" / "001.png").read_bytes() == before
    assert (tmp_path / "masks" / "001.png").exists()
    with pytest.raises(ValueError, match="photographs of another order"):
        take_photographs(replace(order, samples=5), tmp_path)
