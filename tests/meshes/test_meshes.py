import dataclasses
import json

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from taichi_softras.files.mesh_files import read_mesh, write_mesh
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.primitives import cube
from taichi_softras.meshes.rows import group_rows

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=np.float32)
RED, GREEN, BLUE = np.eye(3)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def random_mesh(rng, dtype=np.float32):
    """A mesh of floats with all their digits, and a vertex of no face."""
    return Mesh(
        (rng.normal(size=(20, 3)) * 10.0 ** rng.integers(-3, 4, size=(20, 1))).astype(dtype),
        rng.integers(0, 19, size=(30, 3)),
        rng.random((20, 3)),
    )


def written(path, text):
    path.write_text(text)
    return path


def triangles(mesh):
    return mesh.vertices[mesh.faces]


def assert_grey(mesh):
    np.testing.assert_array_equal(mesh.colors, np.float32(0.7))


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
def test_normalized(dtype, rng):
    for _ in range(20):
        mesh = Mesh(
            rng.normal(size=(9, 3)).astype(dtype) * 1e3 + 5, [[0, 1, 2]], rng.random((9, 3))
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


def test_with_vertices_and_with_colors(rng):
    mesh = random_mesh(rng)
    moved = mesh.with_vertices(mesh.vertices + 1)
    np.testing.assert_array_equal(moved.vertices, mesh.vertices + 1)
    np.testing.assert_array_equal(moved.colors, mesh.colors)
    painted = mesh.with_colors(np.zeros((20, 3)))
    np.testing.assert_array_equal(painted.vertices, mesh.vertices)
    assert not painted.colors.any()
    assert_grey(mesh.with_colors(None))
    with pytest.raises(ValueError, match=r"colors must have shape \(19, 3\), got \(20, 3\)"):
        mesh.with_vertices(mesh.vertices[:19])


# Writing


def test_obj_round_trip_is_exact(tmp_path, rng):
    mesh = random_mesh(rng)
    write_mesh(mesh, tmp_path / "a.obj")
    found = read_mesh(tmp_path / "a.obj")
    for name in ("vertices", "faces", "colors"):
        np.testing.assert_array_equal(getattr(found, name), getattr(mesh, name))


def test_ply_round_trip(tmp_path, rng):
    mesh = random_mesh(rng)
    write_mesh(mesh, str(tmp_path / "a.PLY"))
    found = read_mesh(tmp_path / "a.PLY")
    np.testing.assert_array_equal(found.vertices, mesh.vertices)
    np.testing.assert_array_equal(found.faces, mesh.faces)
    np.testing.assert_allclose(found.colors, mesh.colors, rtol=0, atol=0.5 / 255 + 1e-6)


def test_float64_is_written_with_all_digits(tmp_path, rng):
    mesh = random_mesh(rng, np.float64)
    for name in ("a.obj", "a.ply"):
        write_mesh(mesh, tmp_path / name)
        loaded = trimesh.load(tmp_path / name, process=False, maintain_order=True)
        np.testing.assert_array_equal(loaded.vertices, mesh.vertices)


@pytest.mark.parametrize("suffix", [".obj", ".ply"])
def test_colors_are_clipped(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_mesh(Mesh(CORNERS[:3], [[0, 1, 2]], [[-1, 0, 2], [0, 1, 0], [1, 1, 1]]), path)
    np.testing.assert_array_equal(read_mesh(path).colors, [BLUE, GREEN, [1, 1, 1]])


@pytest.mark.parametrize("suffix", [".obj", ".ply"])
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a{suffix}"
    write_mesh(cube(), path)
    before = path.read_bytes()

    def write_half(self, content):
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError("no space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", write_half)
    with pytest.raises(OSError, match="no space left"):
        write_mesh(cube(side=2), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_refusals_of_write_mesh(tmp_path):
    with pytest.raises(ValueError, match=r"must end in one of \.obj, \.ply, \.glb, got 'a\.stl'"):
        write_mesh(cube(), "a.stl")
    with pytest.raises(TypeError, match="mesh must be a Mesh, got ndarray"):
        write_mesh(CORNERS, tmp_path / "a.obj")
    with pytest.raises(FileNotFoundError, match="path must be in a folder that exists"):
        write_mesh(cube(), tmp_path / "missing" / "a.obj")


# Reading: every format


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".off", ".stl", ".glb", ".gltf", ".STL"])
def test_every_format(tmp_path, suffix, recwarn, caplog, capfd):
    path = tmp_path / f"box{suffix}"
    box = trimesh.creation.box(extents=(1, 2, 4))
    if suffix == ".gltf":
        for name, content in trimesh.exchange.gltf.export_gltf(box.scene()).items():
            (tmp_path / (path.name if name.endswith(".gltf") else name)).write_bytes(content)
    else:
        box.export(path)
    caplog.clear()
    mesh = read_mesh(path)
    assert (mesh.num_vertices, mesh.num_faces) == (8, 12)
    assert mesh.vertices.dtype == np.float32
    np.testing.assert_array_equal(np.ptp(mesh.vertices, axis=0), [1, 2, 4])
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).volume == pytest.approx(8)
    assert_grey(mesh)
    assert not recwarn.list
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("num_solids", [1, 2])
def test_ascii_stl_is_welded_in_each_solid(tmp_path, num_solids):
    facet = "facet normal 0 0 0\nouter loop\n{}endloop\nendfacet\n"
    a, b, c, d = (f"vertex {x} {y} 0\n" for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)))
    solids = [facet.format(a + b + c), facet.format(b + d + c)]
    text = "".join(f"solid x{i}\n{''.join(solids)}endsolid x{i}\n" for i in range(num_solids))
    mesh = read_mesh(written(tmp_path / "a.stl", text))
    assert (mesh.num_vertices, mesh.num_faces) == (4 * num_solids, 2 * num_solids)


