import numpy as np
import pytest
import trimesh

from taichi_softras.meshes.primitives import cube, icosphere, plane, teapot, torus
from taichi_softras.meshes.utah_teapot import patches, tessellate

SHAPES = {
    "icosphere": icosphere(),
    "icosahedron": icosphere(subdivisions=0),
    "cube": cube(),
    "torus": torus(),
    "small torus": torus(2, 1, major_segments=3, minor_segments=3),
    "plane": plane(segments=3),
    "teapot": teapot(),
    "coarse teapot": teapot(segments=2),
}
CLOSED = {"icosphere": 2, "icosahedron": 2, "cube": 2, "torus": 0, "small torus": 0}


def geometry(mesh):
    return trimesh.Trimesh(mesh.vertices.astype(np.float64), mesh.faces, process=False)


def boundary_edges(mesh):
    edges = np.sort(geometry(mesh).edges, axis=1)
    found, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() == 2, "an edge with more than two faces"
    return found[counts == 1]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_shape_is_clean(shape):
    assert shape.vertices.dtype == np.float32
    assert len(np.unique(shape.vertices, axis=0)) == shape.num_vertices
    assert len(np.unique(shape.faces)) == shape.num_vertices
    assert geometry(shape).area_faces.min() > 1e-7
    assert len(np.unique(np.sort(shape.faces, axis=1), axis=0)) == shape.num_faces
    assert geometry(shape).is_winding_consistent


# The small torus is a triangle from above.
@pytest.mark.parametrize("name", sorted(SHAPES.keys() - {"small torus"}))
def test_every_shape_is_centred(name):
    vertices = SHAPES[name].vertices
    np.testing.assert_allclose(vertices.min(axis=0), -vertices.max(axis=0), atol=1e-6)


@pytest.mark.parametrize("name", CLOSED)
def test_closed_shapes(name):
    found = geometry(SHAPES[name])
    assert found.is_watertight
    assert found.euler_number == CLOSED[name]
    assert found.volume > 0  # outward


@pytest.mark.parametrize("name", ["icosphere", "cube", "torus", "plane"])
def test_shapes_are_grey(name):
    np.testing.assert_array_equal(SHAPES[name].colors, np.float32(0.7))


def test_icosphere():
    sphere = icosphere(subdivisions=4, radius=2.0)
    assert sphere.num_faces == 20 * 4**4
    np.testing.assert_allclose(np.linalg.norm(sphere.vertices, axis=1), 2, rtol=1e-6)
    assert geometry(sphere).area == pytest.approx(4 * np.pi * 2**2, rel=5e-3)
    assert geometry(sphere).volume == pytest.approx(4 / 3 * np.pi * 2**3, rel=1e-2)
    assert np.abs(icosphere().vertices).max() == 0.5


def test_cube():
    box = cube(side=3)
    assert (box.num_vertices, box.num_faces) == (8, 12)
    np.testing.assert_array_equal(np.abs(box.vertices), 1.5)
    assert geometry(box).area == pytest.approx(6 * 3**2)


def test_torus():
    ring = torus(2.0, 0.5, major_segments=96, minor_segments=48)
    assert (ring.num_vertices, ring.num_faces) == (96 * 48, 2 * 96 * 48)
    x, y, z = ring.vertices.T
    np.testing.assert_allclose(np.hypot(np.hypot(x, z) - 2, y), 0.5, rtol=1e-5)  # around y
    assert geometry(ring).area == pytest.approx(4 * np.pi**2 * 2 * 0.5, rel=5e-3)
    assert geometry(ring).volume == pytest.approx(2 * np.pi**2 * 2 * 0.5**2, rel=1e-2)
    np.testing.assert_allclose(torus().vertices.max(axis=0), [0.5, 0.15, 0.5], rtol=1e-6)


