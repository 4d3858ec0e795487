"""Subdivision, against trimesh, and by hand."""

import gradients
import numpy as np
import pytest
import scenes
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

import taichi_softras as sr
from taichi_softras.backend import ti

SCHEMES = ["midpoint", "loop"]

anything = settings(max_examples=25, deadline=None, derandomize=True, database=None)


def colored(mesh, seed=0):
    """With a colour of its own at every vertex, in float64."""
    rng = np.random.default_rng(seed)
    colors = rng.random(mesh.vertices.shape)
    return sr.Mesh(mesh.vertices.astype(np.float64), mesh.faces, colors)


def triangles(vertices, faces):
    """Corners of faces, whatever the order of vertices and faces: as sorted rows."""
    corners = np.round(vertices[faces], 9) + 0.0
    turned = [min(np.roll(corner, -k, axis=0).tolist() for k in range(3)) for corner in corners]
    return np.array(sorted(turned))


def holed():
    """A sphere without one vertex, and the faces round it."""
    sphere = sr.icosphere(1)
    return sr.Mesh(sphere.vertices[1:], sphere.faces[(sphere.faces != 0).all(axis=1)] - 1)


MESHES = {
    "icosphere": sr.icosphere(1),
    "torus": sr.torus(major_segments=5, minor_segments=4),
    "cube": sr.cube(),
    "holed": holed(),
}


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("name", MESHES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_positions_are_those_of_trimesh(scheme, name, times):
    mesh = colored(MESHES[name])
    fine = sr.subdivide(mesh, scheme=scheme, times=times)
    vertices, faces = mesh.vertices, mesh.faces
    for _ in range(times):
        if scheme == "midpoint":
            vertices, faces = trimesh.remesh.subdivide(vertices, faces)
        else:
            vertices, faces = trimesh.remesh.subdivide_loop(vertices, faces)
    assert fine.num_faces == mesh.num_faces * 4**times
    np.testing.assert_allclose(
        triangles(fine.vertices, fine.faces), triangles(vertices, faces), atol=1e-8
    )


def test_loop_keeps_a_border_to_itself():
    """Inner edges between vertices of the border do not pull at it: sides of a square stay so."""
    square = sr.plane(side=2, segments=2)
    fine = sr.subdivide(square, scheme="loop")
    old = fine.vertices[: square.num_vertices, :2].tolist()
    corner, one = 7 / 8, 1  # 3/4 of 1, and 1/8 of 1 and of 0
    assert old == [
        [-corner, -corner], [0, -one], [corner, -corner],
        [-one, 0], [0, 0], [one, 0],
        [-corner, corner], [0, one], [corner, corner],
    ]  # fmt: skip


def test_loop_keeps_a_vertex_between_two_borders():
    """Two triangles with one corner in common stay connected there."""
    corners = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0.5, 0], [0, 3, 1]]
    mesh = sr.Mesh(corners, [[0, 1, 2], [0, 3, 4]])
    np.testing.assert_array_equal(sr.subdivide(mesh, scheme="loop").vertices[0], 0)


def test_a_triangle_by_hand():
    mesh = sr.Mesh([[0, 0, 0], [2, 0, 0], [0, 2, 0]], [[0, 1, 2]], np.eye(3))
    fine = sr.subdivide(mesh)
    assert fine.vertices.dtype == np.float32
    np.testing.assert_array_equal(fine.vertices[:3], mesh.vertices)
    assert {tuple(v) for v in fine.vertices[3:]} == {(1, 0, 0), (0, 1, 0), (1, 1, 0)}
    at_middle = fine.colors[3:][(fine.vertices[3:] == [1, 1, 0]).all(axis=1)]
    np.testing.assert_array_equal(at_middle, [[0, 0.5, 0.5]])
    rounded = sr.subdivide(mesh, scheme="loop")
    np.testing.assert_allclose(rounded.vertices[0], [0.25, 0.25, 0])  # 3/4, and 1/8 of each other
    np.testing.assert_allclose(rounded.colors[0], [0.75, 0.125, 0.125])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_colors_go_as_positions_do(scheme):
    mesh = colored(sr.icosphere(1))
    of_colors = sr.subdivide(sr.Mesh(mesh.colors, mesh.faces), scheme=scheme, times=2)
    fine = sr.subdivide(mesh, scheme=scheme, times=2)
    np.testing.assert_allclose(fine.colors, of_colors.vertices, atol=1e-12)
    assert 0 <= fine.colors.min() <= fine.colors.max() <= 1


