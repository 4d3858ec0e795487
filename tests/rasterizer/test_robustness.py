"""Softness, faces and sizes at the ends of their ranges."""

import numpy as np
import pytest
import scenes
import torch
from drawn_with_gradients import assert_finite, draw, settings_of

import taichi_softras as sr


@pytest.mark.parametrize(
    "gamma", [1e-12, *(10.0**k for k in range(-8, 2))], ids="gamma={:.0e}".format
)
def test_float32_is_finite_for_any_softness(gamma, rng):
    for sigma in (10.0**k for k in range(-8, 2)):
        for kind in ("tilted", "slivers", "clipped", "covering"):
            faces = scenes.random_faces(kind, rng).float()
            colors = scenes.random_colors(6, 3, rng).float()
            image, grads = draw(faces, colors, settings_of(sigma=sigma, gamma=gamma, eps=1e-3))
            assert_finite(image, grads)
            assert image.min() >= 0
            assert image.max() <= 1 + 1e-6


@pytest.mark.parametrize("eps", [-1e3, -1.0, 0.0, 1.0, 1e3])
def test_float32_is_finite_for_any_eps(eps, rng):
    faces = scenes.random_faces("tilted", rng).float()
    colors = scenes.random_colors(6, 3, rng).float()
    for gamma in (1e-8, 1e-4, 1.0):
        assert_finite(*draw(faces, colors, settings_of(gamma=gamma, eps=eps)))


@pytest.mark.parametrize("cutoff", [1e-30, 1e-45, 1e-300, 0.4999])
def test_float32_is_finite_for_any_cutoff(cutoff, rng):
    faces = scenes.random_faces("tilted", rng).float()
    colors = scenes.random_colors(6, 3, rng).float()
    for sigma in (1e-1, 1e-3):
        assert_finite(*draw(faces, colors, settings_of(sigma=sigma, coverage_cutoff=cutoff)))


def test_a_far_plane_far_away_stays_finite(rng):
    faces = scenes.random_faces("tilted", rng).float()
    colors = scenes.random_colors(6, 3, rng).float()
    assert_finite(*draw(faces, colors, settings_of(near=1e-6, far=1e6, gamma=1e-8)))


