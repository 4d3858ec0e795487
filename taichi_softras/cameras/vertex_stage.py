"""From meshes in the world to corners of faces in NDC, cut at the near plane."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from taichi_softras.arrays.bridge import wants_grad
from taichi_softras.arrays.calls import apply
from taichi_softras.arrays.checks import FACES, check_arrays
from taichi_softras.arrays.operator import Allocate, Array, Operator
from taichi_softras.arrays.runtime import on_gpu
from taichi_softras.cameras.camera import Camera
from taichi_softras.cameras.clipping import ClippedFaces, clip_faces, count_outside, split_counts
from taichi_softras.cameras.depths import warn_of_depths
from taichi_softras.cameras.kernels.vertex_stage import vertex_stage_kernels
from taichi_softras.cameras.projection import (
    MATRICES,
    VERTICES,
    lens_arrays,
    move_to_ndc,
    move_to_view,
)
from taichi_softras.meshes.incidence import Incidence, gather


def place_faces(
    vertices: Array,
    faces: Array,
    camera: Camera,
    aspect: float,
    depths: tuple[float, float],
    *,
    clip: bool,
    incidence: Incidence,
) -> tuple[Array, ClippedFaces | None]:
    """Take meshes to NDC, and cut them at the near plane.

    It takes one launch each way, and one for the gradient of where the camera is, if no lens wants
    a gradient or distorts and no face is cut; else the steps run one by one.

    Args:
        vertices: (B or 1, V, 3), in the world.
        faces: (F, 3) or (B or 1, F, 3), from `know_faces`.
        camera: One camera, or B.
        aspect: Width of the image over its height.
        depths: Of the near and of the far plane.
        clip: Whether faces that reach nearer than the near plane are cut.
        incidence: Of the faces, from `know_faces`.

    Returns:
        (B, F', 3, 3), corners in NDC; and how faces were cut, None if none was.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If shapes or devices don't fit.

    Warns:
        UserWarning: If all vertices are nearer than the near plane or farther than the far one.
    """
    view = camera.view_matrix(vertices)
    lens = lens_arrays(vertices, camera, aspect)
    wanted = {"vertices": (vertices, VERTICES), "view": (view, MATRICES), **lens}
    sizes = check_arrays(**wanted)
    num_items = sizes["B"]
    if num_items == 0 or vertices.shape[0] == 0:
        name = "camera" if vertices.shape[0] else "vertices"
        raise ValueError(f"{name} must have at least one item, got none")
    is_counted = clip or not on_gpu()  # where it isn't for clipping, a GPU is not waited for
    projection = lens["projection"][0]
    corners, points = None, None
    if "distortion" not in lens and not wants_grad(projection) and sizes["V"]:
        sizes = check_arrays(**wanted, faces=(faces, FACES))
        stage = VertexStage(sizes["B"], depths if is_counted else None, incidence)
        (corners,) = apply(stage, (vertices, view, projection, faces))
        nearer, farther = stage.outside
    else:
        points = move_to_view(vertices, view)
        nearer, farther = count_outside(points, *depths) if is_counted else (0, 0)
    num_points = (num_items if points is None else points.shape[0]) * vertices.shape[1]
    if faces.shape[-2] and 0 < num_points == max(nearer, farther):
        warn_of_depths(move_to_view(vertices, view), *depths)
    if clip and nearer > 0:
        points = move_to_view(vertices, view) if points is None else points
        clipped = clip_faces(gather(points, faces, incidence=incidence), depths[0])
        return move_to_ndc(clipped.points, camera, lens), clipped
    if corners is None:
        corners = gather(move_to_ndc(points, camera, lens), faces, incidence=incidence)
    return corners, None


FEW_ROWS = 2048
"""Up to so many vertices and faces are placed by one thread of a CPU."""


MOST_PARTS = 64
"""Partial sums of an item's vertices, one by each thread, for the gradient of its view."""


@dataclass(eq=False)
class VertexStage(Operator):
    """Vertices (B or 1, V, 3), view and projection, and faces become corners (B, F, 3, 3) in NDC.

    The projection has no gradient.

    Attributes:
        num_items: B.
        depths: Of the near and far planes, outside which vertices are counted; None if they aren't.
        incidence: Of the faces.
        outside: How many are nearer, and how many farther, once it has run.
    """

    num_items: int
    depths: tuple[float, float] | None
    incidence: Incidence
    outside: tuple[int, int] = (0, 0)

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Place vertices and faces."""
        vertices, _, _, faces = inputs
        ndc = allocate((self.num_items, *vertices.shape[1:]), clear=False)
        corners = allocate((self.num_items, faces.shape[-2], 3, 3), clear=False)
        kernels = self._kernels(inputs, allocate)
        if self.depths is None:
            kernels.place_uncounted(*inputs, ndc, corners)
        else:
            counts = kernels.place_and_count(*inputs, *self.depths, ndc, corners)
            self.outside = split_counts(counts)
        return (corners,), ()

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Differentiate with respect to vertices and views."""
        vertices, view, projection, faces = inputs
        if vertices.grad is None and view.grad is None:
            return
        num_vertices = vertices.shape[1]
        kernels = self._kernels(inputs, allocate)
        lists = self.incidence.lists(faces, num_vertices, allocate)
        given = (vertices, view, projection, *lists, outputs[0].grad)
        if vertices.grad is not None:
            by_item = allocate((self.num_items, num_vertices, 3), clear=False)
            kernels.place_backward(*given, by_item, vertices.grad)
        if view.grad is not None:
            parts = allocate((self.num_items, min(num_vertices, MOST_PARTS), 12), clear=False)
            kernels.view_backward(*given, num_vertices, parts, view.grad)

    def _kernels(self, inputs: Sequence[Array], allocate: Allocate) -> SimpleNamespace:
        num_rows = self.num_items * (inputs[0].shape[1] + inputs[3].shape[-2])
        return vertex_stage_kernels(allocate.dtype, serial=num_rows <= FEW_ROWS and not on_gpu())
