"""Checks of arrays at the boundary, in one wording: name, what is needed, what came.

Kernels check nothing, and write out of bounds without a word, so everything is looked at here.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import taichi as ti
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays.bridge import FLOATS, dtype_of, is_array, is_tensor, to_numpy
from taichi_softras.arrays.operator import Array


def check_array(name: str, array: Array, dims: Sequence[int | str], dtype: Any = None) -> None:
    """Check an array's kind, type and shape.

    Args:
        name: What the caller calls it.
        array: The array.
        dims: Its sizes: a number where one is needed, a letter where any is fine, or letters
            and numbers with "or" between them, such as ``"B or 1"``.
        dtype: The Taichi type that it must have; float32 or float64 if None.

    Raises:
        TypeError: If it is no tensor or ndarray, or of another type.
        ValueError: If its shape is another.
    """
    if not is_array(array):
        raise TypeError(
            f"{name} must be a torch.Tensor or a ti.ndarray, got {type(array).__name__}"
        )
    found = dtype_of(array)
    if dtype is None and found not in FLOATS:
        raise TypeError(f"{name} must be float32 or float64, got {_name(found)}")
    if dtype is not None and found != dtype:
        raise TypeError(f"{name} must be {_name(dtype)}, got {_name(found)}")
    if len(array.shape) != len(dims) or any(
        isinstance(dim, int) and dim != size for dim, size in zip(dims, array.shape)
    ):
        wanted = ", ".join(map(str, dims))
        raise ValueError(f"{name} must have shape ({wanted}), got {tuple(array.shape)}")


def check_faces(faces: Array, *, num_vertices: int) -> Array:
    """Check that faces are (F, 3) or (B, F, 3) integers, and make them 32-bit.

    Indices are looked at where that costs no waiting: in PyTorch's tensors on the CPU. Elsewhere
    a face with an index out of range is left out by the kernels; as is everywhere one with an
    index of -1, which is none.

    Raises:
        TypeError: If they are not integers.
        ValueError: If their shape is another, or an index is out of range.
    """
    if not is_array(faces):
        raise TypeError(f"faces must be a torch.Tensor or a ti.ndarray, got {type(faces).__name__}")
    wanted = (ti.i32, ti.i64) if is_tensor(faces) else (ti.i32,)
    if dtype_of(faces) not in wanted:
        names = " or ".join(map(_name, wanted))
        raise TypeError(f"faces must be {names}, got {_name(dtype_of(faces))}")
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
        ValueError: If the shape is another, they are no integers, or an index is out of range.
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


def check_sizes(name: str, array: Array, sizes: Sequence[int]) -> None:
    """Check that each size of an array is the one needed, or 1, which stands for all.

    Raises:
        ValueError: If one is not.
    """
    if any(size not in (1, needed) for size, needed in zip(array.shape, sizes)):
        wanted = ", ".join(str(size) if size == 1 else f"{size} or 1" for size in sizes)
        raise ValueError(f"{name} must have shape ({wanted}), got {tuple(array.shape)}")


def check_items(**arrays: Array) -> int:
    """Check that arrays have the same number of items, or 1, which stands for all.

    Args:
        arrays: By the caller's names. Their first dimension is the items'; but faces (F, 3), and
            no others, may do without.

    Returns:
        The number of items.

    Raises:
        ValueError: If two arrays disagree.
    """
    batches = {
        name: array for name, array in arrays.items() if name != "faces" or len(array.shape) == 3
    }
    num_items = max(int(array.shape[0]) for array in batches.values())
    for name, array in batches.items():
        if array.shape[0] not in (1, num_items):
            wanted = ", ".join([f"{num_items} or 1", *map(str, array.shape[1:])])
            raise ValueError(f"{name} must have shape ({wanted}), got {tuple(array.shape)}")
    return num_items


def _name(dtype: Any) -> str:
    names = {ti.f32: "float32", ti.f64: "float64", ti.i32: "int32", ti.i64: "int64"}
    return names.get(dtype, str(dtype))