DEGENERATE = {
    "two_equal": [[-0.5, -0.3], [-0.5, -0.3], [0.4, 0.5]],
    "three_equal": [[0.1, 0.2], [0.1, 0.2], [0.1, 0.2]],
    "collinear": [[-0.5, -0.5], [0.1, 0.1], [0.6, 0.6]],
    "horizontal": [[-0.5, 0.0], [0.1, 0.0], [0.6, 0.0]],
    "sliver": [[-0.5, -0.5], [0.1, 0.1 + 1e-7], [0.6, 0.6]],
    "needle": [[-0.5, 0.0], [0.5, 0.0], [0.5, 1e-7]],
    "speck": [[0.0, 0.0], [1e-7, 0.0], [0.0, 1e-7]],
    # One whose barycentric coordinates, over an area that is too small, would count far pixels in.
    "speck_beside_a_pixel": [[-1e-4, -1e-4], [-1e-4 + 1e-7, -1e-4], [-1e-4, -1e-4 + 1e-7]],
    "on_a_pixel": [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_faces(name, dtype):
    corners = torch.tensor(DEGENERATE[name], dtype=dtype)
    for depths in ([5.0, 5.0, 5.0], [2.0, 5.0, 9.0]):
        depths = torch.tensor(depths, dtype=dtype)[:, None]
        faces = torch.cat([corners, depths], dim=-1)[None, None]
        colors = torch.ones(1, 1, 3, 3, dtype=dtype)
        for sigma in (1e-8, 1e-4, 1e-1):
            image, grads = draw(faces, colors, settings_of(9, 9, sigma=sigma))
            assert_finite(image, grads)
            assert image[..., 3].max() <= 0.5 + 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [1e-12, 1e4, 1e8, 1e15, 1e18, 1e25, 1e37], ids="{:.0e}".format)
def test_faces_of_any_size(size, dtype):
    corners = torch.tensor([[-1.0, -0.7], [1.0, -0.5], [0.1, 0.8]], dtype=dtype) * size
    depths = torch.tensor([[3.0], [4.0], [5.0]], dtype=dtype)
    faces = torch.cat([corners, depths], dim=-1)[None, None]
    image, grads = draw(faces, torch.ones(1, 1, 3, 3, dtype=dtype), settings_of())
    assert_finite(image, grads)


@pytest.mark.parametrize("depth", [1e-3, 1e-12, 1e-18, 1e-25, 1e-37], ids="{:.0e}".format)
def test_corners_next_to_the_camera(depth):
    faces = torch.tensor([[[[-0.5, -0.5, depth], [0.9, -0.5, 5.0], [0.1, 0.8, 6.0]]]])
    image, grads = draw(faces, torch.ones(1, 1, 3, 3), settings_of(near=0.5))
    assert_finite(image, grads)


def test_no_faces_in_pytorch():
    faces, colors = torch.zeros(1, 0, 3, 3), torch.zeros(1, 0, 3, 3)
    image, grads = draw(faces, colors, settings_of())
    assert (image[..., :3] == 0.5).all()
    assert (image[..., 3] == 0).all()
    assert_finite(image, grads)
    assert float(grads["background"].sum()) != 0


def test_no_faces_through_render():
    vertices = torch.zeros(1, 4, 3, requires_grad=True)
    faces = torch.zeros(0, 3, dtype=torch.int64)
    camera = sr.LookAtCamera((0, 0, 4))
    image = sr.render(vertices, faces, vertices, camera, settings_of(), light=sr.Light())
    alpha = sr.render_silhouette(vertices, faces, camera, settings_of())
    (image.sum() + alpha.sum()).backward()
    assert (vertices.grad == 0).all()


def test_no_vertices():
    vertices = torch.zeros(1, 0, 3)
    faces = torch.zeros(0, 3, dtype=torch.int32)
    alpha = sr.render_silhouette(vertices, faces, sr.LookAtCamera((0, 0, 4)), settings_of())
    assert (alpha == 0).all()


def test_no_faces_in_taichi():
    """Taichi has no empty ndarrays; it says so."""
    with pytest.raises(Exception, match="shape"):
        sr.from_numpy(np.zeros((0, 3), np.int32))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_one_pixel(dtype, rng):
    faces = scenes.random_faces("covering", rng, num_faces=2).to(dtype)
    colors = scenes.random_colors(2, 3, rng).to(dtype)
    image, grads = draw(faces, colors, settings_of(1, 1))
    assert_finite(image, grads)
    assert image[0, 0, 0, 3] > 0.9


@pytest.mark.parametrize(("height", "width"), [(3, 4096), (4096, 3)])
def test_long_images(height, width):
    """The right or upper half is covered, to the pixel, in float32."""
    corners = [[0.0, -9], [9, 0], [0, 9]] if width > height else [[-9.0, 0], [9, 0], [0, 9]]
    faces = torch.tensor([[[[x, y, 5.0] for x, y in corners]]])
    colors = torch.ones(1, 1, 3, 1)
    image, grads = draw(faces, colors, settings_of(height, width, sigma=1e-8))
    assert_finite(image, grads)
    alpha = image[0, ..., 1] if width > height else image[0, ..., 1].T.flip(1)
    hard = alpha[:, torch.arange(4096).sub(2047.5).abs() > 1]
    assert (hard[:, :2047] == 0).all()
    assert (hard[:, 2047:] == 1).all()


def test_a_face_many_times_over(rng):
    """Alpha of 10 000 faces on one spot: no cap on faces per pixel."""
    face = scenes.random_faces("covering", rng, num_faces=1)
    face[..., 2] = 5
    faces = face.expand(1, 10_000, 3, 3)
    colors = torch.ones(1, 1, 1, 1, dtype=torch.float64).expand(1, 10_000, 3, 1)
    image = sr.rasterize(faces, colors, settings_of(2, 2, gamma=1e-3))
    assert (image[..., 1] == 1).all()
    torch.testing.assert_close(image[..., 0], torch.ones_like(image[..., 0]))