def test_textures_stay_where_they_are():
    """Texture coordinates that are a linear function of the position still are."""
    square = sr.plane(segments=2)
    uvs = square.vertices[square.faces][..., :2] * [1, 3] + 0.5
    materials = (sr.Material(), sr.Material())
    which = np.arange(square.num_faces) % 2
    mesh = sr.Mesh(square.vertices, square.faces, None, uvs, which, materials)
    fine = sr.subdivide(mesh, times=2)
    expected = fine.vertices[fine.faces][..., :2] * [1, 3] + 0.5
    np.testing.assert_allclose(fine.face_uvs, expected, atol=1e-6)
    assert fine.materials == materials
    # The middle of each fine face is in a coarse one, whose material it has.
    for f, material in enumerate(fine.face_materials):
        (inside,) = np.nonzero(
            trimesh.triangles.points_to_barycentric(
                mesh.vertices[mesh.faces],
                np.repeat(fine.vertices[fine.faces[f]].mean(axis=0)[None], 8, axis=0),
            ).min(axis=1)
            > 0
        )
        assert which[inside].tolist() == [material]
    rounded = sr.subdivide(mesh, scheme="loop", times=2)
    np.testing.assert_array_equal(rounded.face_uvs, fine.face_uvs)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_meshes_that_are_no_surface(scheme):
    """A fin of three faces at an edge, a line, a point, and a vertex of no face."""
    rng = np.random.default_rng(0)
    faces = [[0, 1, 2], [1, 0, 3], [0, 1, 4], [5, 5, 6], [6, 6, 6], [2, 1, 5]]
    mesh = sr.Mesh(rng.random((8, 3)), faces)
    fine = sr.subdivide(mesh, scheme=scheme)
    assert fine.num_faces == 24
    np.testing.assert_array_equal(fine.vertices[7], mesh.vertices[7])
    middle = (mesh.vertices[0] + mesh.vertices[1]) / 2  # of three faces: sharp
    assert np.abs(fine.vertices - middle).sum(axis=1).min() < 1e-12
    assert fine.vertices.min() >= 0
    assert fine.vertices.max() <= 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nothing_to_subdivide(scheme):
    empty = sr.subdivide(sr.Mesh(np.zeros((0, 3)), []), scheme=scheme)
    assert (empty.num_vertices, empty.num_faces) == (0, 0)
    points = sr.subdivide(sr.Mesh(np.ones((2, 3)), []), scheme=scheme, times=2)
    np.testing.assert_array_equal(points.vertices, 1)
    mesh = sr.cube()
    same = sr.subdivide(mesh, scheme=scheme, times=0)
    np.testing.assert_array_equal(same.vertices, mesh.vertices)
    np.testing.assert_array_equal(same.faces, mesh.faces)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_matrix_gives_what_subdivide_gives(scheme, times, rng):
    vertices, faces = scenes.open_mesh(rng, num_items=3)
    fine = sr.mesh_subdivision(faces, vertices, scheme=scheme, times=times)
    moved = fine.matrix @ vertices
    for item in range(3):
        mesh = sr.subdivide(sr.Mesh(vertices[item], faces), scheme=scheme, times=times)
        np.testing.assert_allclose(moved[item], mesh.vertices, atol=1e-14)
        np.testing.assert_array_equal(fine.faces, mesh.faces)


