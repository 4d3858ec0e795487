"""Recover an image map from pictures of a ball that has it, in PyTorch.

    python demos/texture.py --output ball.obj

Shape and cameras are known. The map starts grey; each texel gets the gradient of every pixel that
shows it, and `sr.write_mesh` writes the ball with what was found.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import taichi_softras as sr


def make_picture(size: int) -> torch.Tensor:
    """A map to be recovered: rings over a colour that changes, (1, size, size, 3)."""
    y, x = torch.meshgrid(*2 * [torch.linspace(-1, 1, size)], indexing="ij")
    rings = 0.5 + 0.5 * torch.cos(20 * (x**2 + y**2).sqrt())
    return torch.stack([rings, 0.5 + 0.5 * x, 0.5 + 0.5 * y], dim=-1)[None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, print how good the map is, and write the mesh if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=100, help="steps of the optimiser")
    parser.add_argument("--size", type=int, default=96, help="side of a picture, in pixels")
    parser.add_argument("--views", type=int, default=12, help="pictures round the ball")
    parser.add_argument("--output", type=Path, help="mesh file to write: .obj or .glb")
    options = parser.parse_args(arguments)

    ball = sr.icosphere(3)
    vertices, faces, _ = ball.to_torch()
    # Places in the map are seen along z: front and back have the same colours.
    face_uvs = (vertices[0, :, :2] + 0.5)[faces.long()]  # (F, 3, 2)
    true = sr.UVTexture(face_uvs[None], make_picture(64))
    eyes = sr.orbit_eyes(2.5, 15.0, np.arange(options.views) * 360 / options.views)
    settings = sr.RasterizerSettings(
        height=options.size, width=options.size, near=1.5, far=3.5, sigma=1e-6
    )

    def draw(texture: sr.UVTexture) -> torch.Tensor:
        image = sr.render(vertices, faces, texture, sr.LookAtCamera(eyes), settings)
        return image[..., :3] * image[..., 3:]

    pictures = draw(true)
    texels = torch.full_like(true.texels, 0.5).requires_grad_()
    optimizer = torch.optim.Adam([texels], lr=0.05)
    for step in range(options.steps):
        optimizer.zero_grad()
        loss = sr.image_loss(draw(replace(true, texels=texels)), pictures)
        loss.backward()
        optimizer.step()
        if step % 25 == 0 or step == options.steps - 1:
            print(f"step {step:4d}  loss {loss.item():.6f}")

    if options.output:
        found = texels.detach().clamp(0, 1)[0].numpy()
        mesh = replace(
            ball,
            face_uvs=face_uvs.numpy(),
            face_materials=np.zeros(ball.num_faces, dtype=np.int32),
            materials=(sr.Material("found", image=found),),
        )
        sr.write_mesh(mesh, options.output)
        print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
