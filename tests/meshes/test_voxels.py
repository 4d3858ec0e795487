"""Voxels against faces that are clipped by boxes, SoftRas's own, and cases made by hand."""

from pathlib import Path

import numpy as np
import pytest
import scenes
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import taichi_softras as sr
from taichi_softras.backend import ti

GOLDEN = Path(__file__).parents[1] / "golden"


def clipped_by_box(corners, low, high):
    """What of a triangle is in a box: the corners of a polygon, maybe none (Sutherland-Hodgman)."""
    polygon = list(corners)
    for axis in range(3):
        for sign, limit in ((1, low[axis]), (-1, -high[axis])):
            kept = []
            for p, q in zip(polygon, polygon[1:] + polygon[:1]):
                inside_p, inside_q = sign * p[axis] >= limit, sign * q[axis] >= limit
                if inside_p:
                    kept.append(p)
                if inside_p != inside_q:
                    t = (limit - sign * p[axis]) / (sign * q[axis] - sign * p[axis])
                    kept.append(p + t * (q - p))
            polygon = kept
    return polygon


def surface_by_clipping(vertices, faces, resolution, margin=0.0):
    """Voxels of the unit cube round the origin, each a little larger on all sides."""
    voxels = np.zeros((resolution,) * 3, bool)
    for corners in (np.asarray(vertices, dtype=float)[faces] + 0.5) * resolution:
        for index in np.ndindex(voxels.shape):
            low, high = np.array(index) - margin, np.array(index) + 1 + margin
            if (corners.max(0) >= low).all() and (corners.min(0) <= high).all():
                voxels[index] |= bool(clipped_by_box(corners, low, high))
    return voxels


def assert_surface_matches(vertices, faces, resolution):
    """Between those of voxels a little smaller and a little larger: rounding may tell either."""
    found = sr.voxelize(vertices[None], faces, resolution, fill=False)[0]
    certain = surface_by_clipping(vertices, faces, resolution, -1e-9)
    possible = surface_by_clipping(vertices, faces, resolution, 1e-9)
    assert not (certain & ~found).any()
    assert not (found & ~possible).any()


# --- The surface ------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    size=st.sampled_from([0.03, 0.2, 0.8, 5.0]),
    kind=st.sampled_from(["any", "aligned", "line", "point", "sliver"]),
    resolution=st.integers(1, 9),
)
def test_any_face(seed, size, kind, resolution):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-0.5, 0.5, (1, 3)) + rng.normal(size=(3, 3)) * size
    if kind == "aligned":  # with the borders of voxels
        corners = np.round(corners * resolution) / resolution
    elif kind == "line":
        corners[2] = 0.25 * corners[0] + 0.75 * corners[1]
    elif kind == "point":
        corners[1:] = corners[0]
    elif kind == "sliver":
        corners[2] = (corners[0] + corners[1]) / 2 + rng.normal(size=3) * 1e-9
    assert_surface_matches(corners, np.array([[0, 1, 2]]), resolution)


def test_no_point_of_a_line_is_left_out():
    """Of faces so thin that their normals are nothing but rounding."""
    rng = np.random.default_rng(0)
    shares = np.linspace(0, 1, 1000)[:, None]
    for _ in range(50):
        start, end = rng.uniform(-0.5, 0.5, (2, 3))
        share = rng.random()
        corners = np.array([start, end, (1 - share) * start + share * end])
        voxels = sr.voxelize(corners[None], [rng.permutation(3)], 64, fill=False)[0]
        points = ((1 - shares) * start + shares * end + 0.5) * 64
        assert voxels[tuple(points.astype(int).T)].all()


@pytest.mark.parametrize("turn", range(3))
def test_a_face_between_voxels_by_hand(turn):
    """In the plane x = 0 (or y, or z), between the second and the third layer: both count."""
    corners = np.array([[0, -0.4, -0.4], [0, 0.4, -0.4], [0, -0.4, 0.4]])
    voxels = sr.voxelize(np.roll(corners, turn, axis=1)[None], [[0, 1, 2]], 4)[0]
    layers = np.moveaxis(voxels, turn, 0)
    assert not layers[[0, 3]].any()
    np.testing.assert_array_equal(layers[1], layers[2])
    # Its long side goes through corners of voxels: those beyond, which it touches, count too.
    np.testing.assert_array_equal(layers[1], np.add.outer(np.arange(4), np.arange(4)) <= 4)


def test_order_is_x_y_z():
    corners = np.array([[[-0.35, 0.15, 0.35]] * 3])
    assert np.argwhere(sr.voxelize(corners, [[0, 1, 2]], 10)[0]).tolist() == [[1, 6, 8]]


@pytest.mark.parametrize("resolution", [7, 16])
def test_surface_has_no_holes(resolution, rng):
    """Fill finds the inside, though the sphere is turned any which way."""
    sphere = sr.icosphere(2)
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=rng, dtype=torch.float64))
    vertices = sphere.vertices.astype(float) @ turn.numpy() * 0.9
    shell = sr.voxelize(vertices[None], sphere.faces, resolution, fill=False)[0]
    solid = sr.voxelize(vertices[None], sphere.faces, resolution)[0]
    centers = (np.indices(solid.shape) + 0.5) / resolution - 0.5
    distance = np.linalg.norm(centers, axis=0)
    assert solid[distance < 0.42].all()
    assert not solid[distance > 0.45 + np.sqrt(3) / 2 / resolution].any()
    np.testing.assert_array_equal(solid, ndimage.binary_fill_holes(shell))
    assert solid.sum() > shell.sum()


