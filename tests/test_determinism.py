"""The same numbers come out, to the last bit, however often and by however many threads."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
import scenes
import torch

import taichi_softras as sr
from taichi_softras.arrays.broadcast import SUMS_PER_ITEM, unshare
from taichi_softras.arrays.kernels.sort import sort_stretch
from taichi_softras.arrays.operator import Shared
from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.arrays.torch_bridge import Allocator
from taichi_softras.backend import ti
from taichi_softras.losses.sums import sum_items
from taichi_softras.meshes.incidence import Incidence

PROGRAM = Path(__file__).parent / "determinism_program.py"


def run_program(threads: int, steps: int) -> dict[str, list[str]]:
    command = [sys.executable, str(PROGRAM), str(threads), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_steps_of_a_fit_are_the_same_to_the_last_bit():
    digests = [run_program(threads, 2) for threads in (1, 2)]
    differing = {name for name in digests[0] if len({d for ds in digests for d in ds[name]}) > 1}
    assert not differing


def corner_lists(faces, num_vertices):
    ensure_running()
    starts, corners = Incidence().lists(faces, num_vertices, Allocator(torch.device("cpu"), ti.f32))
    return [corners[a:b].tolist() for a, b in itertools.pairwise(starts.tolist())]


def test_corners_at_each_vertex_are_listed_in_order():
    faces = torch.tensor([[0, 1, 2], [3, 2, 1], [1, 1, 0]], dtype=torch.int32)
    assert corner_lists(faces, 5) == [[0, 8], [1, 5, 6, 7], [2, 4], [3], []]


def test_corners_of_long_lists_are_in_order(rng):
    """A fan of many faces round one vertex, in which other vertices come up as they like."""
    # So many that several threads write them, one amid the other's.
    faces = torch.randint(1, 40, (200_000, 3), generator=rng, dtype=torch.int32)
    faces[:, 1] = 0
    lists = corner_lists(faces, 40)
    assert lists[0] == list(range(1, 600_000, 3))
    assert lists == [torch.where(faces.flatten() == v)[0].tolist() for v in range(40)]


@ti.kernel
def sort_stretches(values: ti.types.ndarray(ti.i32, 1), bounds: ti.types.ndarray(ti.i32, 1)):
    for i in range(bounds.shape[0] - 1):
        sort_stretch(values, bounds[i], bounds[i + 1])


def test_stretches_are_sorted(rng):
    """Of any length, none among them; and nothing before the first, or after the last."""
    ensure_running()
    bounds = torch.tensor([3, 3, 4, 6, 9, 13, 40, 200, 1500], dtype=torch.int32)
    values = torch.randint(0, 500, (1510,), generator=rng, dtype=torch.int32)
    expected = values.clone()
    for start, end in itertools.pairwise(bounds):
        expected[start:end] = values[start:end].sort().values
    sort_stretches(values, bounds)
    assert (values == expected).all()


def test_corners_out_of_range_are_in_no_list():
    faces = torch.tensor([[[0, -1, 1]], [[1, 2, 0]]], dtype=torch.int32)
    assert corner_lists(faces, 2) == [[0], [2], [2], [0]]


def test_no_faces_make_empty_lists():
    assert corner_lists(torch.zeros(0, 3, dtype=torch.int32), 2) == [[], []]


@pytest.mark.parametrize(("num_values", "num_faces"), [(1, 1), (3, 1), (1, 3), (3, 3)])
def test_gather_and_its_gradient(num_values, num_faces, rng):
    values = torch.randn(num_values, 7, 5, generator=rng, dtype=torch.float64).requires_grad_()
    faces = torch.randint(0, 7, (num_faces, 9, 3), generator=rng)
    corners = sr.gather(values, faces)
    items = torch.arange(max(num_values, num_faces))
    expected = values[items[:, None, None] % num_values, faces[items % num_faces]]
    assert (corners == expected).all()
    weights = scenes.random_like(corners, rng)
    (found,) = torch.autograd.grad((corners * weights).sum(), values)
    (wanted,) = torch.autograd.grad((expected * weights).sum(), values)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("num_vertices", "num_faces"), [(1, 1), (3, 1), (1, 3), (3, 3)])
def test_normals_and_their_gradient(num_vertices, num_faces, rng):
    vertices, faces = scenes.bumpy_octahedron(rng, num_vertices)
    faces = torch.stack([faces, faces.flip(1), faces.roll(1, 1)])[:num_faces]
    vertices.requires_grad_()
    normals = sr.vertex_normals(vertices, faces)
    items = range(max(num_vertices, num_faces))
    pairs = [(vertices[i % num_vertices, None], faces[i % num_faces].long()) for i in items]
    expected = torch.cat([reference.vertex_normals(*pair) for pair in pairs])
    weights = scenes.random_like(normals, rng)
    (found,) = torch.autograd.grad((normals * weights).sum(), vertices)
    (wanted,) = torch.autograd.grad((expected * weights).sum(), vertices)
    torch.testing.assert_close(normals, expected, rtol=0, atol=1e-13)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


def test_faces_that_do_not_count_give_no_gradient(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    vertices[0, 5, 1] = torch.nan
    vertices.requires_grad_()
    normals = sr.vertex_normals(vertices, faces)
    normals[..., 0].sum().backward()
    kept = faces[(faces != 5).all(1)].long()
    sound = vertices.detach()[:, :5].clone().requires_grad_()
    reference.vertex_normals(sound, kept)[..., 0].sum().backward()
    torch.testing.assert_close(vertices.grad[:, :5], sound.grad, rtol=0, atol=1e-13)
    assert (vertices.grad[:, 5] == 0).all()


def test_camera_of_many_vertices(rng):
    """More vertices than first sums, and not a multiple of them, under cameras with gradients."""
    vertices = torch.randn(1, 40 * SUMS_PER_ITEM + 7, 3, generator=rng, dtype=torch.float64)
    vertices.requires_grad_()
    eye = torch.tensor([[0.0, 1, 5], [5, 1, 0.5], [-4, 2, 1]], dtype=torch.float64).requires_grad_()
    at = torch.tensor([[0.1, 0.2, 0.3]], dtype=torch.float64).requires_grad_()
    fov = torch.tensor([40.0], dtype=torch.float64).requires_grad_()
    found = sr.project(vertices, sr.LookAtCamera(eye, at, fov_degrees=fov), 1.5)
    up = torch.tensor([[0.0, 1, 0]], dtype=torch.float64)
    views = reference.look_at(eye, at.expand(3, -1), up.expand(3, -1))
    wanted = reference.project(vertices, views, fov, 1.5)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    weights = scenes.random_like(found, rng)
    inputs = (vertices, eye, at, fov)
    gradients = torch.autograd.grad((found * weights).sum(), inputs)
    expected = torch.autograd.grad((wanted * weights).sum(), inputs)
    for actual, other in zip(gradients, expected):
        torch.testing.assert_close(actual, other, rtol=1e-11, atol=1e-11)


def test_light_on_many_vertices(rng):
    shape = (3, 40 * SUMS_PER_ITEM + 5, 3)
    colors, normals = (torch.rand(shape, generator=rng, dtype=torch.float64) for _ in range(2))
    light = [torch.rand(1, 3, generator=rng, dtype=torch.float64) for _ in range(3)]
    inputs = [x.requires_grad_() for x in (colors[:1].clone(), normals, *light)]
    found = sr.shade(*inputs[:2], sr.Light(*inputs[2:]))
    ambient, diffuse, direction = inputs[2:]
    lights = [("ambient", ambient), ("directional", diffuse, direction)]
    wanted = reference.shade(*inputs[:2], lights)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-13)
    weights = scenes.random_like(found, rng)
    gradients = torch.autograd.grad((found * weights).sum(), inputs)
    expected = torch.autograd.grad((wanted * weights).sum(), inputs)
    for actual, other in zip(gradients, expected):
        torch.testing.assert_close(actual, other, rtol=1e-11, atol=1e-11)


def test_losses_of_many_numbers(rng):
    """More than one thread adds up; and the Laplacian's transpose where degrees differ."""
    mesh = sr.icosphere(3)
    vertices = torch.tensor(mesh.vertices[None].repeat(2, 0), dtype=torch.float64)
    vertices = (vertices + 0.02 * scenes.random_like(vertices, rng)).requires_grad_()
    faces = mesh.faces[30:]  # open: vertices at its border have fewer neighbours
    topology = sr.mesh_topology(faces, vertices)
    found = sr.laplacian_loss(vertices, topology)
    wanted = reference.laplacian_loss(vertices, faces)[None]
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)
    for actual, other in zip(*(torch.autograd.grad(x, vertices) for x in (found, wanted))):
        torch.testing.assert_close(actual, other, rtol=0, atol=1e-12)


