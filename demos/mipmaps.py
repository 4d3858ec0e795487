"""Recover an image map of more texels than pictures have pixels, with several filters, in PyTorch.

    python demos/mipmaps.py --output mipmaps.png

A ring is seen from above: part of it is in no picture. For each filter, without and with texels
filled in, it prints the share of texels that the fit reached, seconds of all cores, and how near
the map and views held out, four times as large, are to the true ones. The picture shows both.
"""

import argparse
import time
from collections.abc import Sequence

import imageio.v3 as iio
import numpy as np
import torch

import taichi_softras as sr

FILTERS = ((False, 1), (False, 2), (True, 1), (True, 2))  # mipmaps, supersampling


def make_map(size: int) -> torch.Tensor:
    """Rings and stripes, fine ones too, over colours that change: (1, size, size, 3)."""
    y, x = torch.meshgrid(*2 * [torch.arange(size) * 2 * np.pi / size], indexing="ij")
    rings = 0.5 + 0.4 * torch.cos(6 * (3 * x).cos() + 6 * (2 * y).cos())
    stripes = torch.where(torch.sin(20 * x) * torch.sin(12 * y) > 0, 0.8, 0.2)
    return torch.stack([rings, stripes, 0.5 + 0.5 * x.cos() * y.sin()], dim=-1)[None]


def draw(texels: torch.Tensor, size: int, turn: float, mipmaps: bool, samples: int) -> torch.Tensor:
    """Draw 12 views of a ring that has the map, round its axis and round its tube, over black."""
    vertices, faces, _ = sr.torus().to_torch()
    x, y, z = vertices[0].T
    turns = torch.stack([torch.atan2(z, x), torch.atan2(y, torch.hypot(x, z) - 0.35)], dim=-1)
    uvs = turns[faces.long()] / (2 * np.pi)
    uvs = uvs - (uvs - uvs[:, :1]).round()  # no face goes the long way round
    angles = turn + np.arange(12) * 30.0
    camera = sr.LookAtCamera(sr.orbit_eyes(1.9, 40 + 25 * np.cos(5 * angles), angles))
    settings = sr.RasterizerSettings(height=size, width=size, far=3, supersampling=samples)
    texture = sr.UVTexture(uvs[None], texels, mipmaps=mipmaps)
    image = sr.render(vertices, faces, texture, camera, settings)
    return image[..., :3] * image[..., 3:]


def main(arguments: Sequence[str] | None = None) -> None:
    """Take pictures, fit a map with each filter, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=40, help="steps of the optimiser")
    parser.add_argument("--size", type=int, default=64, help="of pictures; maps are 8 times it")
    parser.add_argument("--output", help="picture to write")
    options = parser.parse_args(arguments)
    maps = {"true map": (true := make_map(8 * (size := options.size)))}
    pictures, held_out = draw(true, size, 0.0, False, 8), draw(true, 4 * size, 7.0, False, 2)
    for mipmaps, samples in FILTERS:
        texels = torch.full_like(true, 0.5).requires_grad_()
        (grad,) = torch.autograd.grad(draw(texels, size, 0.0, mipmaps, samples).sum(), texels)
        weights, start = grad.sum(-1) / 3, time.process_time()  # of texels, in pixels
        optimizer = torch.optim.Adam([texels], lr=0.05, eps=0.1)  # faint texels stay
        for _ in range(options.steps):
            optimizer.zero_grad()
            (draw(texels, size, 0.0, mipmaps, samples) - pictures).square().sum().backward()
            optimizer.step()
        name = f"{'mipmaps' if mipmaps else 'bilinear'}, {samples**2} samples, "
        name += f"{100 * (weights > 0).double().mean():.0f} %, {time.process_time() - start:.0f} s"
        maps[name] = texels.detach().clamp(0, 1)
        texture = sr.UVTexture(torch.zeros(1, 1, 3, 2), maps[name])
        maps[name + ", filled"] = sr.fill_texels(texture, weights * (weights > 0.02))
    views = {name: draw(texels, 4 * size, 7.0, False, 2) for name, texels in maps.items()}
    for name, texels in maps.items():
        pairs = ((texels, true), (views[name], held_out))
        print(name, *(f"{-10 * (a - b).square().mean().log10():.2f} dB" for a, b in pairs))
    if options.output:
        sheet = [torch.cat([views[k][0], x[0, -4 * size :, : 4 * size]]) for k, x in maps.items()]
        iio.imwrite(options.output, (torch.cat(sheet, dim=1) * 255).byte().numpy())


if __name__ == "__main__":
    main()
