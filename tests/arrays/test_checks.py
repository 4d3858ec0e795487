"""Shapes, types and kinds of arrays, checked together."""

import pytest
import torch

import taichi_softras as sr
from taichi_softras.arrays.checks import check_arrays


def ones(*shape, dtype=torch.float32):
    return torch.ones(shape, dtype=dtype)


def test_letters_stand_for_one_size_in_the_whole_call():
    points = "(B or 1, N, 3)"
    sizes = check_arrays(
        a=(ones(1, 4, 3), points),
        b=(ones(5, 4, 3), points),
        c=(ones(5), "(B,)"),
        d=(ones(4, dtype=torch.int32), "(N,) int32"),
    )
    assert sizes == {"B": 5, "N": 4}


@pytest.mark.parametrize(
    ("shapes", "batch"),
    [([(1,), (1,)], 1), ([(0,), (1,)], 0), ([(1,), (4,)], 4), ([(4,), (4,), (1,)], 4)],
)
def test_one_stands_for_all(shapes, batch):
    wanted = {f"x{i}": (ones(*shape), "(B or 1,)") for i, shape in enumerate(shapes)}
    assert check_arrays(**wanted) == {"B": batch}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        # Items differ; the one that isn't as the largest is named, wherever it stands.
        (
            [(ones(2, 3), "(B or 1, K)"), (ones(5, 3), "(B or 1, K)")],
            r"x0 must have shape \(5 or 1, 3\), got \(2, 3\)",
        ),
        (
            [(ones(2, 3), "(B or 1, K)"), (ones(5, 3), "(B, K)")],
            r"x0 must have shape \(5 or 1, 3\), got \(2, 3\)",
        ),
        (
            [(ones(1, 3), "(B, K)"), (ones(5, 3), "(B or 1, K)")],
            r"x1 must have shape \(1, 3\), got \(5, 3\)",
        ),
        (
            [(ones(1, 3), "(B or 1, K)"), (ones(1, 4), "(B or 1, K)")],
            r"x1 must have shape \(B or 1, 3\), got \(1, 4\)",
        ),
        ([(ones(1, 4), "(B or 1, 3)")], r"x0 must have shape \(B or 1, 3\), got \(1, 4\)"),
        ([(ones(2, 3), "(4 or 1, 3)")], r"x0 must have shape \(4 or 1, 3\), got \(2, 3\)"),
        ([(ones(4), "(1,)")], r"x0 must have shape \(1,\), got \(4,\)"),
        (
            [(ones(4), "(F, 3) or (B or 1, F, 3)")],
            r"x0 must have shape \(F, 3\) or \(B or 1, F, 3\), got \(4,\)",
        ),
        (
            [(ones(2, 4), "(F, 3) or (B or 1, F, 3)")],
            r"x0 must have shape \(F, 3\), got \(2, 4\)",
        ),
    ],
)
def test_shapes_that_do_not_fit(arrays, message):
    with pytest.raises(ValueError, match=message):
        check_arrays(**{f"x{i}": array for i, array in enumerate(arrays)})


def test_types_and_kinds_that_do_not_fit():
    double = ones(2, dtype=torch.float64)
    with pytest.raises(TypeError, match="b must be float32, got float64"):
        check_arrays(a=(ones(2), "(N,)"), b=(double, "(N,)"))
    with pytest.raises(TypeError, match="b must be float64, got float32"):
        check_arrays(double, b=(ones(2), "(N,)"))
    with pytest.raises(TypeError, match="a must be float32 or float64, got int32"):
        check_arrays(a=(double.int(), "(N,)"))
    with pytest.raises(TypeError, match="a must be int32, got float64"):
        check_arrays(a=(double, "(N,) int32"))
    with pytest.raises(TypeError, match=r"a must be a torch.Tensor or a ti.ndarray, got list"):
        check_arrays(a=([1.0], "(N,)"))


def test_public_functions_refuse_items_that_do_not_fit():
    vertices, faces, _ = sr.cube().to_torch()
    with pytest.raises(ValueError, match=r"view must have shape \(3 or 1, 4, 4\), got \(2, 4, 4\)"):
        sr.project(vertices.expand(3, -1, -1), sr.LookAtCamera(torch.rand(2, 3)), 1.0)
    with pytest.raises(ValueError, match=r"faces must have shape \(3 or 1, 12, 3\)"):
        sr.vertex_normals(vertices.expand(3, -1, -1), faces.expand(2, -1, -1))
    light = sr.Light(ambient=torch.ones(2, 3), diffuse=torch.ones(3, 3))
    with pytest.raises(ValueError, match=r"ambient must have shape \(3 or 1, 3\), got \(2, 3\)"):
        sr.shade(vertices, vertices, light)
    matrix = sr.mesh_subdivision(faces, vertices).matrix
    with pytest.raises(ValueError, match=r"values must have shape \(B or 1, 8, K\)"):
        matrix @ vertices[:, 1:]
