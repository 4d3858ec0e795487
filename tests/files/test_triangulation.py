import numpy as np
import pytest

import taichi_softras as sr
from taichi_softras.files._triangulation import triangulate

STAR = [(np.cos(t) * r, np.sin(t) * r) for t, r in zip(np.arange(14) * np.pi / 7, [3, 1] * 7)]
COMB = [
    (0, 0),
    (6, 0),
    (6, 3),
    (5, 3),
    (5, 1),
    (4, 1),
    (4, 3),
    (3, 3),
    (3, 1),
    (1, 1),
    (1, 3),
    (0, 3),
]
SPIRAL = [
    (0, 0),
    (5, 0),
    (5, 5),
    (1, 5),
    (1, 2),
    (3, 2),
    (3, 3),
    (2, 3),
    (2, 4),
    (4, 4),
    (4, 1),
    (0, 1),
]
# A square with a square hole, joined to its border by a cut that is walked twice.
HOLE = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 1), (1, 3), (3, 3), (3, 1), (1, 1)]
MIDPOINTS = [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (1, 1), (0, 2), (0, 1)]
SHAPES = {
    "square": [(0, 0), (1, 0), (1, 1), (0, 1)],
    "arrow": [(0, 0), (2, 0), (0.5, 0.5), (0, 2)],
    "star": STAR,
    "comb": COMB,
    "spiral": SPIRAL,
    "hole": HOLE,
    "midpoints": MIDPOINTS,
}
TURNS = {
    "in a plane": np.eye(3),
    "from below": np.diag([1.0, -1, -1]),
    "upright": np.eye(3)[[2, 0, 1]],
    "aslant": np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0],
}


def crosses(points, triangles):
    a, b, c = np.moveaxis(points[triangles], 1, 0)
    return np.cross(b - a, c - a)


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_triangles_cover_a_polygon_once(shape, turn):
    flat = np.array(shape, dtype=float)
    x, y = flat.T
    area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2
    for start in range(len(flat)):
        points = np.column_stack((np.roll(flat, start, axis=0), np.zeros(len(flat)))) @ turn.T
        triangles, polygon = triangulate(points, np.array([len(flat)]))
        assert triangles.shape == (len(flat) - 2, 3)
        assert not polygon.any()
        normal = turn @ [0, 0, np.linalg.det(turn)]
        areas = crosses(points, triangles) @ normal / 2
        # None turns the other way, and together they are as large: so none overlaps another.
        assert areas.min() > -1e-9
        assert areas.sum() == pytest.approx(area)


def test_several_polygons_at_once():
    shapes = [SHAPES[name] for name in ("arrow", "square", "star", "square", "comb")]
    points = np.array([(*point, z) for z, shape in enumerate(shapes) for point in shape])
    sizes = np.array([len(shape) for shape in shapes])
    triangles, polygon = triangulate(points, sizes)
    np.testing.assert_array_equal(polygon, np.repeat(np.arange(5), sizes - 2))
    np.testing.assert_array_equal(points[triangles][..., 2], np.repeat(polygon[:, None], 3, axis=1))
    for number, size in enumerate(sizes):
        start = sizes[:number].sum()
        alone, _ = triangulate(points[start : start + size], sizes[number : number + 1])
        np.testing.assert_array_equal(triangles[polygon == number], alone + start)


@pytest.mark.parametrize(
    "shape",
    [
        [(0, 0), (2, 2), (2, 0), (0, 1)],  # crosses itself
        [(0, 0), (1, 0), (2, 0), (3, 0)],  # a line
        [(1, 1)] * 5,
        [(0, 0), (np.nan, 0), (1, 1), (0.2, 0.2), (0, 1)],
        [(0, 0), (np.inf, 0), (1, 1), (0.2, 0.2), (0, 1)],
        [(0, 0), (2, 0), (0, 0), (2, 0), (0.5, 0.5), (0, 2)],
    ],
    ids=["crossing", "line", "point", "nan", "inf", "to and fro"],
)
def test_every_corner_of_an_ugly_polygon_is_used(shape):
    points = np.column_stack((shape, np.zeros(len(shape))))
    triangles, _ = triangulate(points, np.array([len(shape)]))
    assert len(triangles) == len(shape) - 2
    assert set(triangles.reshape(-1)) == set(range(len(shape)))


def test_no_polygons():
    triangles, polygon = triangulate(np.empty((0, 3)), np.empty(0, int))
    assert (triangles.shape, polygon.shape) == ((0, 3), (0,))


@pytest.mark.parametrize("textures", [False, True])
def test_concave_polygons_in_a_file(tmp_path, textures):
    lines = [f"v {x} {y} 0\nvt {x / 8} {y / 8}\n" for x, y in COMB]
    words = [f"{number}/{number}" for number in range(1, len(COMB) + 1)]
    (tmp_path / "a.obj").write_text("".join(lines) + f"f {' '.join(words)}\n")
    mesh = sr.read_mesh(tmp_path / "a.obj", textures=textures)
    areas = crosses(mesh.vertices, mesh.faces)[:, 2] / 2
    assert areas.min() >= 0
    assert areas.sum() == pytest.approx(12)
    if textures:
        np.testing.assert_array_equal(mesh.face_uvs * 8, mesh.vertices[mesh.faces][..., :2])