def test_stl_is_welded_exactly(tmp_path):
    close = np.float32([[0, 0, 0], [1e-12, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 0], [1, 1, 0]])
    path = tmp_path / "a.stl"
    trimesh.Trimesh(close, [[0, 1, 2], [3, 4, 5]], process=False).export(path)
    assert read_mesh(path).num_vertices == 4


def test_faces_that_are_degenerate_or_repeated_are_kept(tmp_path):
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 9 9 9\nf 1 2 3\nf 1 2 3\nf 1 1 2\n"
    mesh = read_mesh(written(tmp_path / "a.obj", text))
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 1, 2], [0, 0, 1]])
    assert mesh.num_vertices == 4
    off = "OFF\n4 3 0\n0 0 0\n1 0 0\n0 1 0\n9 9 9\n3 0 1 2\n3 0 1 2\n3 0 0 1\n"
    from_off = read_mesh(written(tmp_path / "a.off", off))
    np.testing.assert_array_equal(from_off.faces, mesh.faces)
    np.testing.assert_array_equal(from_off.vertices, mesh.vertices)


POLYGONS = {
    "quad": "f 1 2 3 4\n",
    "quads": "f 1 2 3 4\nf 2 3 4 5\n",
    "pentagon": "f 1 2 3 4 5\n",
    "mixed": "f 1 2 3 4\nf 1 4 5\n",
    "mixed with coordinates": "f 1/1 2/1 3/1 4/1\nf 1/1 4/1 5/1\n",
    "hexagons with normals": "f 1//1 2//1 3//1 4//1 5//1 6//1\n" * 2,
}


