"""Fit a sphere to silhouettes of the Utah teapot, in Taichi alone: PyTorch is not imported.

    python demos/fit_taichi.py --output fitted.obj

A ``ti.ad.Tape`` records drawing and losses, and leaves the gradient in the vertices.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import taichi as ti

import taichi_softras as sr


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, print the loss, and write the mesh if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=150, help="steps of the optimiser")
    parser.add_argument("--size", type=int, default=64, help="side of the silhouettes, in pixels")
    parser.add_argument("--views", type=int, default=16, help="silhouettes round the mesh")
    parser.add_argument("--output", type=Path, help="mesh file to write: .obj or .ply")
    options = parser.parse_args(arguments)

    eyes = sr.orbit_eyes(3.0, 25.0, np.arange(options.views) * 360 / options.views)
    camera = sr.LookAtCamera(eyes)
    settings = sr.RasterizerSettings(height=options.size, width=options.size, sigma=1e-4)

    target_vertices, target_faces, _ = sr.teapot().to_taichi()
    target = sr.render_silhouette(target_vertices, target_faces, camera, settings)

    sphere = sr.icosphere()
    vertices, faces, _ = sphere.to_taichi(needs_grad=True)
    topology = sr.mesh_topology(sphere.faces, vertices)
    optimizer = sr.Adam([vertices], learning_rate=0.01)
    loss = ti.ndarray(ti.f32, 1, needs_grad=True)
    for step in range(options.steps):
        optimizer.zero_grad()
        with ti.ad.Tape(loss=loss):
            alpha = sr.render_silhouette(vertices, faces, camera, settings)
            sr.add_to_loss(loss, sr.silhouette_loss(alpha, target))
            sr.add_to_loss(loss, sr.laplacian_loss(vertices, topology), weight=0.03)
            sr.add_to_loss(loss, sr.flattening_loss(vertices, topology), weight=3e-4)
        optimizer.step()
        if step % 25 == 0 or step == options.steps - 1:
            print(f"step {step:4d}  loss {loss[0]:.4f}")

    if options.output:
        sr.write_mesh(sphere.with_vertices(vertices.to_numpy()[0]), options.output)
        print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
