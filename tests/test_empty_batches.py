"""Batches of no items: pictures and cameras are refused in words, all else is empty."""

import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr

SETTINGS = sr.RasterizerSettings(height=4, width=5)
CAMERA = sr.LookAtCamera((0, 1, 3))
NO_CAMERA = sr.LookAtCamera(torch.zeros(0, 3, dtype=torch.float64))
VERTICES, FACES = scenes.octahedron()
NONE = torch.zeros(0, 6, 3, dtype=torch.float64)


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: sr.render(NONE, FACES, VERTICES, CAMERA, SETTINGS), "vertices must have at least"),
        (lambda: sr.render(NONE, FACES, NONE, CAMERA, SETTINGS), "vertices must have at least one"),
        (
            lambda: sr.render_silhouette(NONE, FACES, CAMERA, SETTINGS),
            "vertices must have at least",
        ),
        (lambda: sr.render_silhouette(VERTICES, FACES, NO_CAMERA, SETTINGS), "camera must have at"),
        (lambda: sr.rasterize_silhouette(torch.zeros(0, 1, 3, 3), SETTINGS), "must have B >= 1"),
        (lambda: sr.LookAtCamera(np.zeros((0, 3))), "eye must be 3 finite numbers"),
        (lambda: sr.Extrinsics(np.zeros((0, 3, 3))), "rotation must be 3 x 3 finite numbers"),
        (lambda: sr.orbit_eyes([], 20.0, 30.0), "distance must be 1 finite numbers"),
    ],
)
def test_pictures_of_nothing_are_refused(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()


EMPTY = {
    # what is made of no items, and its shape
    "project": (lambda x: sr.project(x, CAMERA, 1.0), (0, 6, 3)),
    "project by no camera": (lambda x: sr.project(x + VERTICES, NO_CAMERA, 1.0), (0, 6, 3)),
    "no camera": (lambda x: NO_CAMERA.view_matrix(x), (0, 4, 4)),
    "gather": (lambda x: sr.gather(x, FACES), (0, 8, 3, 3)),
    "normals": (lambda x: sr.vertex_normals(x, FACES), (0, 6, 3)),
    "clip": (lambda x: sr.clip_faces(sr.gather(x, FACES), 0.5).points, (0, 8, 3, 3)),
    "shade": (lambda x: sr.shade(x, x, sr.Light()), (0, 6, 3)),
    "sample": (lambda x: sr.sample_surface(x, FACES, 5), (0, 5, 3)),
    "laplacian": (
        lambda x: sr.laplacian_loss(x, sr.mesh_topology(FACES, x), reduction="none"),
        (0,),
    ),
    "image": (lambda x: sr.image_loss(x[..., None], VERTICES[..., None], reduction="none"), (0,)),
    "silhouette": (lambda x: sr.silhouette_loss(x, VERTICES, reduction="none"), (0,)),
    "chamfer": (lambda x: sr.chamfer_distance(x, VERTICES, reduction="none"), (0,)),
    "mean": (lambda x: sr.silhouette_loss(x, VERTICES), (1,)),
    "orbit": (lambda x: sr.orbit_eyes(x[:, 0, 0], 20.0, [30.0]), (0, 3)),
}


@pytest.mark.parametrize("case", EMPTY)
def test_what_is_empty(case):
    function, shape = EMPTY[case]
    leaf = NONE.clone().requires_grad_()
    result = function(leaf)
    assert result.shape == shape
    assert (result == 0).all()
    if result.requires_grad:
        result.sum().backward()
        assert leaf.grad.shape == leaf.shape


def test_voxels_that_are_empty():
    assert sr.voxelize(NONE, FACES, resolution=2).shape == (0, 2, 2, 2)
    grids = np.zeros((0, 2, 2, 2), bool), np.zeros((1, 2, 2, 2), bool)
    assert sr.voxel_iou(*grids).shape == (0,)