@pytest.mark.parametrize("faces", POLYGONS.values(), ids=POLYGONS)
def test_obj_polygons_are_cut_into_triangles(tmp_path, faces):
    angles = np.arange(6) * np.pi / 3
    ring = np.column_stack((np.cos(angles), np.sin(angles), 0 * angles))
    lines = [f"v {x:.9f} {y:.9f} {z}\n" for x, y, z in ring]
    text = "".join(lines) + "vt 0 0\nvn 0 0 1\n" + faces
    mesh = read_mesh(written(tmp_path / "a.obj", text))
    expected, area = 0, 0.0
    for line in faces.splitlines():
        corners = ring[[int(word[0]) - 1 for word in line.split()[1:]]]
        expected += len(corners) - 2
        x, y, _ = corners.T
        area += (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2
    assert mesh.num_faces == expected
    a, b, c = np.moveaxis(triangles(mesh), 1, 0)
    np.testing.assert_allclose(np.cross(b - a, c - a)[:, 2].sum() / 2, area, rtol=1e-6)


def test_ply_and_off_quads_are_cut_into_triangles(tmp_path):
    off = written(tmp_path / "a.off", "OFF\n4 1 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n")
    ply = written(
        tmp_path / "a.ply",
        "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
        "property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
        "0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n",
    )
    for path in (off, ply):
        mesh = read_mesh(path)
        assert (mesh.num_vertices, mesh.num_faces) == (4, 2)
        assert trimesh.Trimesh(mesh.vertices, mesh.faces).area == pytest.approx(1)


def test_obj_indices_from_the_end_count_from_where_they_stand(tmp_path):
    text = (
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf -3/-1 -2/-1 -1/-1\n"
        "v 5 0 0\nv 6 0 0\nv 5 1 0\nvt 1 1\nf -3/-1 -2/2 -1/-1\n"
    )
    found = triangles(read_mesh(written(tmp_path / "a.obj", text)))
    first = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(found, [first, first + np.array([5, 0, 0])])


def test_obj_normals_split_vertices_at_creases_only(tmp_path):
    # Three triangles along a strip. The normals of the first two differ in number only.
    text = (
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nv 0 2 0\nvn 0 0 1\nvn 0 0 1\nvn 1 0 0\n"
        "f 1//1 2//1 3//1\nf 3//2 2//2 4//2\nf 3//3 4//3 5//3\n"
    )
    mesh = read_mesh(written(tmp_path / "a.obj", text))
    assert mesh.num_vertices == 4 + 3
    assert set(mesh.faces[0]) & set(mesh.faces[1])
    assert not set(mesh.faces[1]) & set(mesh.faces[2])


# Reading: colours


def test_obj_vertex_colors(tmp_path):
    text = "v 0 0 0 1 0 0\nv 1 0 0 0 0.1 0\nv 0 1 0 0 0 1\nf 1 2 3\n"
    mesh = read_mesh(written(tmp_path / "a.obj", text))
    np.testing.assert_array_equal(mesh.colors, np.float32([RED, GREEN * 0.1, BLUE]))


def test_obj_vertex_colors_of_8_bits(tmp_path):
    text = "v 0 0 0 255 0 0\nv 1 0 0 0 51 0\nv 0 1 0 0 0 1\nf 1 2 3\n"
    mesh = read_mesh(written(tmp_path / "a.obj", text))
    np.testing.assert_allclose(mesh.colors, [RED, GREEN * 0.2, BLUE / 255], rtol=1e-6)


SQUARE_OBJ = (
    "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
    "vt 0.25 0.25\nvt 0.75 0.25\nvt 0.75 0.75\nvt 0.25 0.75\n"
    "usemtl one\nf 1/1 2/2 3/3\nusemtl two\nf 1/1 3/3 4/4\n"
)


def test_obj_materials_color_their_faces(tmp_path):
    # The file is in Latin-1, as old ones are.
    mtl = "# couleur orang\xe9e\nnewmtl one\nKd 1 0.2 0\nnewmtl two\nKd 0.4 0.4 0.4\n"
    (tmp_path / "a.mtl").write_bytes(mtl.encode("latin-1"))
    mesh = read_mesh(written(tmp_path / "a.obj", SQUARE_OBJ))
    assert mesh.num_faces == 2
    np.testing.assert_array_equal(mesh.faces[0], [0, 1, 2])  # in the order of the file
    np.testing.assert_allclose(mesh.colors[mesh.faces[0]], [[1, 0.2, 0]] * 3, atol=1e-6)
    np.testing.assert_allclose(mesh.colors[mesh.faces[1]], [[0.4] * 3] * 3, atol=1e-6)


def test_obj_texture_is_sampled_at_the_vertices(tmp_path):
    # Eight pixels a side, a quarter of them each red, green, blue and white, row 0 on top.
    pixels = np.array([[RED, GREEN], [BLUE, [1, 1, 1]]]) * 255
    quarters = pixels.repeat(4, axis=0).repeat(4, axis=1).astype(np.uint8)
    Image.fromarray(quarters).save(tmp_path / "a.png")
    (tmp_path / "a.mtl").write_text(
        "newmtl one\nKd 0 0 0\nmap_Kd a.png\nnewmtl two\nmap_Kd a.png\n"
    )
    mesh = read_mesh(written(tmp_path / "a.obj", SQUARE_OBJ))
    colors = {tuple(v[:2]): tuple(c) for v, c in zip(mesh.vertices, mesh.colors)}
    assert colors == {(0, 0): (0, 0, 1), (1, 0): (1, 1, 1), (1, 1): (0, 1, 0), (0, 1): (1, 0, 0)}


def test_a_texture_seam_splits_a_vertex_only_where_colors_differ(tmp_path):
    Image.fromarray(np.uint8([[[255, 0, 0]] * 4 + [[0, 255, 0]] * 4] * 8)).save(tmp_path / "a.png")
    (tmp_path / "a.mtl").write_text("newmtl one\nmap_Kd a.png\n")
    text = (
        "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0.1 0.5\nvt 0.2 0.5\nvt 0.9 0.5\n"
        "usemtl one\nf 1/1 2/1 3/1\nf 1/2 3/3 4/2\n"
    )
    mesh = read_mesh(written(tmp_path / "a.obj", text))
    assert mesh.num_vertices == 5
    np.testing.assert_array_equal(mesh.colors[mesh.faces], [[RED] * 3, [RED, GREEN, RED]])


@pytest.mark.parametrize("mtl", [None, "", "newmtl one\nNs 3\n", "newmtl one\nmap_Kd no.png\n"])
def test_obj_without_its_materials_is_grey(tmp_path, mtl):
    if mtl is not None:
        (tmp_path / "a.mtl").write_text(mtl)
    mesh = read_mesh(written(tmp_path / "a.obj", SQUARE_OBJ))
    assert mesh.num_faces == 2
    assert_grey(mesh)


@pytest.mark.parametrize("image", [None, b"", b"not an image", "cut"])
def test_obj_without_its_texture_has_the_color_of_its_material(tmp_path, image):
    if image == "cut":
        noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "a.png")
        image = (tmp_path / "a.png").read_bytes()[:3000]
    if image is not None:
        (tmp_path / "a.png").write_bytes(image)
    (tmp_path / "a.mtl").write_text("newmtl one\nKd 0 0 1\nmap_Kd a.png\nnewmtl two\nKd 0 0 1\n")
    mesh = read_mesh(written(tmp_path / "a.obj", SQUARE_OBJ))
    np.testing.assert_array_equal(mesh.colors, [BLUE] * mesh.num_vertices)


