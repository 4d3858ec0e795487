"""Reading meshes from files, and writing them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._ac3d_reader import read_ac3d
from taichi_softras.files._file_mesh import (
    FileMesh,
    complete_materials,
    mean_colors,
    split_vertices,
)
from taichi_softras.files._gltf_writer import glb_bytes
from taichi_softras.files._obj_reader import read_obj
from taichi_softras.files._obj_writer import obj_files
from taichi_softras.files._ply_writer import ply_bytes
from taichi_softras.files.paths import whole_file
from taichi_softras.meshes.mesh import Mesh

READABLE = (".obj", ".ply", ".off", ".stl", ".glb", ".gltf", ".ac")
WRITABLE = (".obj", ".ply", ".glb")
OWN_READERS = {".obj": read_obj, ".ac": read_ac3d}
"""Of the formats that trimesh does not read, or not well."""


def read_mesh(path: str | PathLike[str], *, textures: bool = False) -> Mesh:
    """Read a mesh from an OBJ, PLY, OFF, STL, GLB, glTF or AC3D (.ac) file.

    All of the file's faces become one mesh, in its own frame and units: those of a scene where
    the scene has them, polygons cut into triangles, degenerate and repeated faces included. In
    OBJ and AC3D files polygons may be concave; in others they are cut around their first corner.

    A corner of a face has the colour that the file gives the vertex; else that of the texture at
    its texture coordinates, nearest texel; else its material's or face's; else grey. In glTF all
    of these are multiplied, and in AC3D the texture and the material; in OBJ a texture takes the
    place of ``Kd``. Values are taken as they are, also those of glTF, which are linear, and those
    of textures, which are not. OFF and STL files are grey. Opacity is left out: alpha, ``d``,
    ``map_d`` and ``trans``; so are the other maps of a material, and transformations of texture
    coordinates, but for those of AC3D.

    Vertices are those of the file, in its order, also those of no face. Corners of an STL file
    at one place are one vertex.

    - Without ``textures``, a vertex between faces of several colours is split, one for each. So
      is one to which an OBJ file gives several normals, as at a crease. What is split off follows
      the file's vertices.
    - With ``textures``, the mesh has the texture coordinates, materials and images of the file,
      and nothing is split: the colour of a vertex is the mean of its corners'. Where the file
      itself has vertices more than once for the sake of these, as glTF must, those with the same
      position, normal and colour become one. Faces without a material get one in the mean of
      their colours if others have one; materials of no face are left out. Where both the vertices
      and the material of a face have a colour, ``materials`` has that of the material alone.

    Args:
        path: The file. Its suffix says what it is. A material file or a texture that is missing
            or damaged is done without; one that a file names by a path that is not there is also
            looked for beside that file.
        textures: Whether to keep textures and materials.

    Returns:
        The mesh, in float32, with at least one face.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If its suffix is another, it does not parse, it has no faces, or a vertex,
            a colour of it or a texture coordinate is not finite.
    """
    path = Path(path)
    _check_suffix(path, READABLE)
    if not path.exists():
        raise FileNotFoundError(f"path must be that of a file that exists, got {str(path)!r}")
    with path.open("rb") as file:  # a file that may not be opened is no fault of its content
        if not file.read(1):
            raise ValueError(f"file must hold a mesh, got {str(path)!r}, which is empty")
    try:
        with _quiet():
            own_reader = OWN_READERS.get(path.suffix.lower())
            if own_reader is None:
                from taichi_softras.files._scene_reader import read_scene  # its trimesh takes long

                found = read_scene(path, weld=textures)
            else:
                found = own_reader(path)
    except Exception as error:  # trimesh raises all kinds at a file that does not parse
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"file must be readable as {path.suffix[1:].upper()}, got {str(path)!r} ({reason})"
        ) from error
    if not len(found.faces):
        raise ValueError(f"file must have faces, got {str(path)!r}, which has none")
    try:
        return _textured(found) if textures else _colored(found)
    except ValueError as error:
        raise ValueError(f"file must hold a mesh, got {str(path)!r}: {error}") from error


def write_mesh(mesh: Mesh, path: str | PathLike[str]) -> None:
    """Write a mesh as an OBJ, PLY or GLB file, whole or not at all.

    - OBJ: positions and colours with all their digits, colours as ``v x y z r g b``, which not
      all programs read. Of ``a.obj``, materials go into ``a.mtl`` and images into ``a_0.png``
      and so on, beside it; files of these names are replaced.
    - PLY: positions with all their digits, colours of vertices in 8 bits. No materials.
    - GLB: positions and normals in float32, colours in float32. Images are inside. There is one
      primitive per material, so faces are grouped by material, and vertices on a seam repeated,
      which `read_mesh` undoes with ``textures``.

    Colours are clipped to between 0 and 1, and images have 8 bits per channel. Where a mesh has
    materials, OBJ and GLB files have no colours of vertices: other programs would multiply the
    two. In OBJ the colour of a material with an image is multiplied into the image, as not all
    programs do. Materials without a name, or with that of another, are given one.

    Args:
        mesh: The mesh.
        path: The file, whose suffix says what it becomes. One that exists is replaced.

    Raises:
        TypeError: If ``mesh`` is no `Mesh`.
        ValueError: If the suffix is another, or a GLB file were to have no faces.
        FileNotFoundError: If the folder does not exist.
    """
    if not isinstance(mesh, Mesh):
        raise TypeError(f"mesh must be a Mesh, got {type(mesh).__name__}")
    path = Path(path)
    _check_suffix(path, WRITABLE)
    suffix = path.suffix.lower()
    if suffix == ".obj":
        files = obj_files(mesh, path.stem)
    else:
        files = {"": ply_bytes(mesh) if suffix == ".ply" else glb_bytes(mesh)}
    with ExitStack() as stack:
        # They take their places in the reverse order, so the mesh does after what it names.
        for name, content in files.items():
            unfinished = stack.enter_context(whole_file(path.with_name(name) if name else path))
            unfinished.write_bytes(content)


def _colored(found: FileMesh) -> Mesh:
    vertices, faces, colors = split_vertices(found)
    return Mesh(_float32(vertices), faces, colors)


def _textured(found: FileMesh) -> Mesh:
    materials, face_materials = complete_materials(found)
    return Mesh(
        _float32(found.vertices),
        found.faces,
        mean_colors(found),
        face_uvs=np.nan_to_num(found.face_uvs) if np.isfinite(found.face_uvs).any() else None,
        face_materials=face_materials,
        materials=materials,
    )


def _float32(values: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused as infinite
        return values.astype(np.float32)


def _check_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"path must end in one of {', '.join(suffixes)}, got {str(path)!r}")


@contextmanager
def _quiet() -> Iterator[None]:
    # trimesh and Pillow remark on what they can do without. What cannot be done without is
    # raised, here or by the caller.
    logger = logging.getLogger("trimesh")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL)  # its children's too, as they have none of their own
        try:
            yield
        finally:
            logger.setLevel(level)