@pytest.mark.gradcheck
@pytest.mark.parametrize("scheme", SCHEMES)
def test_gradients_flow_through_the_matrix(scheme, rng):
    vertices, faces = scenes.open_mesh(rng, num_items=3)
    fine = sr.mesh_subdivision(faces, vertices, scheme=scheme, times=2)
    gradients.assert_gradients_match(lambda x: (fine.matrix @ x).square(), {"x": vertices}, rng)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_subdivided_on_a_tape(dtype, rng):
    """A loss of the fine mesh, by the coarse vertices."""
    vertices, faces = scenes.open_mesh(rng, num_items=3)
    leaf = vertices.to(dtype).requires_grad_()
    fine = sr.mesh_subdivision(faces, leaf, scheme="loop")
    expected = sr.edge_length_loss(fine.matrix @ leaf, sr.mesh_topology(fine.faces, leaf_of(fine)))
    expected.backward()

    array = scenes.to_taichi(leaf, needs_grad=True)
    fine = sr.mesh_subdivision(scenes.to_taichi(faces), array, scheme="loop")
    topology = sr.mesh_topology(fine.faces, scenes.to_taichi(leaf_of(fine, dtype)))
    loss = ti.ndarray(ti.f32 if dtype == torch.float32 else ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss):
        sr.add_to_loss(loss, sr.edge_length_loss(fine.matrix @ array, topology))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert loss[0] == pytest.approx(float(expected.detach()), rel=tolerance)
    np.testing.assert_allclose(array.grad.to_numpy(), leaf.grad, rtol=tolerance, atol=tolerance)


def leaf_of(fine, dtype=None):
    """Vertices of the fine mesh's number, and of its type."""
    dtype = fine.matrix.weights.dtype if dtype is None else dtype
    return torch.zeros(1, fine.matrix.num_rows, 3, dtype=dtype)


@anything
@given(seed=st.integers(0, 2**31 - 1), times=st.integers(0, 2))
def test_midpoints_keep_the_area_and_loop_the_box(seed, times):
    rng = torch.Generator().manual_seed(seed)
    vertices, faces = scenes.open_mesh(rng)
    mesh = sr.Mesh(vertices[0].numpy(), faces.numpy())
    fine = sr.subdivide(mesh, times=times)
    areas = [trimesh.triangles.area(m.vertices[m.faces]).sum() for m in (mesh, fine)]
    assert areas[1] == pytest.approx(areas[0], rel=1e-12)
    rounded = sr.subdivide(mesh, scheme="loop", times=times)
    assert (rounded.vertices.min(axis=0) >= mesh.vertices.min(axis=0) - 1e-12).all()
    assert (rounded.vertices.max(axis=0) <= mesh.vertices.max(axis=0) + 1e-12).all()


def test_refusals(rng):
    mesh = sr.cube()
    with pytest.raises(
        ValueError, match="scheme must be one of 'midpoint', 'loop', got 'butterfly'"
    ):
        sr.subdivide(mesh, scheme="butterfly")
    with pytest.raises(ValueError, match="times must be at least 0, got -1"):
        sr.subdivide(mesh, times=-1)
    with pytest.raises(TypeError, match="mesh must be a Mesh, got ndarray"):
        sr.subdivide(mesh.vertices)
    vertices, faces = scenes.bumpy_octahedron(rng)
    with pytest.raises(ValueError, match="faces must have indices from 0 to 4, got 0 to 5"):
        sr.mesh_subdivision(faces, vertices[:, :5])
    fine = sr.mesh_subdivision(faces, vertices)
    with pytest.raises(
        ValueError, match=r"values must have shape \(B or 1, 6, K\), got \(1, 5, 3\)"
    ):
        fine.matrix @ vertices[:, :5]
    with pytest.raises(TypeError, match="values must be float64, got float32"):
        fine.matrix @ vertices.float()