def test_loss_of_many_images(rng):
    alpha = torch.rand(50, 3, 4, generator=rng, dtype=torch.float64).requires_grad_()
    target = torch.rand(1, 3, 4, generator=rng, dtype=torch.float64).requires_grad_()
    found = sr.silhouette_loss(alpha, target)
    wanted = reference.silhouette_loss(alpha, target)[None]
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)
    gradients = (torch.autograd.grad(x, (alpha, target)) for x in (found, wanted))
    for actual, other in zip(*gradients):
        torch.testing.assert_close(actual, other, rtol=0, atol=1e-14)


@pytest.mark.parametrize("shape", [(1, 1), (3, 80), (1, 257), (7, 5000)])
def test_sums(shape, rng):
    values = torch.randn(shape, generator=rng, dtype=torch.float64).requires_grad_()
    for total in (sum_items(values, 0.25 * len(values), "mean"), sum_items(values, 0.25, "none")):
        expected = 0.25 * values.sum(-1)
        expected = expected if len(total) == len(values) else expected.sum()[None]
        torch.testing.assert_close(total, expected, rtol=0, atol=1e-10)
        (gradient,) = torch.autograd.grad(total.sum(), values)
        assert (gradient == 0.25).all()


@pytest.mark.parametrize("shape", [(1,), (2,), (1, 3), (2, 3), (2, 4, 4), (1, 2, 3, 4)])
def test_copies_and_their_gradient(shape, rng):
    values = torch.randn(shape, generator=rng, dtype=torch.float64).requires_grad_()
    copies = unshare(values, Shared(6))
    expected = values.repeat_interleave(6 // shape[0], 0)
    assert (copies == expected).all()
    weights = scenes.random_like(copies, rng)
    (found,) = torch.autograd.grad((copies * weights).sum(), values)
    (wanted,) = torch.autograd.grad((expected * weights).sum(), values)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-14)


def test_nothing_is_copied_where_no_gradient_is_wanted():
    values = torch.ones(1, 3)
    assert unshare(values, Shared(6)) is values
    assert unshare(values.requires_grad_(), Shared(1)) is values
    with torch.no_grad():
        assert unshare(values, Shared(6)) is values
    for needs_grad in (False, True):
        array = sr.from_numpy(np.ones((1, 3)), needs_grad=needs_grad)
        assert (unshare(array, Shared(6)) is array) != needs_grad


def test_copies_for_rows_are_those_of_their_items(rng):
    values = torch.randn(3, 2, generator=rng, dtype=torch.float64).requires_grad_()
    num_rows = 2 * SUMS_PER_ITEM + 3
    copies = unshare(values, Shared(3, num_rows))
    assert (copies == values.repeat_interleave(num_rows, 0)).all()
    weights = scenes.random_like(copies, rng)
    (found,) = torch.autograd.grad((copies * weights).sum(), values)
    expected = weights.reshape(3, num_rows, 2).sum(1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
