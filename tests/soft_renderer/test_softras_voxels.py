"""The drop-in's voxels."""

import itertools
import math

import torch

import taichi_softras.soft_renderer.functional as srf


def box(low, high):
    """The twelve triangles of a box: (1, 12, 3, 3)."""
    corners = torch.tensor(list(itertools.product(*zip(low, high))), dtype=torch.float32)
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in sides for face in ((a, b, c), (a, c, d))]
    return corners[torch.tensor(faces)][None]


def test_boxes_are_filled():
    voxels = srf.voxelization(box((0.15, 0.25, 0.35), (0.75, 0.85, 0.55)), 10)
    assert (voxels.shape, voxels.dtype) == ((1, 10, 10, 10), torch.int32)
    expected = torch.zeros(1, 10, 10, 10, dtype=torch.int32)
    expected[0, 1:8, 2:9, 3:6] = 1
    assert (voxels == expected).all()


def test_voxels_can_be_the_unit():
    whole = srf.voxelization(box((1.5, 2.5, 3.5), (7.5, 8.5, 5.5)), 10, normalize=True)
    assert (whole == srf.voxelization(box((0.15, 0.25, 0.35), (0.75, 0.85, 0.55)), 10)).all()


def test_open_boxes_are_not_filled():
    closed = box((0.15, 0.15, 0.15), (0.85, 0.85, 0.85))
    voxels = srf.voxelization(closed[:, 2:], 10)  # without its left side
    assert voxels[0, 5, 5, 5] == 0
    assert voxels[0, 8, 5, 5] == 1
    assert srf.voxelization(closed, 10)[0, 5, 5, 5] == 1


def test_batches_and_strange_faces_are_voxelized():
    small, large = box((0.35,) * 3, (0.65,) * 3), box((-0.5,) * 3, (1.5,) * 3)
    broken = box((0.15,) * 3, (0.85,) * 3)
    broken[0, 0, 0, 0] = math.nan
    voxels = srf.voxelization(torch.cat((small, large, broken, 0 * small)), 10)
    assert voxels.sum((1, 2, 3)).tolist()[:2] == [64, 0]
    assert voxels[2, 4, 4, 4] == 0  # it has a hole
    assert srf.voxelization(torch.zeros(1, 0, 3, 3), 4).sum() == 0
