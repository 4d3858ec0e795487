"""The visual hull: all that masks leave of space, seen through their cameras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays import taichi_bridge
from taichi_softras.arrays.options import check_flag, check_integer
from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.cameras._numbers import to_numpy
from taichi_softras.cameras.camera import Camera
from taichi_softras.cameras.converters import camera_to_opencv
from taichi_softras.captures.masks import largest_part
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.reconstruction.kernels.hull import MOST_WRONG, UNKNOWN, carve_kernel

SMOOTHING = 0.7
"""Of the grid, in voxels, before its surface is taken: carved solids have steps."""

COARSE = 40
"""Voxels along the grid on which an object is looked for."""

SEARCHES = 8
"""How often a grid is moved and resized before an object counts as found."""

MARGIN = 2.0
"""Voxels round what was found, on either side."""


def visual_hull(
    masks: ArrayLike,
    camera: Camera,
    *,
    known: ArrayLike | None = None,
    resolution: int = 96,
    bounds: Sequence[Sequence[float]] | None = None,
    wrong: int = 0,
    least_views: int | None = None,
    largest: bool = True,
) -> Mesh:
    """Carve a solid out of space by masks, and take its surface. Not differentiable.

    A point belongs to the hull if all masks have it inside, but for ``wrong`` of them at most: so
    a few bad masks carve no holes. Outside of a picture's frame, and where nothing is known, a
    camera has no say.

    Args:
        masks: (N, H, W), of NumPy. Inside is where they are above a half: of 255 if integers are
            above 1, else of 1.
        camera: N perspective cameras without distortion.
        known: Where masks say something, (N, H, W); None for everywhere.
        resolution: Voxels along the longest side. At least 8.
        bounds: Least and greatest corner of the box that is carved, (2, 3). If None the box is
            looked for: what the masks leave, round the point that all cameras look at.
        wrong: How many masks may be wrong at a point. 0 to 8.
        least_views: How many cameras must see a point; a third of them, but 2 at least, if None.
        largest: Whether only the largest part is kept.

    Returns:
        A closed mesh in world units, float32, counter-clockwise seen from outside.

    Raises:
        RuntimeError: If scikit-image, of the extra ``photos``, is not installed.
        TypeError: If an argument is of the wrong type.
        ValueError: If a shape doesn't fit, a number is out of range, the cameras are orthographic
            or distort, or nothing is left: as when masks are empty, or cameras miss the object.

    Source:
        Laurentini, The visual hull concept for silhouette-based image understanding, 1994.
    """
    resolution = check_integer("resolution", resolution, at_least=8)
    wrong = check_integer("wrong", wrong, at_least=0)
    check_flag("largest", largest)
    if wrong > MOST_WRONG:
        raise ValueError(f"wrong must be at most {MOST_WRONG}, got {wrong}")
    inside, seen = _checked_masks(masks, known)
    count, height, width = inside.shape
    if least_views is None:
        least_views = min(max(2, count // 3), count)
    least_views = check_integer("least_views", least_views, at_least=1)
    carver = _Carver(inside, seen, *_pinholes(camera, count, height, width), wrong, least_views)
    low, high = carver.search() if bounds is None else _checked_bounds(bounds)
    step = float((high - low).max() / (resolution - 1))
    low, size = _grid(low, high, step)
    grid = carver.carve(low, step, size) / step
    return _surface(grid, low, step, largest=largest)


class _Carver:
    """Masks and cameras, made ready to carve.

    Args:
        inside: (N, H, W).
        known: (N, H, W).
        projections: (N, 3, 4), to pixels.
        focal_lengths: (N,), in pixels.
        wrong: As of `visual_hull`.
        least_views: Likewise.
    """

    def __init__(
        self,
        inside: NDArray[np.bool_],
        known: NDArray[np.bool_],
        projections: NDArray[np.float64],
        focal_lengths: NDArray[np.float64],
        wrong: int,
        least_views: int,
    ) -> None:
        self._distances = np.stack([_distances(m, k) for m, k in zip(inside, known)])
        self._projections, self._focal_lengths = projections, focal_lengths
        self._wrong, self._least_views = wrong, least_views
        self._inside = inside

    def carve(
        self, low: NDArray[np.float64], step: float, size: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """Find how far each point of a grid is inside, in world units."""
        insides = np.zeros(size, np.float32)
        ensure_running()
        arrays = (
            self._distances,
            self._projections.astype(np.float32),
            self._focal_lengths.astype(np.float32),
            low.astype(np.float32),
        )
        numbers = (step, self._wrong, self._least_views)
        taichi_bridge.unrecorded(lambda: carve_kernel()(*arrays, *numbers, insides))
        return insides

    def search(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find a box that holds the hull.

        It starts round the point that is nearest to the lines of sight through the middles of
        masks, as large as the masks, and follows what is left in it until that no longer touches
        its sides.
        """
        center, radius = self._start()
        low, high = center - radius, center + radius
        for _ in range(SEARCHES):
            step = float((high - low).max() / (COARSE - 1))
            origin, size = _grid(low, high, step)
            grid = self.carve(origin, step, size) > 0
            if not grid.any():
                raise ValueError(
                    "masks and cameras must have some space in common, got none: masks may be "
                    "empty, or cameras miss the object"
                )
            places = np.argwhere(largest_part(grid))
            first, last = places.min(axis=0), places.max(axis=0)
            touches = (first == 0) | (last == np.array(size) - 1)
            low, high = (
                origin + (first - MARGIN * (1 + COARSE / 10 * (first == 0))) * step,
                origin + (last + MARGIN * (1 + COARSE / 10 * (last == np.array(size) - 1))) * step,
            )
            if not touches.any():
                break
        return low, high

    def _start(self) -> tuple[NDArray[np.float64], float]:
        """The point nearest to the lines of sight through masks' middles, and a radius."""
        pulls, places, spreads = np.zeros((3, 3)), np.zeros(3), []
        eyes = []
        for mask, projection in zip(self._inside, self._projections):
            rows, cols = np.nonzero(mask)
            if not len(rows):
                continue
            inverse = np.linalg.inv(projection[:, :3])
            eye = -inverse @ projection[:, 3]
            ray = inverse @ np.array([cols.mean(), rows.mean(), 1.0])
            ray /= np.linalg.norm(ray)
            across = np.eye(3) - np.outer(ray, ray)
            pulls, places = pulls + across, places + across @ eye
            spreads.append(max(np.ptp(rows), np.ptp(cols)) + 1)
            eyes.append(eye)
        if len(eyes) < 2 or np.linalg.cond(pulls) > 1e9:
            raise ValueError(
                "masks must show something in two pictures at least, from different places, "
                f"got {len(eyes)} that are not empty"
            )
        center = np.linalg.solve(pulls, places)
        reach = np.linalg.norm(np.array(eyes) - center, axis=1)
        sizes = np.array(spreads) * reach / np.median(self._focal_lengths)
        return np.asarray(center, dtype=np.float64), float(np.quantile(sizes, 0.75)) * 0.75


