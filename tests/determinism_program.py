"""Take the same step of optimisation again and again; print a digest of every number of each.

    python tests/determinism_program.py THREADS STEPS

Everything that can be shared is: one mesh, one light, one target under several cameras.
`test_determinism` compares what it prints.
"""

import hashlib
import json
import sys

import numpy as np
import torch

import taichi_softras as sr
from taichi_softras.backend import ti

SETTINGS = sr.RasterizerSettings(height=40, width=48, sigma=1e-3, gamma=1e-2, near=0.5, far=6.0)


def make_inputs() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Make the arrays that get gradients, and the faces."""
    rng = np.random.default_rng(0)
    mesh = sr.icosphere(3)
    vertices = mesh.vertices + rng.normal(0, 0.02, mesh.vertices.shape)
    arrays = {
        "vertices": vertices[None],
        "colors": rng.uniform(size=vertices.shape)[None],
        "sigma": np.array([1e-3]),
        "eye": sr.orbit_eyes(3.0, 20.0, [0.0, 130.0, 250.0]),
        "at": np.array([[0.1, 0.0, 0.0]]),
        "ambient": np.array([[0.3, 0.4, 0.5]]),
        "diffuse": np.array([[0.6, 0.5, 0.4]]),
        "direction": np.array([[0.3, 1.0, -0.5]]),
        "target": rng.uniform(size=(1, SETTINGS.height, SETTINGS.width, 4)),
        "mask": rng.uniform(size=(1, SETTINGS.height, SETTINGS.width)),
    }
    return {name: array.astype(np.float32) for name, array in arrays.items()}, mesh.faces


def terms(x: dict, faces, topology):
    """Draw, and compare: the image, and the terms of the loss."""
    camera = sr.LookAtCamera(x["eye"], x["at"])
    light = sr.Light(x["ambient"], x["diffuse"], x["direction"])
    vertices = x["vertices"]
    image = sr.render(
        *(vertices, faces, x["colors"], camera, SETTINGS), light=light, sigma=x["sigma"]
    )
    alpha = sr.render_silhouette(vertices, faces, camera, SETTINGS, sigma=x["sigma"])
    return image, [
        sr.image_loss(image, x["target"]),
        sr.silhouette_loss(alpha, x["mask"]),
        sr.laplacian_loss(vertices, topology),
        sr.flattening_loss(vertices, topology),
    ]


def step_in_torch(arrays: dict[str, np.ndarray], faces: np.ndarray) -> dict[str, np.ndarray]:
    x = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    topology = sr.mesh_topology(faces, x["vertices"])
    image, losses = terms(x, torch.tensor(faces), topology)
    loss = sum(losses)
    loss.backward()
    gradients = {f"gradient of {name}": tensor.grad.numpy() for name, tensor in x.items()}
    return {"image": image.detach().numpy(), "loss": loss.detach().numpy(), **gradients}


def step_in_taichi(arrays: dict[str, np.ndarray], faces: np.ndarray) -> dict[str, np.ndarray]:
    x = {name: sr.from_numpy(array, needs_grad=True) for name, array in arrays.items()}
    topology = sr.mesh_topology(faces, x["vertices"])
    loss = sr.from_numpy(np.zeros(1, dtype=np.float32), needs_grad=True)
    with ti.ad.Tape(loss):
        image, losses = terms(x, sr.from_numpy(faces), topology)
        for term in losses:
            sr.add_to_loss(loss, term)
    gradients = {f"gradient of {name}": array.grad.to_numpy() for name, array in x.items()}
    return {"image": image.to_numpy(), "loss": loss.to_numpy(), **gradients}


def main() -> None:
    threads, steps = map(int, sys.argv[1:])
    sr.init("cpu", cpu_max_num_threads=threads)
    arrays, faces = make_inputs()
    digests = {}
    for framework, take_step in {"torch": step_in_torch, "taichi": step_in_taichi}.items():
        for _ in range(steps):
            results = take_step(arrays, faces)
            for name, array in results.items():
                assert np.isfinite(array).all(), name
                assert array.any(), name
                digest = hashlib.sha256(array.tobytes()).hexdigest()
                digests.setdefault(f"{name}, {framework}", []).append(digest)
    sys.stdout.write(json.dumps(digests))


if __name__ == "__main__":
    main()
