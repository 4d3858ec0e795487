"""Triangle meshes on the host, and the files that hold them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import taichi as ti
from numpy.typing import ArrayLike, NDArray

from taichi_softras.bridges.taichi_bridge import NUMPY_DTYPE, from_numpy
from taichi_softras.files import whole_file
from taichi_softras.mesh_parts import GREY, load_parts

if TYPE_CHECKING:
    import torch

READABLE = (".obj", ".ply", ".off", ".stl", ".glb", ".gltf")
WRITABLE = (".obj", ".ply")


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with a colour per vertex.

    The arrays are copied, and cannot be written to.

    Attributes:
        vertices: Positions, of shape (V, 3), finite. float32 or float64 as given; other numbers,
            and lists, become float32.
        faces: Indices of the vertices of each triangle, of shape (F, 3), counter-clockwise seen
            from outside. Kept as int32. There may be none.
        colors: Red, green and blue of each vertex, of shape (V, 3), finite, from 0 to 1, though
            this is not enforced. Kept in the type of ``vertices``. None stands for grey.

    Raises:
        TypeError: If an array holds no numbers, or the faces hold no integers.
        ValueError: If a shape is another, a value is not finite, or an index is out of range.

    Example:
        >>> mesh = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
        >>> mesh.num_vertices, mesh.num_faces, mesh.vertices.dtype
        (3, 1, dtype('float32'))
        >>> mesh.colors[0]
        array([0.7, 0.7, 0.7], dtype=float32)
    """

    vertices: NDArray[Any]
    faces: NDArray[Any]
    colors: NDArray[Any] = None  # type: ignore[assignment]  # never None once constructed

    def __post_init__(self) -> None:
        vertices = _floats("vertices", self.vertices)
        _check_rows("vertices", vertices, "V")
        if self.colors is None:
            colors = np.full(vertices.shape, GREY, dtype=vertices.dtype)
        else:
            colors = _floats("colors", self.colors, vertices.dtype)
        _check_rows("colors", colors, len(vertices))
        for name, values in (("vertices", vertices), ("colors", colors)):
            if not np.isfinite(values).all():
                raise ValueError(f"{name} must be finite, got {_first_not_finite(values)}")
        faces = _face_indices(self.faces, len(vertices))
        for name, values in (("vertices", vertices), ("faces", faces), ("colors", colors)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @property
    def num_vertices(self) -> int:
        """How many vertices there are, those of no face included."""
        return len(self.vertices)

    @property
    def num_faces(self) -> int:
        """How many triangles there are."""
        return len(self.faces)

    def normalized(self) -> Mesh:
        """Move and scale the mesh into the unit box.

        Returns:
            A mesh whose bounding box is centred at the origin, and the longest side of it 1.
            One whose vertices are all in one place is moved only.

        Example:
            >>> Mesh([[0, 0, 0], [4, 0, 0], [0, 2, 0]], [[0, 1, 2]]).normalized().vertices[:, :2]
            array([[-0.5 , -0.25],
                   [ 0.5 , -0.25],
                   [-0.5 ,  0.25]], dtype=float32)
        """
        if self.num_vertices == 0:
            return self
        vertices = self.vertices.astype(np.float64)
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        longest = (high - low).max()
        centred = vertices - (low + (high - low) / 2)
        if longest > 0:
            # Rounding may leave the box by a last digit.
            centred = np.clip(centred / longest, -0.5, 0.5)
        return self.with_vertices(centred.astype(self.vertices.dtype))

    def with_vertices(self, vertices: ArrayLike) -> Mesh:
        """Return the mesh with other positions, of the same number.

        Example:
            >>> flat = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
            >>> flat.with_vertices(flat.vertices + 1).vertices[0]
            array([1., 1., 1.], dtype=float32)
        """
        return dataclasses.replace(self, vertices=_floats("vertices", vertices))

    def with_colors(self, colors: ArrayLike | None) -> Mesh:
        """Return the mesh with other colours; grey ones if None.

        Example:
            >>> mesh = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
            >>> mesh.with_colors([[1, 0, 0]] * 3).colors[0]
            array([1., 0., 0.], dtype=float32)
        """
        if colors is None:
            return Mesh(self.vertices, self.faces)
        return dataclasses.replace(self, colors=_floats("colors", colors))

    def to_taichi(
        self, *, dtype: Any = ti.f32, needs_grad: bool = False
    ) -> tuple[ti.Ndarray, ti.Ndarray, ti.Ndarray]:
        """Copy the mesh into Taichi ndarrays, for the functions of this package.

        Args:
            dtype: ``ti.f32`` or ``ti.f64``, of the vertices and colours.
            needs_grad: Whether the vertices and colours have gradients.

        Returns:
            Vertices (1, V, 3), faces (F, 3) and colours (1, V, 3).
        """
        floats = NUMPY_DTYPE[dtype]
        vertices, colors = (
            from_numpy(values[None].astype(floats), needs_grad=needs_grad)
            for values in (self.vertices, self.colors)
        )
        return vertices, from_numpy(self.faces), colors

    def to_torch(
        self, device: str | torch.device = "cpu", dtype: torch.dtype | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Copy the mesh into PyTorch tensors, for the functions of this package.

        Args:
            device: Where to: the CPU, or the first CUDA device.
            dtype: Of the vertices and colours; their own if None.

        Returns:
            Vertices (1, V, 3), faces (F, 3) and colours (1, V, 3).
        """
        import torch  # only programs that call this need it

        vertices, colors = (
            torch.tensor(values[None], device=device, dtype=dtype)
            for values in (self.vertices, self.colors)
        )
        return vertices, torch.tensor(self.faces, device=device), colors


def read_mesh(path: str | PathLike[str]) -> Mesh:
    """Read a mesh from an OBJ, PLY, OFF, STL, GLB or glTF file.

    All of the file's faces become one mesh, in its own frame and units: those of a scene where
    the scene has them, polygons cut into triangles, degenerate and repeated faces included.

    A vertex has the colour that the file gives it; else that of the texture at its texture
    coordinates, nearest texel; else its material's or face's; else grey. Values are taken as they
    are, also those of glTF, which are linear, and those of textures, which are not. OFF and STL
    files are grey.

    Vertices are those of the file. A vertex between faces of several colours is split, one for
    each. So is one to which an OBJ file gives several normals, as at a crease. Corners of an STL
    file at one place are one vertex.

    Args:
        path: The file. Its suffix says what it is. A material file or a texture that is missing
            or damaged is done without.

    Returns:
        The mesh, in float32, with at least one face.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If its suffix is another, it does not parse, it has no faces, or a vertex is
            not finite.
    """
    path = Path(path)
    _check_suffix(path, READABLE)
    if not path.exists():
        raise FileNotFoundError(f"path must be that of a file that exists, got {str(path)!r}")
    with path.open("rb") as file:  # a file that may not be opened is no fault of its content
        if not file.read(1):
            raise ValueError(f"file must hold a mesh, got {str(path)!r}, which is empty")
    try:
        parts = [part for part in load_parts(path) if len(part.faces)]
    except Exception as error:  # trimesh raises all kinds at a file that does not parse
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"file must be readable as {path.suffix[1:].upper()}, got {str(path)!r} ({reason})"
        ) from error
    if not parts:
        raise ValueError(f"file must have faces, got {str(path)!r}, which has none")
    starts = np.cumsum([0] + [len(part.vertices) for part in parts])
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused as infinite
        vertices = np.concatenate([part.vertices for part in parts]).astype(np.float32)
    try:
        return Mesh(
            vertices,
            np.concatenate([part.faces + start for part, start in zip(parts, starts)]),
            np.concatenate([part.colors for part in parts]),
        )
    except ValueError as error:
        raise ValueError(f"file must hold a mesh, got {str(path)!r}: {error}") from error


def write_mesh(mesh: Mesh, path: str | PathLike[str]) -> None:
    """Write a mesh as an OBJ or a PLY file, whole or not at all.

    Positions keep every digit of their type. So do colours in OBJ, as ``v x y z r g b``, which
    not all programs read; PLY has 8 bits for each of red, green and blue. Colours are clipped to
    between 0 and 1.

    Args:
        mesh: The mesh.
        path: The file, whose suffix says what it becomes. One that exists is replaced.

    Raises:
        TypeError: If ``mesh`` is no `Mesh`.
        ValueError: If the suffix is another.
        FileNotFoundError: If the folder does not exist.
    """
    if not isinstance(mesh, Mesh):
        raise TypeError(f"mesh must be a Mesh, got {type(mesh).__name__}")
    _check_suffix(Path(path), WRITABLE)
    encode = _obj_bytes if Path(path).suffix.lower() == ".obj" else _ply_bytes
    with whole_file(path) as unfinished:
        unfinished.write_bytes(encode(mesh))


def _obj_bytes(mesh: Mesh) -> bytes:
    digits = 9 if mesh.vertices.dtype == np.float32 else 17  # enough to tell any two apart
    vertex_line = "v" + f" %.{digits}g" * 6 + "\n"
    rows = np.hstack((mesh.vertices, np.clip(mesh.colors, 0, 1)))
    text = vertex_line * mesh.num_vertices % tuple(rows.reshape(-1).tolist())
    text += "f %d %d %d\n" * mesh.num_faces % tuple((mesh.faces + 1).reshape(-1).tolist())
    return text.encode()


def _ply_bytes(mesh: Mesh) -> bytes:
    position = "float" if mesh.vertices.dtype == np.float32 else "double"
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {mesh.num_vertices}",
        *(f"property {position} {axis}" for axis in "xyz"),
        *(f"property uchar {channel}" for channel in ("red", "green", "blue")),
        f"element face {mesh.num_faces}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    kind = mesh.vertices.dtype.newbyteorder("<")
    vertices = np.empty(mesh.num_vertices, dtype=[("position", kind, 3), ("color", "u1", 3)])
    vertices["position"] = mesh.vertices
    vertices["color"] = np.rint(np.clip(mesh.colors, 0, 1) * 255)
    faces = np.empty(mesh.num_faces, dtype=[("count", "u1"), ("indices", "<i4", 3)])
    faces["count"] = 3
    faces["indices"] = mesh.faces
    return "\n".join(header).encode() + vertices.tobytes() + faces.tobytes()


def _floats(name: str, values: ArrayLike, dtype: Any = None) -> NDArray[Any]:
    """Copy numbers into an array of ``dtype``, or else of their own precision."""
    array = _array(name, values)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be numbers, got {array.dtype}")
    if dtype is None:
        is_double = array.dtype.kind == "f" and array.dtype.itemsize == 8
        dtype = np.float64 if is_double and not isinstance(values, (list, tuple)) else np.float32
    with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
        return np.array(array, dtype=dtype, order="C")


def _face_indices(faces: ArrayLike, num_vertices: int) -> NDArray[Any]:
    array = _array("faces", faces)
    if array.dtype.kind not in "iu":
        raise TypeError(f"faces must be integers, got {array.dtype}")
    _check_rows("faces", array, "F")
    if array.size and (array.min() < 0 or array.max() >= num_vertices):
        raise ValueError(
            f"faces must be indices of the {num_vertices} vertices, "
            f"got {array.min()} to {array.max()}"
        )
    return np.array(array, dtype=np.int32, order="C")


def _array(name: str, values: ArrayLike) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of several lengths
        raise ValueError(f"{name} must have rows of one length, got {values!r:.60}") from error
    is_empty_list = isinstance(values, (list, tuple)) and array.shape == (0,)
    return np.empty((0, 3), dtype=np.int32) if is_empty_list else array


def _check_rows(name: str, array: NDArray[Any], count: int | str) -> None:
    if array.ndim != 2 or array.shape[1] != 3 or count not in (len(array), "V", "F"):
        raise ValueError(f"{name} must have shape ({count}, 3), got {array.shape}")


def _first_not_finite(values: NDArray[Any]) -> str:
    row = int(np.argmin(np.isfinite(values).all(axis=1)))
    return f"{values[row].tolist()} in row {row}"


def _check_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"path must end in one of {', '.join(suffixes)}, got {str(path)!r}")