def test_plane():
    square = plane(side=3.0, segments=4)
    assert (square.num_vertices, square.num_faces) == (25, 32)
    assert geometry(square).area == pytest.approx(9)
    np.testing.assert_allclose(geometry(square).face_normals, [[0, 0, 1]] * 32)
    np.testing.assert_array_equal(square.vertices.max(axis=0), [1.5, 1.5, 0])
    assert len(boundary_edges(square)) == 4 * 4


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: icosphere(-1), ValueError, "subdivisions must be at least 0, got -1"),
        (lambda: icosphere(1.5), TypeError, "subdivisions must be an int, got 1.5"),
        (lambda: icosphere(radius=0), ValueError, "radius must be above 0, got 0"),
        (lambda: icosphere(radius="1"), TypeError, "radius must be a number, got '1'"),
        (lambda: cube(-1), ValueError, "side must be above 0, got -1"),
        (lambda: cube(float("nan")), ValueError, "side must be finite, got nan"),
        (lambda: torus(0.1, 0.2), ValueError, "need 0 < minor_radius < major_radius, got min"),
        (lambda: torus(0.1, 0.0), ValueError, "got minor_radius=0.0, major_radius=0.1"),
        (lambda: torus("1"), TypeError, "major_radius must be a number, got '1'"),
        (lambda: torus(minor_radius=None), TypeError, "minor_radius must be a number, got None"),
        (lambda: torus(major_segments=2), ValueError, "major_segments must be at least 3, got 2"),
        (lambda: torus(minor_segments=2), ValueError, "minor_segments must be at least 3, got 2"),
        (lambda: plane(0), ValueError, "side must be above 0, got 0"),
        (lambda: plane(segments=0), ValueError, "segments must be at least 1, got 0"),
        (lambda: teapot(1), ValueError, "segments must be at least 2, got 1"),
        (lambda: teapot(True), TypeError, "segments must be an int, got True"),
    ],
)
def test_refusals(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_sizes_may_be_of_numpy():
    """Of few bits, too: 100 segments times 2 is not -56."""
    wheel = torus(np.float32(0.8), np.float64(0.2), np.int8(100), np.uint8(3))
    assert (wheel.vertices == torus(float(np.float32(0.8)), 0.2, 100, 3).vertices).all()
    assert (plane(np.float32(2), np.int8(20)).faces == plane(2.0, 20).faces).all()
    assert icosphere(np.int64(1)).num_faces == 80


# The teapot


def test_the_teapot_has_newell_s_measures():
    points = np.concatenate([tessellate(patch, 64).reshape(-1, 3) for _, patch in patches()])
    low, high = points.min(axis=0), points.max(axis=0)
    # The handle's and the spout's outermost control points are not on the surface.
    np.testing.assert_allclose(low, [-3, -2, 0], atol=2e-3)
    np.testing.assert_allclose(high, [3.434, 2, 3.15], atol=2e-3)
    assert len(patches()) == 32


@pytest.mark.parametrize(
    ("part", "radius", "height"),
    [
        ("rim", 1.4, 2.4),
        ("rim", 1.5, 2.4),
        ("upper body", 1.5, 2.4),
        ("upper body", 2.0, 0.9),
        ("lower body", 1.5, 0.15),
        ("bottom", 0.0, 0.0),
        ("knob", 0.0, 3.15),
        ("knob", 0.2, 2.7),
        ("lid", 1.3, 2.4),
    ],
)
def test_points_of_the_teapot_s_profile_are_on_it(part, radius, height):
    points = np.concatenate(
        [tessellate(p, 16).reshape(-1, 3) for name, p in patches() if name == part]
    )
    there = points[np.abs(points[:, 2] - height) < 1e-9]
    found = np.hypot(there[:, 0], there[:, 1])
    # Four cubics pass for a circle, to within half a percent (their shoulder is 0.56).
    close = there[np.abs(found - radius) <= 0.005 * radius + 1e-9]
    directions = np.unique(np.round(np.degrees(np.arctan2(close[:, 1], close[:, 0]))))
    assert len(close) >= 4 * 16
    assert radius == 0 or len(directions) >= 4 * 16


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        (4, 8, "body"),
        (16, 20, "lid"),
        (24, 26, "handle"),
        (25, 27, "handle"),
        (28, 30, "spout"),
        (29, 31, "spout"),
    ],
)
def test_the_teapot_s_patches_meet_smoothly(first, second, name):
    # Newell drew each of these pairs as one curve: across their seam a column of control points
    # goes on in the same direction. Most wrong numbers near one would show as a kink.
    (before_name, before), (after_name, after) = patches()[first], patches()[second]
    assert name in after_name
    assert name in before_name or before_name == "knob"
    np.testing.assert_array_equal(before[3], after[0])
    arriving, leaving = before[3] - before[2], after[1] - after[0]
    np.testing.assert_allclose(np.cross(arriving, leaving), 0, atol=1e-12)
    assert ((arriving * leaving).sum(axis=-1) > 0).all()


