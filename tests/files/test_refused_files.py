"""Files and paths that are refused, and in which words."""

import json

import numpy as np
import pytest
import trimesh
from small_meshes import CORNERS, written

from taichi_softras.files.mesh_files import read_mesh


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
    "large": ("v 0 0 1e999\nv 1 0 0\nv 1 1 0\nf 1 2 3\n", r"a\.obj': vertices must be finite"),
    "high index": (
        "v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 4\n",
        r"be readable as OBJ, got '.*a\.obj': a face must have vertices up to 3, got 4",
    ),
    "low index": ("v 0 0 0\nv 1 0 0\nv 1 1 0\nf -4 2 3\n", "vertices from 1, or from -3 on"),
    "index 0": ("v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 0\n", "vertices from 1, or from -3 on"),
    "words": (
        "v a b c\nv 1 0 0\nv 1 1 0\nf 1 2 3\n",
        "as OBJ.*: must have a number, got",
    ),
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
    with pytest.raises(ValueError, match=r"as GLTF, got '.*a\.gltf': there is no file"):
        read_mesh(path)