def test_ply_face_colors_split_shared_vertices(tmp_path):
    path = tmp_path / "a.ply"
    shape = trimesh.Trimesh(CORNERS, [[0, 1, 2], [0, 2, 3]], process=False)
    shape.visual.face_colors = [[255, 0, 0, 255], [0, 0, 255, 255]]
    shape.export(path)
    mesh = read_mesh(path)
    assert mesh.num_vertices == 6
    np.testing.assert_array_equal(triangles(mesh), CORNERS[shape.faces])
    np.testing.assert_array_equal(mesh.colors[mesh.faces], [[RED] * 3, [BLUE] * 3])
    shape.visual.face_colors = [[255, 0, 0, 255]] * 2
    shape.export(path)
    np.testing.assert_array_equal(read_mesh(path).faces, shape.faces)


def test_ply_whose_texture_is_missing_is_grey(tmp_path, caplog):
    path = written(
        tmp_path / "a.ply",
        "ply\nformat ascii 1.0\ncomment TextureFile no.png\nelement vertex 3\nproperty float x\n"
        "property float y\nproperty float z\nproperty float s\nproperty float t\nelement face 1\n"
        "property list uchar int vertex_indices\nend_header\n"
        "0 0 0 0 0\n1 0 0 1 0\n0 1 0 0 1\n3 0 1 2\n",
    )
    assert_grey(read_mesh(path))
    assert not caplog.records


