"""Formats of mesh files: what reads and writes each, and the meshes made of what is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.arrays.user_warnings import warn_user
from taichi_softras.files._ac3d_reader import read_ac3d
from taichi_softras.files._file_mesh import (
    FileMesh,
    complete_materials,
    mean_colors,
    share_repeated,
    split_creases,
    split_vertices,
)
from taichi_softras.files._gltf_reader import read_gltf
from taichi_softras.files._gltf_writer import glb_bytes
from taichi_softras.files._obj_reader import read_obj
from taichi_softras.files._obj_writer import obj_files
from taichi_softras.files._off_reader import read_off
from taichi_softras.files._ply_reader import read_ply
from taichi_softras.files._ply_writer import ply_bytes
from taichi_softras.files._stl_reader import read_stl
from taichi_softras.files._words import FormatError
from taichi_softras.meshes._host_arrays import fits_singles
from taichi_softras.meshes.mesh import Mesh

PLAIN_READERS = {".obj": read_obj, ".ac": read_ac3d, ".off": read_off, ".stl": read_stl}
"""Of formats in which vertices need not be there several times over."""

WELDING_READERS = {".ply": read_ply, ".glb": read_gltf, ".gltf": read_gltf}


def read_file(path: Path, suffix: str, *, weld: bool = False, creases: bool = False) -> FileMesh:
    """Read what a file says of a mesh, before one is made of it.

    Args:
        path: The file.
        suffix: What it is, one of `mesh_files.READABLE`.
        weld: Whether vertices become one that a file has several times over for the sake of
            texture coordinates or materials.
        creases: Whether normals tell vertices apart.

    Raises:
        ValueError: If it does not parse.
    """
    try:
        with np.errstate(all="ignore"):  # of numbers that are refused later
            if suffix in WELDING_READERS:
                return WELDING_READERS[suffix](path, weld=weld, creases=creases)
            found = PLAIN_READERS[suffix](path)
    except FormatError as error:
        reason = str(error)
    except MemoryError:
        reason = "it does not fit into memory"
    except OSError:
        raise
    except Exception:  # what a reader met that it did not expect is of no use to who reads a mesh
        reason = "it is damaged"
    else:
        found = share_repeated(found, creases=creases)
        return found if creases else found._replace(corner_normals=None)
    kind = suffix[1:].upper()
    raise ValueError(f"file must be readable as {kind}, got {str(path)!r}: {reason}")


def warn_of_problems(path: Path, found: FileMesh) -> None:
    """Warn of what is done without."""
    for problem in found.problems:
        warn_user(f"{str(path)!r}: {problem}")


def encode(mesh: Mesh, suffix: str, name: str) -> dict[str, bytes]:
    """Encode a mesh as files.

    Args:
        mesh: The mesh.
        suffix: What is made, one of `mesh_files.WRITABLE`.
        name: Of the file, without its suffix.

    Returns:
        Contents by the names of files beside it; by "", its own.
    """
    if suffix == ".obj":
        return obj_files(mesh, name)
    return {"": ply_bytes(mesh) if suffix == ".ply" else glb_bytes(mesh)}


def colored(found: FileMesh) -> Mesh:
    """Make the mesh whose vertices have the colours of the file, without textures."""
    vertices, faces, colors = split_vertices(found)
    return Mesh(_rounded(vertices), faces, colors)


def textured(found: FileMesh) -> Mesh:
    """Make the mesh that has the file's texture coordinates, materials and images."""
    found = split_creases(found)
    materials, face_materials = complete_materials(found)
    return Mesh(
        _rounded(found.vertices),
        found.faces,
        mean_colors(found),
        face_uvs=np.nan_to_num(found.face_uvs) if np.isfinite(found.face_uvs).any() else None,
        face_materials=face_materials,
        materials=materials,
    )


def _rounded(vertices: NDArray[Any]) -> NDArray[Any]:
    """Round positions to float32, unless that would show."""
    with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
        return vertices.astype(np.float32) if fits_singles(vertices) else vertices
