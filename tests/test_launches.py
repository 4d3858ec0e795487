"""How many kernels a step launches, and how often it waits: on a GPU as dear as drawing little."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import taichi_softras as sr
from taichi_softras.arrays import bridge, taichi_bridge
from taichi_softras.arrays.counts import num_launches, num_waits
from taichi_softras.backend import ti
from taichi_softras.bench import cases
from taichi_softras.bench.measuring import draw
from taichi_softras.cameras import vertex_stage
from taichi_softras.losses import image_losses
from taichi_softras.meshes import incidence, textures
from taichi_softras.rasterizer import _lists, _softness

CAMERA = sr.LookAtCamera(sr.orbit_eyes(3.0, 25.0, [30.0]))
SETTINGS = sr.RasterizerSettings(height=64, width=64, sigma=1e-4)


def silhouette_step(vertices, faces, colors, **options):
    alpha = sr.render_silhouette(vertices, faces, CAMERA, SETTINGS, **options)
    return sr.silhouette_loss(alpha, torch.ones(1, 64, 64))


def lit_step(vertices, faces, colors, **options):
    image = sr.render(vertices, faces, colors, CAMERA, SETTINGS, light=sr.Light(), **options)
    return sr.image_loss(image, torch.zeros(1, 64, 64, 4))


@pytest.mark.parametrize(("step", "most"), [(silhouette_step, 12), (lit_step, 20)])
@pytest.mark.parametrize("index_type", [torch.int32, torch.int64])
def test_a_small_step_launches_few_kernels(step, most, index_type):
    vertices, faces, colors = sr.icosphere(2).to_torch()
    faces = faces.to(index_type)

    def run():
        leaf = vertices.clone().requires_grad_()
        before = num_launches()
        step(leaf, faces, colors).backward()
        assert leaf.grad.abs().sum() > 0
        return num_launches() - before

    run()
    assert run() <= most


def test_so_does_one_of_taichi():
    """Matrices of the camera and lists of corners are made anew, and losses are added up."""
    vertices, faces, _ = sr.icosphere(2).to_taichi(needs_grad=True)
    target = sr.from_numpy(np.zeros((1, 64, 64), np.float32))
    loss = ti.ndarray(ti.f32, 1, needs_grad=True)

    def run():
        before = num_launches()
        with ti.ad.Tape(loss):
            alpha = sr.render_silhouette(vertices, faces, CAMERA, SETTINGS)
            sr.add_to_loss(loss, sr.silhouette_loss(alpha, target))
        return num_launches() - before

    run()
    assert run() <= 12 + 4 + 1 + 2


@pytest.fixture
def as_on_gpu(monkeypatch):
    """Take the ways of a GPU, which is not to be waited for, where a CPU is simply looked at."""
    for module in (bridge, image_losses, vertex_stage, _lists):
        monkeypatch.setattr(module, "on_gpu", lambda: True)
    for module in (incidence, textures, _softness):
        monkeypatch.setattr(module, "on_host", lambda array: None)


class Asked(TorchDispatchMode):
    """Refuses to look at a number of a tensor: ``item``, ``bool``, ``tolist``, ``nonzero``."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        looks = (torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero)
        assert function.overloadpacket not in looks, function
        return function(*args, **(kwargs or {}))


def waits_of(step):
    """Count how often a step waits, once what it keeps is made."""
    step()
    before = num_waits()
    with Asked():
        step()
    return num_waits() - before


@pytest.mark.parametrize("step", [silhouette_step, lit_step])
@pytest.mark.parametrize(("clip", "waits"), [(False, 0), (True, 1)])
def test_a_small_step_waits_at_most_to_know_if_it_cuts_faces(step, clip, waits, as_on_gpu):
    vertices, faces, colors = sr.icosphere(2).to_torch()
    leaf = vertices.clone().requires_grad_()
    assert waits_of(lambda: step(leaf, faces, colors, clip=clip).backward()) == waits


def test_nor_does_one_of_taichi(as_on_gpu):
    vertices, faces, _ = sr.icosphere(2).to_taichi(needs_grad=True)
    target = sr.from_numpy(np.zeros((1, 64, 64), np.float32))
    loss = ti.ndarray(ti.f32, 1, needs_grad=True)

    def run():
        with ti.ad.Tape(loss=loss):
            alpha = sr.render_silhouette(vertices, faces, CAMERA, SETTINGS, clip=False)
            sr.add_to_loss(loss, sr.silhouette_loss(alpha, target))

    assert waits_of(run) == 0


@pytest.mark.parametrize("number", range(4))
def test_the_rasterizer_waits_once_at_most_for_very_long_lists(number, as_on_gpu):
    case = cases.CASES[number]
    corners, colors = (torch.tensor(x).requires_grad_() for x in case.face_arrays())
    settings = case.settings()

    def run():
        draw(corners, colors, settings, silhouette=case.silhouette).sum().backward()

    assert waits_of(run) == (1 if case.size == 1024 else 0)


def test_what_is_looked_at_is_counted():
    vertices, faces, _ = sr.icosphere(2).to_torch()
    seen = sr.gather(sr.to_view(vertices, CAMERA), faces)
    assert waits_of(lambda: sr.count_clipped(seen, 1.0)) == 1
    masks = sr.from_numpy(np.zeros((1, 64, 64), np.float32))
    assert waits_of(lambda: taichi_bridge.to_numpy(masks)) == 1