# Reading: scenes


def test_glb_vertex_colors(tmp_path):
    path = tmp_path / "a.glb"
    shape = trimesh.Trimesh(CORNERS[:3], [[0, 1, 2]], process=False)
    shape.visual.vertex_colors = [[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 51, 255]]
    shape.export(path)
    np.testing.assert_allclose(read_mesh(path).colors, [RED, GREEN, BLUE * 0.2], rtol=1e-6)


def textured(image, factor):
    material = PBRMaterial(baseColorFactor=factor, baseColorTexture=image)
    uv = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]
    visual = TextureVisuals(uv=uv, material=material)
    return trimesh.Trimesh(CORNERS[:3], [[0, 1, 2]], visual=visual, process=False)


def test_glb_materials(tmp_path):
    path = tmp_path / "a.glb"
    textured(None, [0, 255, 51, 255]).export(path)
    np.testing.assert_allclose(read_mesh(path).colors, [[0, 1, 0.2]] * 3, rtol=1e-6)
    textured(None, None).export(path)
    assert_grey(read_mesh(path))
    textured(Image.new("RGB", (4, 4), (255, 255, 0)), [51, 255, 255, 255]).export(path)
    np.testing.assert_allclose(read_mesh(path).colors, [[0.2, 1, 0]] * 3, rtol=1e-6)


def test_glb_vertex_colors_are_multiplied_with_the_material(tmp_path):
    path = tmp_path / "a.glb"
    shape = textured(None, [255, 51, 255, 255])
    shape.visual.vertex_attributes["color"] = np.uint8([[255, 255, 0, 255]] * 3)
    shape.export(path)
    np.testing.assert_allclose(read_mesh(path).colors, [[1, 0.2, 0]] * 3, rtol=1e-6)


def test_glb_scene_is_flattened(tmp_path):
    path = tmp_path / "a.glb"
    shape = trimesh.creation.box()
    scene = trimesh.Scene()
    turn = trimesh.transformations.rotation_matrix(np.pi / 2, [0, 0, 1])
    scene.add_geometry(shape, transform=np.diag([2.0, 4, 6, 1]), node_name="parent")
    child = trimesh.transformations.translation_matrix([10, 0, 0]) @ turn
    scene.add_geometry(shape, transform=child, parent_node_name="parent")
    mirror = trimesh.transformations.translation_matrix([0, 0, 50]) @ np.diag([-1.0, 1, 1, 1])
    scene.add_geometry(shape, transform=mirror)
    scene.export(path)
    mesh = read_mesh(path)
    assert (mesh.num_vertices, mesh.num_faces) == (24, 36)
    boxes = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).split()
    found = sorted((tuple(np.round(box.bounds.reshape(-1), 5)), box.volume) for box in boxes)
    # The parent's scale applies to what its child moved and turned.
    expected = [
        ((-1, -2, -3, 1, 2, 3), 48),
        ((-0.5, -0.5, 49.5, 0.5, 0.5, 50.5), 1),
        ((19, -2, -3, 21, 2, 3), 48),
    ]
    for (bounds, volume), (expected_bounds, expected_volume) in zip(found, sorted(expected)):
        np.testing.assert_allclose(bounds, expected_bounds, atol=1e-5)
        assert volume == pytest.approx(expected_volume)  # above 0: no box is inside out


def test_scene_keeps_the_colors_of_its_parts(tmp_path):
    first, second = textured(None, [255, 0, 0, 255]), textured(None, [0, 0, 255, 255])
    second.apply_translation([5, 0, 0])
    trimesh.Scene([first, second]).export(tmp_path / "a.glb")
    mesh = read_mesh(tmp_path / "a.glb")
    np.testing.assert_array_equal(mesh.colors, np.where(mesh.vertices[:, :1] < 3, RED, BLUE))


# Reading: refusals


