"""Checks of arrays at the boundary, in one wording: name, what is needed, what came.

Kernels check nothing, and write out of bounds without a word, so everything is looked at here.
"""

import functools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays.bridge import FLOATS, dtype_of, is_array, is_tensor, to_numpy
from taichi_softras.arrays.operator import Array
from taichi_softras.backend import BACKEND, BACKENDS, VARIABLE, ti

FACES = "(F, 3) or (B or 1, F, 3) int32"
"""What `check_arrays` is asked for of faces, after `check_faces`."""

_INTEGERS = {"int32": (ti.i32,), "integers": (ti.i32, ti.i64)}
_OR_ONE = " or 1"
_OF_VECTORS = (ti.lang.matrix.MatrixNdarray, ti.lang.matrix.VectorNdarray)


Sizes = dict[str, int]
"""What each letter of the shapes in a call of `check_arrays` stands for."""


def check_arrays(like: Array | None = None, /, **wanted: tuple[Array, str]) -> Sizes:
    """Check arrays that belong together: their kinds, their types and their shapes.

    Args:
        like: An array that fixes the floating-point type; the first of the others if None.
        wanted: By the caller's names, each array and what it must be, as docstrings say it:
            ``"(B or 1, V, 3)"``. A letter stands for any size, the same one everywhere in the
            call; "or 1" lets one entry serve all. Several shapes may be given, ``"(F, 3) or (B or
            1, F, 3)"``: the one of the array's dimensions counts. Numbers are float32 or float64,
            the same in all arrays, unless the shape is followed by ``int32``, or by ``integers``
            for those of 64 bits too: ``"(F,) int32"``.

    Returns:
        The size that each letter stands for; 1 if all arrays have 1 where 1 is allowed.

    Raises:
        TypeError: If one is no tensor or ndarray, or of another type.
        ValueError: If a shape is not the one wanted, or two don't fit.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, _ = sr.cube().to_taichi()
        >>> check_arrays(vertices=(vertices, "(B or 1, V, 3)"), faces=(faces, "(F, 3) int32"))
        {'V': 8, 'F': 12, 'B': 1}
    """
    described = tuple(
        (name, text, _kind_of(name, array), tuple(array.shape))
        for name, (array, text) in wanted.items()
    )
    return dict(_check_described(None if like is None else dtype_of(like), described))


@functools.lru_cache(maxsize=1024)
def _check_described(
    dtype: Any, described: tuple[tuple[str, str, Any, tuple[int, ...]], ...]
) -> Sizes:
    """Check names, what is wanted, types and shapes: each step asks for the same again."""
    sizes: Sizes = {}
    checked: list[tuple[str, tuple[_Dim, ...], tuple[int, ...]]] = []
    for name, text, its_dtype, found in described:
        shapes = _parse(text)
        if shapes[0].dtypes:
            _check_type(name, its_dtype, *shapes[0].dtypes)
        else:
            _check_type(name, its_dtype, *(FLOATS if dtype is None else (dtype,)))
            dtype = its_dtype
        dims = _pick(name, shapes, found)
        known = dict(sizes)
        if not all(_binds(dim, size, sizes) for dim, size in zip(dims, found)):
            raise _wrong_shape(name, dims, known, found)
        checked.append((name, dims, found))
    _bind_shared([pair for _, dims, found in checked for pair in zip(dims, found)], sizes)
    for name, dims, found in checked:
        if not all(_fits(dim, size, sizes) for dim, size in zip(dims, found)):
            raise _wrong_shape(name, dims, sizes, found)
    return sizes


def check_faces(faces: Array, *, num_vertices: int) -> Array:
    """Check that faces are (F, 3) or (B, F, 3) integers, and make them 32-bit.

    Indices are looked at where that costs no waiting: in PyTorch's tensors on the CPU. Elsewhere
    a face with an index out of range is left out by the kernels; as is everywhere one with an
    index of -1, which is none.

    Raises:
        TypeError: If they are not integers.
        ValueError: If their shape doesn't fit, or an index is out of range.
    """
    _check_type(
        "faces", _kind_of("faces", faces), *((ti.i32, ti.i64) if is_tensor(faces) else (ti.i32,))
    )
    if len(faces.shape) not in (2, 3) or faces.shape[-1] != 3:
        raise ValueError(f"faces must have shape (F, 3) or (B, F, 3), got {tuple(faces.shape)}")
    if not is_tensor(faces):
        return faces
    if faces.device.type == "cpu" and faces.numel():
        lowest, highest = (int(x) for x in faces.aminmax())
        if lowest < -1 or highest >= num_vertices:
            raise ValueError(
                f"faces must have indices from 0 to {num_vertices - 1}, or -1, "
                f"got {lowest} to {highest}"
            )
    return faces.int()


def face_indices(faces: ArrayLike | Array, *, num_vertices: int) -> NDArray[Any]:
    """Check the faces of a mesh, and copy them to the host.

    Args:
        faces: (F, 3) integers, of NumPy, PyTorch or Taichi.
        num_vertices: How many vertices there are to choose from.

    Returns:
        (F, 3) int32.

    Raises:
        ValueError: If the shape doesn't fit, they are no integers, or an index is out of range.
    """
    indices = to_numpy(faces) if is_array(faces) else np.asarray(faces)
    if indices.ndim != 2 or indices.shape[1] != 3 or not np.issubdtype(indices.dtype, np.integer):
        raise ValueError(
            f"faces must be integers of shape (F, 3), got {indices.dtype} {indices.shape}"
        )
    if indices.size and not 0 <= indices.min() <= indices.max() < num_vertices:
        raise ValueError(
            f"faces must have indices from 0 to {num_vertices - 1}, "
            f"got {indices.min()} to {indices.max()}"
        )
    return indices.astype(np.int32)


