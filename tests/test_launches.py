"""How many kernels a step launches: on a GPU each costs as much as drawing little does."""

import numpy as np
import pytest
import torch

import taichi_softras as sr
from taichi_softras.arrays import launcher
from taichi_softras.arrays.launcher import num_launches
from taichi_softras.backend import ti

CAMERA = sr.LookAtCamera(sr.orbit_eyes(3.0, 25.0, [30.0]))
SETTINGS = sr.RasterizerSettings(height=64, width=64, sigma=1e-4)


def silhouette_step(vertices, faces, colors):
    alpha = sr.render_silhouette(vertices, faces, CAMERA, SETTINGS)
    return sr.silhouette_loss(alpha, torch.ones(1, 64, 64))


def lit_step(vertices, faces, colors):
    image = sr.render(vertices, faces, colors, CAMERA, SETTINGS, light=sr.Light())
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


def test_a_silhouette_waits_for_nothing_that_it_returns(monkeypatch):
    """But for the count of vertices outside the depth range, which decides what is drawn."""
    vertices, faces, _ = sr.icosphere(2).to_torch()
    waits = []
    launch = launcher._Launcher._launch

    def spy(self, *args):
        if self._taichi.return_type is not None:
            waits.append(self._taichi.func.__name__)
        return launch(self, *args)

    for _ in range(2):
        leaf = vertices.clone().requires_grad_()
        silhouette_step(leaf, faces, None).backward()
        monkeypatch.setattr(launcher._Launcher, "_launch", spy)
    assert waits == ["place_and_count"]
