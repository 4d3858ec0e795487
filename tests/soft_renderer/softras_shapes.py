"""Shapes for the tests of the drop-in."""

import torch

import taichi_softras as native


def icosphere(num_items=1, level=0, dtype=torch.float64):
    vertices, faces, _ = native.icosphere(level).to_torch(dtype=dtype)
    scales = torch.linspace(1, 0.8, num_items, dtype=dtype)[:, None, None]
    return vertices * scales, faces.expand(num_items, -1, -1)


def big_triangle(turn=1, depth=2.0):
    """A face that fills the right half of the image: (1, 1, 3, 3), clockwise in it."""
    corners = [[0.0, -9.0, depth], [0.0, 9.0, depth], [9.0, 0.0, depth]][::turn]
    return torch.tensor([[corners]], dtype=torch.float64)
