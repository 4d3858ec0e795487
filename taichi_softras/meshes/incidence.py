"""Operators between vertices and what meets at them: faces, edges, hinges. Deterministic."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import is_tensor, lasting, on_host
from taichi_softras.arrays.calls import apply
from taichi_softras.arrays.checks import FACES, check_arrays, check_faces
from taichi_softras.arrays.operator import Allocate, Array, Faces, Operator
from taichi_softras.arrays.scan import scan_arrays
from taichi_softras.backend import ti
from taichi_softras.meshes.kernels.incidence import gather_kernels, list_corners


class Incidence:
    """Which corners of some rows of indices, such as faces, are at each vertex.

    Made when it is first asked for: only sums over the corners at a vertex need it. One object
    belongs to one array of indices; operators that share the array share the object, so that
    the lists are made once. It can't tell if the array changes.
    """

    def __init__(self) -> None:
        self._lists: tuple[Array, Array] | None = None

    def lists(self, indices: Array, num_vertices: int, allocate: Allocate) -> tuple[Array, Array]:
        """Return the lists of corners, one for each vertex.

        Args:
            indices: (R, N), or (L, R, N) where items differ, int32. One out of range is left out.
            num_vertices: V, how many vertices there are.
            allocate: Makes arrays.

        Returns:
            Where each vertex's list starts, (L * V + 1,) int32, and the lists: row * N + corner,
            ascending, int32; some numbers to spare may follow.
        """
        if self._lists is None:
            num_rows, num_corners = (int(size) for size in indices.shape[-2:])
            num_lists = int(indices.shape[0]) if len(indices.shape) == 3 else 1
            sizes = {
                "num_lists": num_lists,
                "num_rows": num_rows,
                "num_corners": num_corners,
                "num_vertices": num_vertices,
            }
            with lasting(indices):
                counts = allocate((num_lists * num_vertices,), ti.i32)
                chunk_sums, starts = scan_arrays(counts, allocate)
                corners = allocate((max(num_lists * num_rows * num_corners, 1),), ti.i32)
            list_corners(
                indices=indices,
                **sizes,
                counts=counts,
                chunk_sums=chunk_sums,
                starts=starts,
                corners=corners,
            )
            self._lists = starts, corners
        return self._lists


class _KnownFaces:
    """What is known of a tensor of faces: that it was checked, its incidence, and int32 of it."""

    def __init__(self, faces: Array, num_vertices: int) -> None:
        checked = check_faces(faces, num_vertices=num_vertices)
        self.num_vertices = num_vertices
        self.incidence = Incidence()
        self._faces = weakref.ref(faces)
        self._checked = None if checked is faces else checked
        self._state = _state_of(faces, copy=True)

    def are(self, faces: Array, num_vertices: int) -> bool:
        """Tell whether a tensor is the one that is known, and as it was then."""
        if self._faces() is not faces or self.num_vertices != num_vertices:
            return False
        state = _state_of(faces)
        if isinstance(state, np.ndarray):
            return isinstance(self._state, np.ndarray) and np.array_equal(state, self._state)
        return state is not None and state == self._state

    def checked(self, faces: Array) -> Array:
        """Give them as int32."""
        return faces if self._checked is None else self._checked


_known_faces: dict[int, _KnownFaces] = {}
"""By the identity of tensors, for as long as these are in use."""


def know_faces(faces: Array, *, num_vertices: int) -> tuple[Array, Incidence]:
    """Check faces as `check_faces` does, and find their incidence; once, while they stay the same.

    On the CPU tensors are compared with what they were, as NumPy may have written to their memory
    too. Elsewhere PyTorch tells whether they were written to. Ndarrays are looked at anew.

    Args:
        faces: (F, 3), or (B or 1, F, 3); int32, and int64 in PyTorch.
        num_vertices: How many vertices there are.

    Returns:
        The faces, int32, and their incidence.

    Raises:
        TypeError: As `check_faces` does.
        ValueError: Likewise.
    """
    if not is_tensor(faces):
        return check_faces(faces, num_vertices=num_vertices), Incidence()
    known = _known_faces.get(id(faces))
    if known is None or not known.are(faces, num_vertices):
        with lasting(faces):
            known = _KnownFaces(faces, num_vertices)
        if id(faces) not in _known_faces:
            weakref.finalize(faces, _known_faces.pop, id(faces), None).atexit = False
        _known_faces[id(faces)] = known
    return known.checked(faces), known.incidence


def _state_of(faces: Array, *, copy: bool = False) -> Any:
    """Something that differs after a tensor of faces was written to; None if nothing does."""
    numbers = on_host(faces)
    if numbers is not None:
        return numbers.copy() if copy else numbers
    return None if faces.is_inference() else faces._version


@dataclass(frozen=True)
class GatherOperator(Operator):
    """Copies the values of vertices to the corners of faces, or of other rows of indices.

    The inputs are values (B or 1, V, K) and indices (R, N) or (B or 1, R, N); the output is
    (B, R, N, K). A corner whose index is out of range is 0.

    Attributes:
        num_items: B.
        incidence: Of the indices.
    """

    num_items: int
    incidence: Incidence = field(default_factory=Incidence)

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Copy."""
        values, indices = inputs
        shape = (self.num_items, *indices.shape[-2:], values.shape[2])
        corners = allocate(shape, clear=False)
        gather_kernels(allocate.dtype).gather(values, indices, corners)
        return (corners,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Add up the gradients of the corners at each vertex."""
        values, indices = inputs
        if values.grad is not None:
            lists = self.incidence.lists(indices, values.shape[1], allocate)
            gather_kernels(allocate.dtype).gather_backward(outputs[0].grad, *lists, values.grad)


def gather(values: Array, faces: Faces, *, incidence: Incidence | None = None) -> Array:
    """Copy the values of vertices to the corners of faces.

    Args:
        values: (B or 1, V, K), positions, colours or anything else.
        faces: (F, 3) or (B or 1, F, 3).
        incidence: Of the faces, where the caller has both from `know_faces`.

    Returns:
        (B, F, 3, K).

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, colors = sr.icosphere(1).to_taichi()
        >>> sr.gather(vertices, faces).shape  # (B, F, 3, K)
        (1, 80, 3, 3)
    """
    sizes = check_arrays(values=(values, "(B or 1, V, K)"))
    if incidence is None:
        faces, incidence = know_faces(faces, num_vertices=sizes["V"])
    sizes = check_arrays(values=(values, "(B or 1, V, K)"), faces=(faces, FACES))
    operator = GatherOperator(sizes["B"], incidence)
    (corners,) = apply(operator, (values, faces))
    return corners
