"""Programs that tests run in a Python of their own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import taichi_softras as sr

SCENE = """
import warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)
import numpy as np
import taichi_softras as sr
from taichi_softras.backend import ti

SETTINGS = sr.RasterizerSettings(height=8, width=9, near=1.0, far=10.0, sigma=1e-3, gamma=1e-2)
VERTICES = np.array(
    [[[1, 0, 0], [-1, 0, 0.2], [0, 1.1, 0], [0, -1, 0], [0, 0.3, 1], [0, 0, -1]]], np.float32
)
FACES = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]],
    np.int32,
)
CAMERA = sr.LookAtCamera((1, 2, 4))
LIGHT = sr.Light()
"""


WITH_TORCH = (
    SCENE
    + """
import torch

def draw_little():
    vertices = torch.tensor(VERTICES, requires_grad=True)
    alpha = sr.render_silhouette(vertices, torch.tensor(FACES), CAMERA, SETTINGS)
    alpha.sum().backward()
    return alpha.detach(), vertices.grad

def draw(dtype=torch.float32):
    vertices = torch.tensor(VERTICES, dtype=dtype, requires_grad=True)
    faces = torch.tensor(FACES)
    image = sr.render(vertices, faces, vertices, CAMERA, SETTINGS, light=LIGHT)
    topology = sr.mesh_topology(FACES, vertices)
    loss = sr.image_loss(image, torch.zeros_like(image)) + sr.silhouette_loss(
        image[..., 3].contiguous(), torch.ones_like(image[..., 3]))
    loss = loss + sr.laplacian_loss(vertices, topology) + sr.flattening_loss(vertices, topology)
    loss.backward()
    return image.detach(), vertices.grad

def draw_texture():
    rng = torch.Generator().manual_seed(0)
    texels = torch.rand(1, 4, 5, 3, generator=rng, requires_grad=True)
    uvs = torch.rand(1, 8, 3, 2, generator=rng, requires_grad=True)
    vertices = torch.tensor(VERTICES, requires_grad=True)
    colors = sr.UVTexture(uvs, texels)
    image = sr.render(vertices, torch.tensor(FACES), colors, CAMERA, SETTINGS, normals="view")
    image.square().sum().backward()
    return image.detach(), vertices.grad, uvs.grad
"""
)


WITHOUT_TORCH = (
    SCENE
    + """
def fit(steps=3):
    vertices = sr.from_numpy(VERTICES, needs_grad=True)
    faces = sr.from_numpy(FACES)
    colors = sr.from_numpy(np.full((1, 6, 3), 0.5, np.float32), needs_grad=True)
    target = sr.from_numpy(np.zeros((1, 8, 9, 4), np.float32))
    outline = sr.from_numpy(np.ones((1, 8, 9), np.float32))
    topology = sr.mesh_topology(FACES, vertices)
    adam = sr.Adam([vertices, colors], 0.01)
    losses = []
    for _ in range(steps):
        adam.zero_grad()
        loss = sr.from_numpy(np.zeros(1, np.float32), needs_grad=True)
        with ti.ad.Tape(loss):
            image = sr.render(vertices, faces, colors, CAMERA, SETTINGS, light=LIGHT)
            alpha = sr.render_silhouette(vertices, faces, CAMERA, SETTINGS)
            sr.add_to_loss(loss, sr.image_loss(image, target))
            sr.add_to_loss(loss, sr.silhouette_loss(alpha, outline), 0.1)
            sr.add_to_loss(loss, sr.laplacian_loss(vertices, topology), 0.1)
            sr.add_to_loss(loss, sr.flattening_loss(vertices, topology), 0.01)
        adam.step()
        losses.append(float(loss.to_numpy()[0]))
    return losses
"""
)


def run(program: str, *, setup: str = WITH_TORCH) -> str:
    """Run a program in a Python of its own; return what it printed."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    for name in ("TAICHI", "QUADRANTS"):
        environment.pop(f"ENABLE_{name}_HEADER_PRINT", None)
    root = str(Path(sr.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [root, os.environ.get("PYTHONPATH", "")])
    )
    done = subprocess.run(
        [sys.executable, "-c", setup + textwrap.dedent(program)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
