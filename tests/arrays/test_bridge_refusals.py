"""What the bridges refuse, and what they make of numbers."""

import resource
from pathlib import Path

import numpy as np
import pytest
import scenes
import torch
from torch import Tensor

import taichi_softras as sr
from taichi_softras.arrays import taichi_bridge
from taichi_softras.arrays.runtime import LAUNCH_LOCK, ensure_running
from taichi_softras.backend import ti

SETTINGS = sr.RasterizerSettings(height=6, width=7, near=1.0, far=10.0, sigma=1e-2, gamma=0.1)


CAMERA = sr.LookAtCamera((1.0, 2.0, 4.0))


@pytest.fixture
def faces(rng) -> Tensor:
    return scenes.random_faces("overlapping", rng).float()


@pytest.fixture
def colors(rng) -> Tensor:
    return scenes.random_colors(6, 3, rng).float()


# --- Refusals ---------------------------------------------------------------------------------


def test_tensors_made_of_numbers_have_strides_that_pytorch_does_not_warn_at():
    uvs, texels = np.zeros((4, 3, 2), np.float32), np.zeros((9, 3), np.float32)
    maps = sr.TextureMaps(uvs, texels, np.array([[0, 3, 3, 0]]), np.zeros(4))
    texture = sr.UVTexture.from_maps(maps, torch.zeros(1))
    for tensor in (texture.face_uvs, texture.texels):
        assert tensor.stride() == torch.empty(tensor.shape).stride()


def test_tensors_and_ndarrays_do_not_mix(faces, colors):
    with pytest.raises(TypeError, match="must all be tensors or all Taichi ndarrays"):
        sr.rasterize(faces, scenes.to_taichi(colors), SETTINGS)
    with pytest.raises(TypeError, match="must all be tensors or all Taichi ndarrays"):
        sr.rasterize(scenes.to_taichi(faces), colors, SETTINGS)
    vertices, triangles = scenes.octahedron()
    with pytest.raises(TypeError, match="must all be tensors or all Taichi ndarrays"):
        sr.gather(vertices, scenes.to_taichi(triangles))


def test_types_do_not_mix(faces, colors):
    with pytest.raises(TypeError, match="colors must be float32, got float64"):
        sr.rasterize(faces, colors.double(), SETTINGS)
    with pytest.raises(TypeError, match="sigma must be float64, got float32"):
        sr.rasterize(faces.double(), colors.double(), SETTINGS, sigma=torch.ones(1))
    with pytest.raises(TypeError, match="colors must be float64, got float32"):
        sr.rasterize(*(scenes.to_taichi(x) for x in (faces.double(), colors)), SETTINGS)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32], ids=str)
def test_other_types_are_refused(dtype, faces):
    with pytest.raises(TypeError, match="face_vertices must be float32 or float64, got"):
        sr.rasterize_silhouette(faces.to(dtype), SETTINGS)


@pytest.mark.parametrize("bad", [[[0, 1, 2]], np.zeros((1, 3), int)], ids=repr)
def test_faces_that_are_no_array_are_refused(bad):
    vertices, _ = scenes.octahedron()
    with pytest.raises(TypeError, match=r"faces must be a torch\.Tensor or a ti\.ndarray, got"):
        sr.render_silhouette(vertices, bad, CAMERA, SETTINGS)


def test_no_faces_are_refused():
    vertices, _ = scenes.octahedron()
    with pytest.raises(TypeError, match="faces must be given"):
        sr.render_silhouette(vertices, None, CAMERA, SETTINGS)


def test_faces_that_are_no_integers_are_refused():
    vertices, faces = scenes.octahedron()
    with pytest.raises(TypeError, match="faces must be int32 or int64, got float32"):
        sr.gather(vertices, faces.float())
    with pytest.raises(TypeError, match="faces must be int32, got int64"):
        sr.gather(scenes.to_taichi(vertices), scenes.to_taichi(faces.long()))


@pytest.mark.parametrize("shape", [(3,), (4, 2), (1, 1, 4, 3)], ids=str)
def test_faces_of_another_shape_are_refused(shape):
    vertices, _ = scenes.octahedron()
    with pytest.raises(ValueError, match=r"faces must have shape \(F, 3\) or \(B, F, 3\), got"):
        sr.gather(vertices, torch.zeros(shape, dtype=torch.int32))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda v, f: sr.gather(v[0], f), "values must have shape"),
        (lambda v, f: sr.vertex_normals(v[..., :2], f), "vertices must have shape"),
        (lambda v, f: sr.project(v[..., :2], CAMERA, 1.0), "vertices must have shape"),
        (lambda v, f: sr.render(v[0, 0], f, v, CAMERA, SETTINGS), "vertices must have shape"),
        (lambda v, f: sr.render(v, f, v[:, :5], CAMERA, SETTINGS), "colors must have shape"),
        (
            lambda v, f: sr.render_silhouette(v[:, :, None], f, CAMERA, SETTINGS),
            "vertices must have shape",
        ),
        (lambda v, f: sr.shade(v, v[:, :5], sr.Light()), "normals must have shape"),
        (lambda v, f: sr.shade(v, v, sr.Light(ambient=v)), "ambient must have shape"),
    ],
)
def test_other_shapes_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(*scenes.octahedron())


def test_devices_that_taichi_cannot_use_are_refused(faces):
    with pytest.raises(ValueError, match="tensors must be on cpu or cuda, got meta"):
        sr.rasterize_silhouette(faces.to("meta"), SETTINGS)


def test_arrays_of_vectors_give_their_memory_back():
    """Taichi's own keep it: the operators' would fill memory, call by call."""
    ensure_running("cpu")

    def resident() -> int:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * resource.getpagesize()

    shape, four = (1 << 20,), ti.types.vector(4, ti.f32)
    with LAUNCH_LOCK:
        taichi_bridge.Allocator(ti.f32)(shape, four)
        before = resident()
        for _ in range(20):
            taichi_bridge.Allocator(ti.f32)(shape, four)
    assert resident() - before < 4 * 2**24