class _Dim(NamedTuple):
    """One size that is wanted: by a letter or a number; or 1, which stands for all."""

    name: str
    or_one: bool

    def __str__(self) -> str:
        return self.name + _OR_ONE * (self.or_one and self.name != "1")


class _Shape(NamedTuple):
    dims: tuple[_Dim, ...]
    dtypes: tuple[Any, ...]  # none for floats

    def __str__(self) -> str:
        names = ", ".join(map(str, self.dims))
        return f"({names},)" if len(self.dims) == 1 else f"({names})"


@functools.lru_cache(maxsize=1024)
def _parse(text: str) -> tuple[_Shape, ...]:
    """Read what is wanted: one or several shapes, and the type if it is no float."""
    dtypes = _INTEGERS.get(text.rpartition(")")[2].strip(), ())
    shapes = []
    for inner in re.findall(r"\(([^)]*)\)", text):
        names = [name.strip() for name in inner.split(",") if name.strip()]
        dims = tuple(_Dim(name.removesuffix(_OR_ONE), name.endswith(_OR_ONE)) for name in names)
        shapes.append(_Shape(dims, dtypes))
    return tuple(shapes)


def _kind_of(name: str, array: Array) -> Any:
    """Tell the type of an array's numbers."""
    if not is_array(array) or isinstance(array, _OF_VECTORS):
        raise _wrong_kind(name, array)
    return dtype_of(array)


def _wrong_kind(name: str, array: Any) -> TypeError:
    """Say what came in place of an array of numbers, and what to make of it."""
    wanted = f"{name} must be a torch.Tensor or a ti.ndarray"
    package = type(array).__module__.partition(".")[0]
    if package in BACKENDS and package != BACKEND:
        return TypeError(
            f"{wanted} of {BACKEND.title()}, which was chosen, got one of {package.title()}: set "
            f"{VARIABLE} to {package} before the program starts, or use the other's"
        )
    if isinstance(array, ti.Field):
        return TypeError(
            f"{wanted}, got a Taichi field: copy it to an ndarray of shape "
            f"{array.to_numpy().shape}, sr.from_numpy(field.to_numpy())"
        )
    if isinstance(array, ti.Ndarray):
        element = array.element_shape
        return TypeError(
            f"{wanted} of numbers, got one of vectors or matrices: in place of elements {element}, "
            f"make its shape {(*array.shape, *element)}"
        )
    return TypeError(f"{wanted}, got {type(array).__name__}")


def _check_type(name: str, found: Any, *dtypes: Any) -> None:
    if found not in dtypes:
        raise TypeError(f"{name} must be {' or '.join(map(_name, dtypes))}, got {_name(found)}")


def _pick(name: str, shapes: tuple[_Shape, ...], found: tuple[int, ...]) -> tuple[_Dim, ...]:
    """Pick the shape that has as many dimensions as were found."""
    for shape in shapes:
        if len(shape.dims) == len(found):
            return shape.dims
    message = f"{name} must have shape {' or '.join(map(str, shapes))}, got {found}"
    lacks_items = (s.dims[0].name == "B" and len(s.dims) == len(found) + 1 for s in shapes)
    if any(lacks_items):
        message += f": {name} lacks the first dimension, of items; for one, {(1, *found)}"
    raise ValueError(message)


def _binds(dim: _Dim, size: int, sizes: Sizes) -> bool:
    """Tell whether a size can be what is wanted, and note what a letter stands for."""
    if dim.or_one:
        return True  # as far as can be told before all arrays have been seen
    return size == int(dim.name) if dim.name.isdigit() else sizes.setdefault(dim.name, size) == size


def _bind_shared(pairs: Sequence[tuple[_Dim, int]], sizes: Sizes) -> None:
    """Note what letters stand for that come with "or 1" only: the largest size but for 1."""
    for dim, _ in pairs:
        if dim.or_one and not dim.name.isdigit() and dim.name not in sizes:
            several = {size for other, size in pairs if other == dim}
            sizes[dim.name] = max(several - {1}, default=1)


def _fits(dim: _Dim, size: int, sizes: Sizes) -> bool:
    """Tell whether a size is what is wanted, once all letters are known."""
    wanted = int(dim.name) if dim.name.isdigit() else sizes[dim.name]
    return size == wanted or (dim.or_one and size == 1)


def _wrong_shape(
    name: str, dims: tuple[_Dim, ...], sizes: Sizes, found: tuple[int, ...]
) -> ValueError:
    known = tuple(dim._replace(name=str(sizes.get(dim.name, dim.name))) for dim in dims)
    return ValueError(f"{name} must have shape {_Shape(known, ())}, got {found}")


def _name(dtype: Any) -> str:
    names = {ti.f32: "float32", ti.f64: "float64", ti.i32: "int32", ti.i64: "int64"}
    return names.get(dtype, str(dtype))
