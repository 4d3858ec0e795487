"""Fit a sphere's shape and colours to pictures of the Utah teapot, in PyTorch.

    python demos/fit_torch.py --output fitted.ply

Runs on the CPU, or on the first CUDA device with ``--device cuda``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import taichi_softras as sr
from taichi_softras.nn import SoftRenderer


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, print the loss, and write the mesh if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=150, help="steps of the optimiser")
    parser.add_argument("--size", type=int, default=64, help="side of the pictures, in pixels")
    parser.add_argument("--views", type=int, default=16, help="pictures round the mesh")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--output", type=Path, help="mesh file to write: .obj or .ply")
    options = parser.parse_args(arguments)

    eyes = sr.orbit_eyes(3.0, 25.0, np.arange(options.views) * 360 / options.views)
    camera = sr.LookAtCamera(eyes)
    settings = sr.RasterizerSettings(
        height=options.size, width=options.size, near=1.5, far=4.5, sigma=1e-4, gamma=1e-2
    )
    renderer = SoftRenderer(settings, light=sr.Light())

    target_vertices, target_faces, target_colors = sr.teapot().to_torch(options.device)
    target = renderer(target_vertices, target_faces, camera, colors=target_colors)

    sphere = sr.icosphere()
    vertices, faces, colors = sphere.to_torch(options.device)
    vertices.requires_grad_()
    logits = torch.logit(colors).requires_grad_()
    topology = sr.mesh_topology(sphere.faces, vertices)
    numbers = [{"params": [vertices], "lr": 0.01}, {"params": [logits], "lr": 0.05}]
    optimizer = torch.optim.Adam(numbers)
    for step in range(options.steps):
        optimizer.zero_grad()
        image = renderer(vertices, faces, camera, colors=logits.sigmoid())
        alpha, rgb = image[..., 3], image[..., :3] * image[..., 3:]
        loss = (
            sr.silhouette_loss(alpha, target[..., 3])
            + sr.image_loss(rgb, target[..., :3] * target[..., 3:])
            + 0.03 * sr.laplacian_loss(vertices, topology)
            + 3e-4 * sr.flattening_loss(vertices, topology)
        )
        loss.backward()
        optimizer.step()
        if step % 25 == 0 or step == options.steps - 1:
            print(f"step {step:4d}  loss {loss.item():.4f}")

    if options.output:
        found = [x.detach().cpu()[0].numpy() for x in (vertices, logits.sigmoid())]
        fitted = sr.Mesh(found[0], sphere.faces, found[1])
        sr.write_mesh(fitted, options.output)
        print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
