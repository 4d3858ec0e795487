"""Meshes on the host: what they keep, refuse and return."""

import dataclasses

import numpy as np
import pytest
from small_meshes import CORNERS, assert_grey, random_mesh

from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.rows import group_rows


# The mesh itself
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.zeros((1, 3), np.float32), np.float32),
        (np.zeros((1, 3), np.float64), np.float64),
        (np.zeros((1, 3), ">f8"), np.float64),
        (np.zeros((1, 3), np.float16), np.float32),
        (np.zeros((1, 3), np.int64), np.float32),
        ([[0.0, 0.0, 0.0]], np.float32),
    ],
    ids=["float32", "float64", "big-endian", "float16", "int64", "list"],
)
def test_precision(given, kept):
    mesh = Mesh(given, [], np.full((1, 3), 0.25, np.float16))
    assert mesh.vertices.dtype == kept
    assert mesh.vertices.dtype.isnative
    assert mesh.colors.dtype == kept
    np.testing.assert_array_equal(mesh.colors, 0.25)
    assert Mesh(given, []).colors.dtype == kept


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint8, np.uint64])
def test_faces_become_int32(dtype):
    assert Mesh(CORNERS, np.array([[0, 1, 2]], dtype)).faces.dtype == np.int32


def test_arrays_are_copied_and_cannot_be_written():
    vertices, faces, colors = CORNERS.copy(), np.array([[0, 1, 2]], np.int32), CORNERS.copy()
    mesh = Mesh(vertices, faces, colors)
    for name, given in (("vertices", vertices), ("faces", faces), ("colors", colors)):
        kept = getattr(mesh, name)
        before = kept.copy()
        given[0] = 1
        np.testing.assert_array_equal(kept, before)
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = 1
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(mesh, name, given)


def test_arrays_are_contiguous():
    mesh = Mesh(np.asfortranarray(CORNERS), np.array([[0, 1, 2], [0, 2, 3]])[::-1, ::-1])
    assert mesh.vertices.flags.c_contiguous
    assert mesh.faces.flags.c_contiguous
    np.testing.assert_array_equal(mesh.faces, [[3, 2, 0], [2, 1, 0]])


@pytest.mark.parametrize("vertices", [[], np.zeros((0, 3)), CORNERS])
@pytest.mark.parametrize("faces", [[], np.zeros((0, 3), int)])
def test_a_mesh_may_be_empty(vertices, faces):
    mesh = Mesh(vertices, faces)
    assert (mesh.num_vertices, mesh.num_faces) == (len(vertices), 0)
    assert mesh.faces.shape == (0, 3)
    assert mesh.colors.shape == mesh.normalized().vertices.shape == (len(vertices), 3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("abc", []), TypeError, "vertices must be numbers, got <U3"),
        ((CORNERS > 0, []), TypeError, "vertices must be numbers, got bool"),
        ((CORNERS * 1j, []), TypeError, "vertices must be numbers, got complex64"),
        (([[0, 0, 0], [0, 0]], []), ValueError, "vertices must have rows of one length, got"),
        ((CORNERS[:, :2], []), ValueError, r"vertices must have shape \(V, 3\), got \(4, 2\)"),
        ((CORNERS[0], []), ValueError, r"vertices must have shape \(V, 3\), got \(3,\)"),
        ((CORNERS[None], []), ValueError, r"vertices must have shape \(V, 3\), got \(1, 4, 3\)"),
        ((CORNERS * [np.nan, 1, 1], []), ValueError, r"vertices must be finite, got \[nan"),
        (([[0, 0, 0], [0, 0, 1e39]], []), ValueError, r"vertices .* \[0.0, 0.0, inf\] in row 1"),
        ((CORNERS, [[0.0, 1.0, 2.0]]), TypeError, "faces must be integers, got float64"),
        ((CORNERS, [0, 1, 2]), ValueError, r"faces must have shape \(F, 3\), got \(3,\)"),
        ((CORNERS, [[0, 1, 2, 3]]), ValueError, r"faces must have shape \(F, 3\), got \(1, 4\)"),
        ((CORNERS, [[0, 1, 4]]), ValueError, "faces must be indices of the 4 vertices, got 0 to 4"),
        ((CORNERS, [[0, 1, -1]]), ValueError, "faces .* of the 4 vertices, got -1 to 1"),
        ((CORNERS, np.uint64([[0, 1, 2**40]])), ValueError, "got 0 to 1099511627776"),
        (([], [[0, 0, 0]]), ValueError, "faces must be indices of the 0 vertices, got 0 to 0"),
        ((CORNERS, [], CORNERS[:3]), ValueError, r"colors must have shape \(4, 3\), got \(3, 3\)"),
        ((CORNERS, [], [1, 0, 0]), ValueError, r"colors must have shape \(4, 3\), got \(3,\)"),
        ((CORNERS, [], CORNERS / 0.5 - np.inf), ValueError, "colors must be finite, got"),
        ((CORNERS, [], [["red"] * 3] * 4), TypeError, "colors must be numbers, got <U3"),
    ],
)
def test_refusals_of_a_mesh(arguments, error, message):
    with pytest.raises(error, match=message):
        Mesh(*arguments)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normalized(dtype, numpy_rng):
    for _ in range(20):
        mesh = Mesh(
            numpy_rng.normal(size=(9, 3)).astype(dtype) * 1e3 + 5,
            [[0, 1, 2]],
            numpy_rng.random((9, 3)),
        )
        found = mesh.normalized()
        low, high = found.vertices.min(axis=0), found.vertices.max(axis=0)
        np.testing.assert_allclose(low + high, 0, atol=1e-6)
        assert np.abs(found.vertices).max() == pytest.approx(0.5)
        assert np.abs(found.vertices).max() <= 0.5
        # The same shape: every difference was scaled alike.
        scale = np.ptp(mesh.vertices, axis=0).max()
        np.testing.assert_allclose(
            np.diff(found.vertices, axis=0) * scale,
            np.diff(mesh.vertices, axis=0),
            rtol=0,
            atol=1e-2,
        )
        assert found.vertices.dtype == dtype
        np.testing.assert_array_equal(found.colors, mesh.colors)
        np.testing.assert_array_equal(found.faces, mesh.faces)


def test_normalized_only_moves_a_point():
    found = Mesh([[3, 4, 5]] * 2, [[0, 1, 1]]).normalized()
    np.testing.assert_array_equal(found.vertices, np.zeros((2, 3)))


def test_with_vertices_and_with_colors(numpy_rng):
    mesh = random_mesh(numpy_rng)
    moved = mesh.with_vertices(mesh.vertices + 1)
    np.testing.assert_array_equal(moved.vertices, mesh.vertices + 1)
    np.testing.assert_array_equal(moved.colors, mesh.colors)
    painted = mesh.with_colors(np.zeros((20, 3)))
    np.testing.assert_array_equal(painted.vertices, mesh.vertices)
    assert not painted.colors.any()
    assert_grey(mesh.with_colors(None))
    with pytest.raises(ValueError, match=r"colors must have shape \(19, 3\), got \(20, 3\)"):
        mesh.with_vertices(mesh.vertices[:19])


def test_group_rows_agrees_with_numpy(numpy_rng):
    rows = numpy_rng.integers(0, 3, size=(200, 3)).astype(float)
    first, kind = group_rows(rows)
    _, expected = np.unique(rows, axis=0, return_index=True)
    np.testing.assert_array_equal(first, np.sort(expected))
    np.testing.assert_array_equal(rows[first][kind], rows)
    assert [len(found) for found in group_rows(np.empty((0, 3)))] == [0, 0]
