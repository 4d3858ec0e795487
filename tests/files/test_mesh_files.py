"""Mesh files of every format: written and read again, polygons, indices, vertices."""

import numpy as np
import pytest
import trimesh
from small_meshes import BLUE, CORNERS, GREEN, random_mesh, triangles, written

from taichi_softras.files.mesh_files import read_mesh, write_mesh
from taichi_softras.meshes.materials import GREY
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.primitives import cube


# Writing
def test_obj_round_trip_is_exact(tmp_path, numpy_rng):
    mesh = random_mesh(numpy_rng)
    write_mesh(mesh, tmp_path / "a.obj")
    found = read_mesh(tmp_path / "a.obj")
    for name in ("vertices", "faces", "colors"):
        np.testing.assert_array_equal(getattr(found, name), getattr(mesh, name))


def test_ply_round_trip(tmp_path, numpy_rng):
    mesh = random_mesh(numpy_rng)
    write_mesh(mesh, str(tmp_path / "a.PLY"))
    found = read_mesh(tmp_path / "a.PLY")
    np.testing.assert_array_equal(found.vertices, mesh.vertices)
    np.testing.assert_array_equal(found.faces, mesh.faces)
    np.testing.assert_allclose(found.colors, mesh.colors, rtol=0, atol=0.5 / 255 + 1e-6)


def test_float64_is_written_with_all_digits(tmp_path, numpy_rng):
    mesh = random_mesh(numpy_rng, np.float64)
    for name in ("a.obj", "a.ply"):
        write_mesh(mesh, tmp_path / name)
        loaded = trimesh.load(tmp_path / name, process=False, maintain_order=True)
        # Some versions of trimesh leave out vertices of no face.
        np.testing.assert_array_equal(loaded.vertices[loaded.faces], mesh.vertices[mesh.faces])


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
    bare = 1.0 if suffix in (".glb", ".gltf") else np.float32(GREY)  # as glTF has it
    np.testing.assert_array_equal(mesh.colors, bare)
    assert not recwarn.list
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("num_solids", [1, 2])
def test_ascii_stl_is_welded(tmp_path, num_solids):
    facet = "facet normal 0 0 0\nouter loop\n{}endloop\nendfacet\n"
    a, b, c, d = (f"vertex {x} {y} 0\n" for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)))
    solids = [facet.format(a + b + c), facet.format(b + d + c)]
    text = "".join(f"solid x{i}\n{''.join(solids)}endsolid x{i}\n" for i in range(num_solids))
    mesh = read_mesh(written(tmp_path / "a.stl", text))
    assert (mesh.num_vertices, mesh.num_faces) == (4, 2 * num_solids)


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
