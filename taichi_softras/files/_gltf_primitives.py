"""The triangles of glTF files: attributes of vertices, and how they make faces.

Source:
    Khronos, "glTF 2.0 Specification", 3.7, and "KHR_draco_mesh_compression".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._gltf_accessors import normalized, optional_module, read_accessor
from taichi_softras.files._gltf_document import GltfDocument, extension, member
from taichi_softras.files._words import FormatError

TRIANGLES, TRIANGLE_STRIP, TRIANGLE_FAN = 4, 5, 6
"""Modes of primitives; those below are points and lines."""

DRACO = "KHR_draco_mesh_compression"


class Attributes:
    """The arrays of a primitive's vertices, in the pose that its targets' weights give it.

    Attributes:
        indices: (I,) of the vertices, in the order of the corners of faces; None if there are none.
        is_packed: Whether they were packed by Draco, which knows only triangles.
    """

    def __init__(
        self, document: GltfDocument, primitive: dict[str, Any], weights: Sequence[Any]
    ) -> None:
        self._document = document
        self._numbers = member(primitive, "attributes", dict)
        self._targets = member(primitive, "targets", list, [])
        self._weights = weights
        self.indices: NDArray[Any] | None = None
        self._unpacked: dict[str, NDArray[Any]] = {}
        packed = extension(primitive, DRACO)
        self.is_packed = packed is not None and not self._are_stored()
        if packed is not None and self.is_packed:
            self._unpack(packed)
        elif "indices" in primitive:
            self.indices = read_accessor(document, primitive["indices"])[:, 0]

    def __contains__(self, name: str) -> bool:
        return name in self._numbers

    def read(self, name: str, *widths: int) -> NDArray[Any]:
        """Read an attribute, (V, width), as float64.

        Raises:
            FormatError: If its width is none of those given.
        """
        if name in self._unpacked:
            values = self._unpacked[name]
        else:
            values = read_accessor(self._document, self._numbers[name])
        values = values.astype(np.float64)
        for target, weight in zip(self._targets, self._weights):
            if name in target and weight != 0:
                moved = read_accessor(self._document, target[name])
                if moved.shape != values.shape:
                    raise FormatError(f"a target of {name} must have {len(values)} rows")
                values = values + float(weight) * moved
        if values.shape[1] not in widths:
            raise FormatError(f"{name} must have {widths[0]} numbers, got {values.shape[1]}")
        return values

    def _are_stored(self) -> bool:
        """Whether the arrays are there as such, which may be beside what is packed."""
        accessors = [self._document.item("accessors", x) for x in self._numbers.values()]
        return all("bufferView" in accessor for accessor in accessors)

    def _unpack(self, packed: dict[str, Any]) -> None:
        """Decode what Draco has packed."""
        decoder = optional_module("DracoPy", DRACO)
        content = self._document.piece(
            self._document.item("bufferViews", member(packed, "bufferView", int))
        )
        try:
            found = decoder.decode(content)
            self.indices = np.asarray(found.faces).reshape(-1)
            for name, key in member(packed, "attributes", dict).items():
                values = np.asarray(found.get_attribute_by_unique_id(key)["data"])
                values = values.reshape(len(values), -1)
                accessor = self._document.item("accessors", self._numbers.get(name))
                self._unpacked[name] = normalized(values, accessor)
        except FormatError:
            raise
        except Exception:  # Draco's binding raises several kinds at data that is damaged
            raise FormatError(f"its data of {DRACO} is damaged") from None


def read_faces(
    primitive: dict[str, Any], attributes: Attributes, num_vertices: int
) -> NDArray[np.int64]:
    """Make triangles (F, 3) of a primitive; none of points and lines."""
    mode = member(primitive, "mode", int, TRIANGLES)
    if not 0 <= mode <= TRIANGLE_FAN:
        raise FormatError(f"a primitive's mode must be from 0 to 6, got {mode}")
    given = attributes.indices
    indices = np.arange(num_vertices) if given is None else given.astype(np.int64)
    if len(indices) and (indices.max() >= num_vertices or indices.min() < 0):
        raise FormatError(
            f"faces must have vertices from 0 to {num_vertices - 1}, "
            f"got {indices.min()} to {indices.max()}"
        )
    if mode < TRIANGLES:
        return np.empty((0, 3), dtype=np.int64)
    if mode == TRIANGLES or attributes.is_packed:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3)
    start = np.arange(max(len(indices) - 2, 0))
    if mode == TRIANGLE_FAN:
        return indices[np.stack((0 * start, start + 1, start + 2), axis=1)]
    is_odd = start % 2
    return indices[np.stack((start, start + 1 + is_odd, start + 2 - is_odd), axis=1)]
