"""Reading meshes from files, and writing them."""

from contextlib import ExitStack
from os import PathLike
from pathlib import Path

from taichi_softras.files.paths import whole_file
from taichi_softras.meshes.mesh import Mesh

WRITABLE = (".obj", ".ply", ".glb")

READABLE = (".obj", ".ply", ".off", ".stl", ".glb", ".gltf", ".ac")


def read_mesh(path: str | PathLike[str], *, textures: bool = False, creases: bool = True) -> Mesh:
    """Read a mesh from an OBJ, PLY, OFF, STL, GLB, glTF or AC3D (.ac) file.

    All of the file's faces become one mesh, in its own frame and units: those of a scene where
    the scene has them, polygons, concave ones too, cut into triangles, degenerate and repeated
    faces included. Of glTF 2.0, skins and morph targets are as the file has them at rest; Draco
    and meshoptimizer are read with the extra ``gltf``; what else a file requires is refused.

    A corner of a face has the colour that the file gives the vertex; else that of the texture at
    its texture coordinates, nearest texel; else its material's or face's; else grey, or in glTF
    white. In glTF all of these are multiplied, and in AC3D the texture and the material; in OBJ a
    texture takes the place of ``Kd``. Values are taken as they are, also those of glTF, which are
    linear, and those of textures, which are not. STL files are grey. Opacity is left out: alpha,
    ``d``, ``map_d`` and ``trans``; so are the other maps of a material.

    Vertices are those of the file, in its order, also those of no face. Corners of an STL file
    at one place are one vertex. A vertex to which an OBJ file gives several normals, as at a
    crease, is split, and what is split off follows the file's vertices; normals less than a
    degree apart count as one. Of vertices at one place with one normal and colour, which OBJ files
    may repeat for each face, faces have the first: a surface is as round as its normals say, and
    one without normals holds together where vertices are shared. Light comes from the faces round
    a vertex, not from the file's normals.

    - Without ``textures``, a vertex between faces of several colours is split too.
    - With ``textures``, the mesh has the texture coordinates, materials and images of the file,
      and seams split nothing: the colour of a vertex is the mean of its corners'. Where the file
      itself has vertices more than once for the sake of these, as glTF must, those with the same
      position, normal and colour become one. Faces without a material get one in the mean of
      their colours if others have one; materials of no face are left out. Where both the vertices
      and the material of a face have a colour, ``materials`` has that of the material alone.

    Args:
        path: The file. Its suffix says what it is. A material file or a texture that is missing
            or can't be read is done without, with a warning; one that a file names by a path that
            is not there is also looked for beside that file, and in letters of the other case.
        textures: Whether to keep textures and materials.
        creases: Whether normals split vertices, or in PLY and glTF files keep them apart. Without
            it the surface holds together, as fits need it.

    Returns:
        The mesh, with at least one face. In float32, or in float64 where float32 would move
        vertices by more than a 262144th of the mesh's longest side, as it does far from the
        origin: normalise such a mesh (`Mesh.normalized`) before it is turned into float32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If its suffix is none of these, it does not parse, it has no faces, or a vertex,
            a colour of it or a texture coordinate is not finite.

    Warns:
        UserWarning: Of each texture or material file that is done without, and why.

    Examples:
        >>> import tempfile, taichi_softras as sr
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sr.write_mesh(sr.cube(), f"{folder}/cube.ply")
        ...     mesh = sr.read_mesh(f"{folder}/cube.ply")
        >>> mesh.num_vertices, mesh.num_faces
        (8, 12)
    """
    from taichi_softras.files import _formats  # twenty modules, for those who read or write files

    path = Path(path)
    _check_suffix(path, READABLE)
    if not path.exists():
        raise FileNotFoundError(f"path must be that of a file that exists, got {str(path)!r}")
    with path.open("rb") as file:  # a file that may not be opened is no fault of its content
        if not file.read(1):
            raise ValueError(f"file must hold a mesh, got {str(path)!r}, which is empty")
    found = _formats.read_file(path, path.suffix.lower(), weld=textures, creases=creases)
    if not len(found.faces):
        raise ValueError(f"file must have faces, got {str(path)!r}, which has none")
    try:
        mesh = _formats.textured(found) if textures else _formats.colored(found)
    except ValueError as error:
        raise ValueError(f"file must hold a mesh, got {str(path)!r}: {error}") from error
    _formats.warn_of_problems(path, found)
    return mesh


def write_mesh(mesh: Mesh, path: str | PathLike[str]) -> None:
    """Write a mesh as an OBJ, PLY or GLB file, whole or not at all.

    - OBJ: positions and colours with all their digits, colours as ``v x y z r g b``, which not
      all programs read. Of ``a.obj``, materials go into ``a.mtl`` and images into ``a_0.png``
      and so on, beside it; files of these names are replaced.
    - PLY: positions with all their digits, colours of vertices in 8 bits. No materials.
    - GLB: positions and normals in float32, colours in float32; positions in float64 that would
      suffer are placed by a node. Images are inside. There is one primitive per material, so faces
      are grouped by material, and vertices on a seam repeated, which `read_mesh` undoes with
      ``textures``.

    Colours are clipped to between 0 and 1, and images have 8 bits per channel. Where a mesh has
    materials, OBJ and GLB files have no colours of vertices: other programs would multiply the
    two. In OBJ the colour of a material with an image is multiplied into the image, as not all
    programs do; a mirrored image is written beside its mirror image, as OBJ only repeats or clamps.
    Materials without a name, or with that of another, are given one.

    Args:
        mesh: The mesh.
        path: The file, whose suffix says what it becomes. One that exists is replaced.

    Raises:
        TypeError: If ``mesh`` is no `Mesh`.
        ValueError: If the suffix is none of these, a GLB file were to have no faces, or an OBJ file
            an image that is clamped along one axis, beyond its border, but not along the other.
        FileNotFoundError: If the folder does not exist.

    Examples:
        >>> import tempfile, taichi_softras as sr
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sr.write_mesh(sr.cube(), f"{folder}/cube.obj")
        ...     Path(f"{folder}/cube.obj").stat().st_size > 100
        True
    """
    from taichi_softras.files import _formats

    if not isinstance(mesh, Mesh):
        raise TypeError(f"mesh must be a Mesh, got {type(mesh).__name__}")
    path = Path(path)
    _check_suffix(path, WRITABLE)
    suffix = path.suffix.lower()
    files = _formats.encode(mesh, suffix, path.stem)
    with ExitStack() as stack:
        # They take their places in the reverse order, so the mesh does after what it names.
        for name, content in files.items():
            unfinished = stack.enter_context(whole_file(path.with_name(name) if name else path))
            unfinished.write_bytes(content)


def _check_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"path must end in one of {', '.join(suffixes)}, got {str(path)!r}")