def _checked_masks(
    masks: ArrayLike, known: ArrayLike | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    array = np.asarray(masks)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"masks must be numbers, got {array.dtype}")
    if array.ndim != 3 or array.shape[0] < 2 or min(array.shape[1:]) < 2:
        raise ValueError(
            f"masks must have shape (N, H, W), of 2 or more pictures, got {array.shape}"
        )
    inside = array > (127.5 if array.dtype.kind in "iu" and array.max() > 1 else 0.5)
    seen = np.ones(array.shape, np.bool_) if known is None else np.asarray(known).astype(np.bool_)
    if seen.shape != array.shape:
        raise ValueError(f"known must have shape {array.shape}, got {seen.shape}")
    return inside, seen


def _checked_bounds(
    bounds: Sequence[Sequence[float]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    corners = np.asarray(bounds, dtype=np.float64)
    if corners.shape != (2, 3) or not np.isfinite(corners).all():
        raise ValueError(f"bounds must be 2 x 3 finite numbers, got {bounds!r}")
    if not (corners[0] < corners[1]).all():
        raise ValueError(f"bounds must be in order, got {bounds!r}")
    return corners[0], corners[1]


def _pinholes(camera: Camera, count: int, height: int, width: int) -> tuple[Any, Any]:
    """Projection matrices and focal lengths of cameras."""
    rotations, translations, matrices, distortion = camera_to_opencv(camera, height, width)
    if distortion is not None and np.any(_numbers(distortion)):
        raise ValueError("camera must have no distortion: undistort pictures first")
    rotations, translations, matrices = map(_numbers, (rotations, translations, matrices))
    if len(rotations) != count:
        raise ValueError(
            f"there must be as many masks as cameras, got {count} masks and {len(rotations)}"
        )
    poses = np.concatenate([rotations, translations[..., None]], axis=2)
    focal_lengths = np.broadcast_to((matrices[:, 0, 0] + matrices[:, 1, 1]) / 2, (count,))
    return matrices @ poses, focal_lengths


def _distances(mask: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How far pixels are inside of a mask, below 0 outside; `UNKNOWN` where nothing is known."""
    far = float(sum(mask.shape))
    inside = scipy.ndimage.distance_transform_edt(mask) if not mask.all() else far
    outside = scipy.ndimage.distance_transform_edt(~mask) if mask.any() else far
    # Half a pixel from its centre is a pixel's border, where the mask ends.
    signed = np.where(mask, inside - 0.5, 0.5 - outside)
    return np.where(known, signed, UNKNOWN).astype(np.float32)


def _grid(
    low: NDArray[np.float64], high: NDArray[np.float64], step: float
) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Lay a grid over a box, in its middle: its first point, and its size."""
    size = np.ceil((high - low) / step - 1e-9).astype(int) + 1
    return (low + high) / 2 - (size - 1) / 2 * step, tuple(size.tolist())


def _surface(
    grid: NDArray[np.float32], low: NDArray[np.float64], step: float, *, largest: bool
) -> Mesh:
    """Take the surface of what is above 0 in a grid of numbers in voxels."""
    try:
        from skimage.measure import marching_cubes
    except ImportError:
        raise RuntimeError(
            "the hull's surface needs scikit-image: pip install 'taichi_softras[photos]'"
        ) from None
    volume = scipy.ndimage.gaussian_filter(np.clip(grid, -2, 2), SMOOTHING)
    solid = volume > 0
    if not solid.any():
        raise ValueError(
            "masks and cameras must have some space in common, got none: masks may be empty, or "
            "cameras miss the object"
        )
    part = largest_part(solid) if largest else solid
    others = solid & ~part
    if others.any():
        around = scipy.ndimage.binary_dilation(part, iterations=2)
        volume = np.where(around & ~others, volume, np.minimum(volume, -0.5))
    padded = np.pad(volume, 1, constant_values=-2.0)
    vertices, faces, _, _ = marching_cubes(  # type: ignore[no-untyped-call]
        padded, 0.0, gradient_direction="ascent"
    )
    points = ((vertices - 1) * step + low).astype(np.float32)
    mesh = Mesh(points, faces)
    corners = points[faces].astype(np.float64)
    volume_sum = np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    return mesh if volume_sum > 0 else Mesh(points, faces[:, ::-1])


def _numbers(array: Any) -> NDArray[np.float64]:
    return np.asarray(to_numpy(array), dtype=np.float64)
