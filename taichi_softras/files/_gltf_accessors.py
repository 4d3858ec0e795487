"""Arrays of glTF files: views of buffers, compressed or not, and what accessors make of them.

Source:
    Khronos, "glTF 2.0 Specification", 3.6.2, and "EXT_meshopt_compression".
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._gltf_document import GltfDocument, extension, member
from taichi_softras.files._words import FormatError

COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
"""What numbers are, by OpenGL's numbers of their types."""

WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}

MESHOPT = ("KHR_meshopt_compression", "EXT_meshopt_compression")


def read_accessor(document: GltfDocument, number: Any) -> NDArray[Any]:
    """Read an array: (N, width), floats if they are or stand for such, else integers."""
    accessor = document.item("accessors", number)
    count, dtype, width = _form(accessor)
    if "bufferView" in accessor:
        offset = member(accessor, "byteOffset", int, 0)
        values = _rows(document, member(accessor, "bufferView", int), offset, count, dtype, width)
    else:
        values = np.zeros((count, width), dtype)
    if "sparse" in accessor:
        values = values.copy()
        rows, given = _sparse(document, member(accessor, "sparse", dict), dtype, width)
        if len(rows) and rows.max() >= count:
            raise FormatError(f"a sparse accessor must have rows up to {count - 1}")
        values[rows] = given
    return normalized(values, accessor)


def normalized(values: NDArray[Any], accessor: dict[str, Any]) -> NDArray[Any]:
    """Divide the integers of an accessor that says so by the largest there is, into floats."""
    if values.dtype.kind == "f" or accessor.get("normalized") is not True:
        return values
    floats = values.astype(np.float64) / np.iinfo(values.dtype).max
    return np.asarray(np.maximum(floats, -1))


def _form(accessor: dict[str, Any]) -> tuple[int, np.dtype[Any], int]:
    count = member(accessor, "count", int)
    component, kind = member(accessor, "componentType", int), member(accessor, "type", str)
    if count < 0 or component not in COMPONENTS or kind not in WIDTHS:
        raise FormatError(f"an accessor can't be {count} of {kind[:10]!r} of type {component}")
    return count, np.dtype(COMPONENTS[component]), WIDTHS[kind]


def _sparse(
    document: GltfDocument, sparse: dict[str, Any], dtype: np.dtype[Any], width: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read which rows other values take the place of, (N,), and those, (N, width)."""
    count = member(sparse, "count", int)
    indices, values = member(sparse, "indices", dict), member(sparse, "values", dict)
    _, kind, _ = _form({**indices, "count": count, "type": "SCALAR"})
    if kind.kind == "f":
        raise FormatError("the indices of a sparse accessor must be whole numbers")
    places = [
        (member(x, "bufferView", int), member(x, "byteOffset", int, 0)) for x in (indices, values)
    ]
    rows = _rows(document, *places[0], count, kind, 1)
    return rows[:, 0].astype(np.int64), _rows(document, *places[1], count, dtype, width)


def _rows(
    document: GltfDocument, number: int, offset: int, count: int, dtype: np.dtype[Any], width: int
) -> NDArray[Any]:
    """See the bytes of a view as rows of numbers."""
    view = document.item("bufferViews", number)
    if number not in document.views:
        document.views[number] = _view_bytes(document, view)
    content = document.views[number]
    size = dtype.itemsize * width
    stride = member(view, "byteStride", int, size)
    needed = offset + stride * (count - 1) + size if count else 0
    if offset < 0 or stride < size or count < 0 or needed > len(content):
        raise FormatError(
            f"an accessor must lie within the {len(content)} bytes of bufferViews[{number}], "
            f"got {count} rows of {size} bytes, {stride} apart, from {offset} on"
        )
    return np.ndarray((count, width), dtype, content, offset, (stride, dtype.itemsize))


def _view_bytes(document: GltfDocument, view: dict[str, Any]) -> bytes:
    packed = extension(view, *MESHOPT)
    return document.piece(view) if packed is None else _unpacked(document, packed)


def _unpacked(document: GltfDocument, packed: dict[str, Any]) -> bytes:
    """Decode what meshoptimizer has packed."""
    decoder = optional_module("meshoptimizer", MESHOPT[1])
    content = document.piece(packed)
    count, stride = member(packed, "count", int), member(packed, "byteStride", int)
    mode, filtered = member(packed, "mode", str), member(packed, "filter", str, "NONE")
    if mode not in ("ATTRIBUTES", "TRIANGLES", "INDICES"):
        raise FormatError(f"packed data can't have the mode {mode[:20]!r}")
    strides = range(4, 257, 4) if mode == "ATTRIBUTES" else (2, 4)
    if count < 0 or stride not in strides:
        raise FormatError(f"packed data can't be {count} rows of {stride} bytes")
    try:
        if mode == "ATTRIBUTES":
            # Called floats there, whatever they are.
            values = decoder.decode_vertex_buffer(count, stride, content).reshape(-1).view(np.uint8)
        else:
            names = {"TRIANGLES": "decode_index_buffer", "INDICES": "decode_index_sequence"}
            indices = getattr(decoder, names[mode])(count, 4, content)
            values = indices.astype("<u2" if stride == 2 else "<u4")
        if filtered != "NONE":
            values = _filter(decoder, filtered)(values, count, stride)
    except (RuntimeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError("its packed data is damaged") from None
    return bytes(values.tobytes())


def _filter(decoder: ModuleType, name: str) -> Any:
    filters = {"OCTAHEDRAL": "oct", "QUATERNION": "quat", "EXPONENTIAL": "exp"}
    if name not in filters:
        raise FormatError(f"packed data can't have the filter {name[:20]!r}")
    return getattr(decoder, f"decode_filter_{filters[name]}")


def optional_module(name: str, needed_for: str) -> ModuleType:
    """Import a library that only compressed files need.

    Raises:
        FormatError: If it is not installed.
    """
    try:
        return __import__(name)
    except ImportError:
        raise FormatError(
            f"it is compressed by {needed_for}: to read it, pip install {name}"
        ) from None