# --- The inside -------------------------------------------------------------------------------


def test_a_cube_fills_its_grid():
    cube = sr.cube()
    assert sr.voxelize(cube.vertices[None], cube.faces, 5).all()
    shell = sr.voxelize(cube.vertices[None], cube.faces, 5, fill=False)[0]
    assert not shell[1:-1, 1:-1, 1:-1].any()
    assert shell.sum() == 5**3 - 3**3


def test_an_open_mesh_stays_a_shell():
    cube = sr.cube(side=0.7)
    lidless = cube.faces[:-2]
    shell = sr.voxelize(cube.vertices[None], lidless, 12, fill=False)
    np.testing.assert_array_equal(sr.voxelize(cube.vertices[None], lidless, 12), shell)
    assert sr.voxelize(cube.vertices[None], cube.faces, 12).sum() > shell.sum()


def test_a_mesh_that_reaches_out_of_the_grid_stays_a_shell():
    cube = sr.cube(side=0.7)
    moved = cube.vertices[None] + np.array([0.4, 0, 0])
    voxels = sr.voxelize(moved, cube.faces, 12)
    np.testing.assert_array_equal(voxels, sr.voxelize(moved, cube.faces, 12, fill=False))
    assert voxels.any()
    assert not sr.voxelize(moved + 10, cube.faces, 12).any()


def test_voxels_are_those_of_softras():
    """Each of them; but a mesh as symmetric as this says little of the order of axes."""
    arrays = np.load(GOLDEN / "voxelize_32.npz")
    half = 31 / 64
    found = sr.voxelize(arrays["vertices"], arrays["faces"][0], 32, bounds=(-half, half))
    np.testing.assert_array_equal(found, arrays["out"].astype(bool))


# --- Arrays, bounds ---------------------------------------------------------------------------


def test_bounds_move_and_scale(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    vertices = vertices.numpy() * 0.3
    expected = sr.voxelize(vertices, faces.numpy(), 9)
    moved = sr.voxelize(vertices * 4 + 3, faces.numpy(), 9, bounds=(1, 5))
    np.testing.assert_array_equal(moved, expected)


def test_arrays_from_anywhere_one_by_one(rng):
    vertices, faces = scenes.open_mesh(rng, num_items=3)
    vertices = (vertices * 0.25).float()
    found = sr.voxelize(vertices.requires_grad_(), faces, 8)
    assert found.shape == (3, 8, 8, 8)
    assert found.dtype == np.bool_
    for item, expected in zip(vertices.detach(), found):
        np.testing.assert_array_equal(sr.voxelize(item[None], faces.long(), 8)[0], expected)
    array = scenes.to_taichi(vertices, needs_grad=True)
    with ti.ad.Tape(ti.ndarray(ti.f32, 1, needs_grad=True)):
        of_ndarray = sr.voxelize(array, scenes.to_taichi(faces), 8)
    np.testing.assert_array_equal(of_ndarray, found)


@pytest.mark.parametrize("num_items", [0, 1, 2])
def test_empty_meshes(num_items):
    assert not sr.voxelize(np.zeros((num_items, 4, 3)), np.zeros((0, 3), int), 4).any()
    assert not sr.voxelize(np.zeros((num_items, 0, 3)), np.zeros((0, 3), int), 4).any()


def test_voxel_iou():
    grids = np.zeros((3, 2, 2, 2), bool)
    grids[0, 0] = True
    grids[1] = True
    assert sr.voxel_iou(grids, grids).tolist() == [1, 1, 1]
    assert sr.voxel_iou(grids, grids[:1]).tolist() == [1, 0.5, 0]
    assert sr.voxel_iou(grids[:1], grids).tolist() == [1, 0.5, 0]
    with pytest.raises(ValueError, match="others must have the shape of voxels"):
        sr.voxel_iou(grids, grids[:2])
    with pytest.raises(ValueError, match="voxels must have shape"):
        sr.voxel_iou(grids[0], grids)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((np.zeros((4, 3)), [[0, 1, 2]]), {}, ValueError, "vertices must have shape"),
        ((np.zeros((1, 2, 3)), [[0, 1, 2]]), {}, ValueError, "from 0 to 1, got 0 to 2"),
        ((np.full((1, 3, 3), np.nan), [[0, 1, 2]]), {}, ValueError, "must be finite, got 9 not"),
        ((np.zeros((1, 3, 3)), [[0, 1, 2]], 0), {}, ValueError, "resolution must be at least 1"),
        ((np.zeros((1, 3, 3)), [[0, 1, 2]], 2.5), {}, TypeError, "resolution must be an int"),
        ((np.zeros((1, 3, 3)), [[0, 1, 2]]), {"bounds": (1, 1)}, ValueError, "bounds must be in"),
        ((np.zeros((1, 3, 3)), [[0, 1, 2]]), {"bounds": (0, "1")}, TypeError, "must be a number"),
    ],
)
def test_refusals(arguments, options, error, words):
    with pytest.raises(error, match=words):
        sr.voxelize(*arguments, **options)
