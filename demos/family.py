"""Add a coverage of one's own, draw with it, and fit with it.

    python demos/family.py --output coverage.png

How much of a pixel a face covers is a function of the signed distance from the pixel to the face's
border. The package's is the logistic function; this program adds the distribution function of the
Cauchy distribution, whose tails are so long that distant faces are felt, written as one function in
Taichi. Taichi differentiates it: the fit at the end descends on it.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import taichi as ti
import torch

import taichi_softras as sr
from taichi_softras.rasterizer.kernels.coverage import edge_distance, edge_reach


@ti.func
def cauchy(x, dtype: ti.template()):
    """D and 1 - D, of x, the signed distance over sigma; numbers are cast to its precision."""
    cover = ti.atan2(x, ti.cast(1, dtype)) / ti.cast(math.pi, dtype) + ti.cast(0.5, dtype)
    return cover, 1 - cover


CAUCHY = sr.Coverage(
    name="cauchy",
    signed_distance=edge_distance,  # squared distance to the border, as "euclidean" has it
    cover=cauchy,
    cutoff=lambda coverage: math.tan(math.pi * (0.5 - coverage)),  # where D falls to this
    reach=edge_reach,  # how far outside a face the distance stays below a value
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw one face by both coverages, fit by both, print the losses."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=60, help="steps of the optimiser")
    parser.add_argument("--size", type=int, default=48, help="side of a picture, in pixels")
    parser.add_argument("--output", type=Path, help="PNG of one face's coverage to write")
    options = parser.parse_args(arguments)
    sr.register(CAUCHY)

    camera = sr.LookAtCamera(sr.orbit_eyes(3.0, 25.0, range(0, 360, 90)))
    pictures = []
    for name in ("euclidean", "cauchy"):
        settings = sr.RasterizerSettings(
            height=options.size, width=options.size, sigma=1e-3, coverage=name, coverage_cutoff=1e-2
        )
        face = torch.tensor([[[[-0.5, -0.4, 2.0], [0.6, -0.3, 2.0], [0.0, 0.7, 2.0]]]])
        pictures.append(sr.rasterize_silhouette(face, settings)[0].numpy())
        target = sr.render_silhouette(*sr.teapot().to_torch()[:2], camera, settings)
        vertices, faces, _ = sr.icosphere(2).to_torch()
        optimizer = torch.optim.Adam([vertices.requires_grad_()], lr=0.01)
        losses = []
        for _ in range(options.steps):
            optimizer.zero_grad()
            alpha = sr.render_silhouette(vertices, faces, camera, settings)
            loss = sr.silhouette_loss(alpha, target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"{name:9}  loss {losses[0]:.3f} to {losses[-1]:.3f}")

    if options.output:
        sheet = np.concatenate(pictures, axis=1)
        iio.imwrite(options.output, (sheet.clip(0, 1) * 255).round().astype(np.uint8))
        print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