def test_read_mesh_refuses_paths(tmp_path):
    suffixes = r"\.obj, \.ply, \.off, \.stl, \.glb, \.gltf, \.ac"
    with pytest.raises(ValueError, match=rf"path must end in one of {suffixes}, got 'a\.fbx'"):
        read_mesh("a.fbx")
    with pytest.raises(FileNotFoundError, match=r"path must be that of a file that exists, got '"):
        read_mesh(tmp_path / "a.obj")
    (tmp_path / "folder.obj").mkdir()
    with pytest.raises(IsADirectoryError):
        read_mesh(tmp_path / "folder.obj")


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".off", ".stl", ".glb", ".gltf", ".ac"])
@pytest.mark.parametrize("content", [b"nonsense", b"\x00\xff\xfe" * 99, b"\n"])
def test_read_mesh_refuses_nonsense(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"file must (be readable as|have faces).*broken\."):
        read_mesh(path)


@pytest.mark.parametrize("suffix", [".ply", ".off", ".stl", ".glb"])
def test_read_mesh_refuses_half_a_file(tmp_path, suffix):
    path = tmp_path / f"half{suffix}"
    trimesh.creation.icosphere(subdivisions=2).export(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"file must (be readable as|have faces).*half\."):
        read_mesh(path)


REFUSED_OBJ = {
    "empty": ("", r"file must hold a mesh, got '.*a\.obj', which is empty"),
    "points": ("v 0 0 0\nv 1 0 0\n", r"file must have faces, got '.*a\.obj', which has none"),
    "lines": ("v 0 0 0\nv 1 0 0\nl 1 2\n", "file must have faces"),
    "nan": ("v 0 0 nan\nv 1 0 0\nv 1 1 0\nf 1 2 3\n", r"a\.obj': vertices must be finite, got"),
    "inf": ("v 0 0 inf\nv 1 0 0\nv 1 1 0\nf 1 2 3\n", r"vertices .* \[0.0, 0.0, inf\] in row 0"),
    "large": ("v 0 0 1e99\nv 1 0 0\nv 1 1 0\nf 1 2 3\n", r"a\.obj': vertices must be finite"),
    "high index": (
        "v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 4\n",
        r"be readable as OBJ, got '.*a\.obj' \(",
    ),
    "low index": ("v 0 0 0\nv 1 0 0\nv 1 1 0\nf -4 2 3\n", "vertices from 1, or from -3 on"),
    "index 0": ("v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 0\n", "vertices from 1, or from -3 on"),
    "words": ("v a b c\nv 1 0 0\nv 1 1 0\nf 1 2 3\n", r"be readable as OBJ.*\(ValueError"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED_OBJ.values(), ids=REFUSED_OBJ)
def test_read_mesh_refuses_obj(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_mesh(written(tmp_path / "a.obj", text))


@pytest.mark.parametrize("suffix", [".ply", ".off", ".glb"])
def test_read_mesh_refuses_vertices_that_are_not_finite(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    vertices = CORNERS.copy()
    vertices[1, 1] = np.nan
    trimesh.Trimesh(vertices, [[0, 1, 2]], process=False).export(path)
    with pytest.raises(ValueError, match=r"file must (hold a mesh|be readable).*a\."):
        read_mesh(path)


def test_gltf_whose_buffer_is_missing_is_refused(tmp_path):
    files = trimesh.exchange.gltf.export_gltf(trimesh.creation.box().scene())
    tree = json.loads(files["model.gltf"])
    path = written(tmp_path / "a.gltf", json.dumps(tree))
    with pytest.raises(ValueError, match=r"file must be readable as GLTF, got '.*a\.gltf' \("):
        read_mesh(path)


def test_group_rows_agrees_with_numpy(rng):
    rows = rng.integers(0, 3, size=(200, 3)).astype(float)
    first, kind = group_rows(rows)
    _, expected = np.unique(rows, axis=0, return_index=True)
    np.testing.assert_array_equal(first, np.sort(expected))
    np.testing.assert_array_equal(rows[first][kind], rows)
    assert [len(found) for found in group_rows(np.empty((0, 3)))] == [0, 0]