def test_the_teapot_s_area():
    # Found with the tables as they are here, so that no number of theirs changes unseen.
    assert geometry(teapot(segments=8)).area == pytest.approx(1.26945576, rel=1e-6)


def test_the_teapot_is_upright_in_the_unit_box():
    mesh = teapot(segments=32)
    size = np.ptp(mesh.vertices, axis=0)
    np.testing.assert_allclose(size, np.array([6.434, 3.15, 4]) / 6.434, atol=1e-3)
    x, y, _ = mesh.vertices.T
    assert np.abs(mesh.vertices).max() == 0.5
    assert abs(x[y.argmax()]) < 0.1  # the knob is on top, over the middle
    assert y[x.argmax()] > y[x.argmin()]  # the spout ends above where the handle does


def loops(edges):
    return trimesh.graph.connected_components(edges)


@pytest.mark.parametrize("segments", [2, 3, 8])
def test_the_teapot_is_open_only_where_it_should_be(segments):
    mesh = teapot(segments)
    # The rim's and the lid's edge, the handle's two ends and the spout's: three are circles of
    # four patches, or two, and each loop is whole.
    lengths = sorted(len(loop) for loop in loops(boundary_edges(mesh)))
    assert lengths == sorted([4 * segments] * 2 + [2 * segments] * 4)
    parts = geometry(mesh).split(only_watertight=False, repair=False)
    # Body with rim and bottom, a disc; the lid, a disc; the handle and the spout, tubes.
    assert sorted(part.euler_number for part in parts) == [0, 0, 1, 1]


def test_the_teapot_s_faces_are_those_of_its_patches_less_two_poles():
    assert teapot(segments=5).num_faces == 32 * 5 * 5 * 2 - 2 * 4 * 5


def test_the_teapot_faces_outward():
    # From the outside each part is seen from its front: normals point away from the axis of
    # the body and lid, and from the middle of each cross-section of handle and spout.
    for name, patch in patches():
        grid = tessellate(patch, 8)
        center = grid[3:5, 3:5]
        along = center[1, 0] - center[0, 0]
        across = center[0, 1] - center[0, 0]
        normal = np.cross(across, along)
        if name in ("handle", "spout"):
            outward = np.sign(grid[4, 4, 1]) * np.array([0.0, 1.0, 0.0])
        elif name in ("rim", "lid"):
            outward = np.array([0.0, 0.0, 1.0])
        elif name == "bottom":
            outward = np.array([0.0, 0.0, -1.0])
        else:
            outward = grid[4, 4] * (1, 1, 0)
        assert normal @ outward > 0, name
    for part in geometry(teapot()).split(only_watertight=False, repair=False):
        # Its boundary is small or flat, so the sign of its volume about its middle is telling.
        part.vertices -= part.bounds.mean(axis=0)
        assert part.volume > 0


def test_the_teapot_has_two_tones():
    mesh = teapot()
    tones = np.unique(mesh.colors, axis=0)
    assert len(tones) == 2
    assert tones.min() >= 0
    assert tones.max() <= 1
    on_top = mesh.vertices[:, 1] == mesh.vertices[:, 1].max()
    at_bottom = mesh.vertices[:, 1] == mesh.vertices[:, 1].min()
    assert not np.array_equal(mesh.colors[on_top][0], mesh.colors[at_bottom][0])
