"""Edges of meshes, and the faces that meet at them."""

import itertools

import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr


def test_topology_of_an_open_mesh():
    """Two triangles of a square, and a vertex without faces."""
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    topology = sr.mesh_topology(faces, torch.zeros(1, 5, 3, dtype=torch.float64))
    assert topology.edges.tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    assert topology.face_edges.tolist() == [[2, 1, 0], [3, 4, 2]]
    assert topology.inverse_degrees.tolist() == [[1 / 2, 1 / 3, 1 / 3, 1 / 2, 0]]
    assert topology.hinges.tolist() == [[1, 2, 0, 3]]
    assert topology.face_pairs.tolist() == [[0, 1]]
    for indices in (topology.faces, topology.edges, topology.face_edges, topology.hinges):
        assert indices.dtype == torch.int32


@pytest.mark.parametrize("num_faces", [2, 3, 5])
def test_topology_pairs_all_faces_at_an_edge(num_faces):
    faces = np.array([[0, 1, 2 + f] if f % 2 else [1, 0, 2 + f] for f in range(num_faces)])
    topology = sr.mesh_topology(faces, torch.zeros(1, 7, 3))
    pairs = {tuple(sorted(pair)) for pair in topology.face_pairs.tolist()}
    assert pairs == set(itertools.combinations(range(num_faces), 2))
    assert len(topology.hinges) == len(pairs)
    for (i, j, k, other), (f, g) in zip(topology.hinges.tolist(), topology.face_pairs.tolist()):
        assert [i, j, k] in np.stack([np.roll(faces[f], -n) for n in range(3)]).tolist()
        assert {i, j, other} == set(faces[g].tolist())


def test_topology_of_faces_from_anywhere(rng):
    vertices, faces = scenes.open_mesh(rng)
    expected = sr.mesh_topology(faces.numpy(), vertices)
    for same in (faces, faces.long(), scenes.to_taichi(faces), faces.tolist()):
        assert (sr.mesh_topology(same, vertices).hinges == expected.hinges).all()


def test_topology_with_a_face_that_is_a_line():
    """Its side from a vertex to itself is no edge; the others are."""
    topology = sr.mesh_topology([[0, 1, 1], [0, 1, 2]], torch.zeros(1, 3, 3))
    assert topology.edges.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert topology.face_edges.tolist() == [[-1, 0, 0], [2, 1, 0]]


@pytest.mark.parametrize(
    ("faces", "words"),
    [
        (np.zeros((2, 4), int), r"faces must be integers of shape \(F, 3\)"),
        (np.zeros((2, 3)), r"faces must be integers of shape \(F, 3\)"),
        (np.array([[0, 1, 6]]), "faces must have indices from 0 to 5, got 0 to 6"),
        (np.array([[0, 1, -1]]), "faces must have indices from 0 to 5, got -1 to 1"),
    ],
    ids=str,
)
def test_topology_refuses(faces, words):
    with pytest.raises(ValueError, match=words):
        sr.mesh_topology(faces, torch.zeros(1, 6, 3))
