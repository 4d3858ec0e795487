"""Photographs with their cameras and masks, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from taichi_softras.arrays.options import check_integer, check_positive
from taichi_softras.cameras.camera import PosedCamera
from taichi_softras.cameras.intrinsics import Intrinsics
from taichi_softras.cameras.poses import Extrinsics
from taichi_softras.captures._shot import from_corner, to_corner


@dataclass(frozen=True, eq=False)
class Captures:
    """Photographs of one scene whose cameras are known. Made by `read_captures`.

    All arrays are of one size: smaller pictures have pixels below and to the right of them that
    are not known. Lenses are without distortion.

    Attributes:
        names: Of the pictures, N.
        pictures: Red, green and blue, (N, H, W, 3), 0 to 255.
        masks: How much of each pixel the object covers, (N, H, W), 0 to 255; None if nothing says.
        known: Which pixels the picture and its mask say something about, (N, H, W).
        camera: N cameras: a `PosedCamera` of `Extrinsics` and `Intrinsics`, for H x W pixels.

    Raises:
        ValueError: If an array is of another shape or type, or there are not as many cameras.
    """

    names: tuple[str, ...]
    pictures: NDArray[np.uint8]
    masks: NDArray[np.uint8] | None
    known: NDArray[np.bool_]
    camera: PosedCamera

    def __post_init__(self) -> None:
        count = len(self.names)
        if self.pictures.ndim != 4 or self.pictures.shape[3] != 3 or len(self.pictures) != count:
            raise ValueError(
                f"pictures must have shape ({count}, H, W, 3), got {self.pictures.shape}"
            )
        for name, array, dtype in (
            ("pictures", self.pictures, np.uint8),
            ("masks", self.masks, np.uint8),
            ("known", self.known, np.bool_),
        ):
            if array is not None and array.dtype != dtype:
                raise ValueError(f"{name} must be {np.dtype(dtype)}, got {array.dtype}")
            if array is not None and array.shape[:3] != self.pictures.shape[:3]:
                wanted = self.pictures.shape[:3]
                raise ValueError(f"{name} must have shape {wanted}, got {array.shape}")
        pose, lens = self.camera.pose, self.camera.lens
        if not isinstance(pose, Extrinsics) or not isinstance(lens, Intrinsics):
            raise ValueError("camera must be made of Extrinsics and Intrinsics")
        if (lens.height, lens.width) != self.pictures.shape[1:3] or lens.distortion is not None:
            raise ValueError("camera must be for pictures of this size, and without distortion")
        if not len(pose.rotation) == len(pose.translation) == len(lens.matrix) == count:
            raise ValueError(f"camera must have {count} items, as there are names")

    def __repr__(self) -> str:
        _, height, width, _ = self.pictures.shape
        masks = "without masks" if self.masks is None else "with masks"
        return f"Captures({len(self)} photographs, {width} x {height} pixels, {masks})"

    def __len__(self) -> int:
        return len(self.names)

    @property
    def rotations(self) -> NDArray[np.float64]:
        """From the world to OpenCV's frame of each camera, (N, 3, 3)."""
        return np.asarray(self.camera.pose.rotation)  # type: ignore[attr-defined]

    @property
    def translations(self) -> NDArray[np.float64]:
        """Where the origin of the world is in that frame, (N, 3)."""
        return np.asarray(self.camera.pose.translation)  # type: ignore[attr-defined]

    @property
    def matrices(self) -> NDArray[np.float64]:
        """OpenCV's intrinsic matrices, (N, 3, 3)."""
        return np.asarray(self.camera.lens.matrix)  # type: ignore[attr-defined]

    @property
    def projections(self) -> NDArray[np.float64]:
        """From the world to pixels, times depth, (N, 3, 4); the first pixel's centre is at 0."""
        poses = np.concatenate([self.rotations, self.translations[..., None]], axis=2)
        return np.asarray(self.matrices @ poses)

    @property
    def eyes(self) -> NDArray[np.float64]:
        """Where the cameras are in the world, (N, 3)."""
        return np.asarray(-np.einsum("nji,nj->ni", self.rotations, self.translations))

    def select(self, indices: Sequence[int]) -> Captures:
        """Take some of the pictures, in the order given.

        Raises:
            TypeError: If an index is no integer.
            ValueError: If there is none, or one is out of range.
        """
        chosen = [check_integer("indices", i, at_least=0) for i in indices]
        if not chosen or max(chosen) >= len(self):
            raise ValueError(f"indices must be of the {len(self)} pictures, got {chosen}")
        return replace(
            self,
            names=tuple(self.names[i] for i in chosen),
            pictures=self.pictures[chosen],
            masks=None if self.masks is None else self.masks[chosen],
            known=self.known[chosen],
            camera=self._camera(
                self.rotations[chosen], self.translations[chosen], self.matrices[chosen]
            ),
        )

    def placed(self, center: ArrayLike, scale: float) -> Captures:
        """Move the world: what is at ``center`` comes to the origin, and ``scale`` times as large.

        Raises:
            TypeError: If ``scale`` is no number.
            ValueError: If it is not above 0, or ``center`` not three finite numbers.
        """
        check_positive("scale", scale)
        point = np.asarray(center, dtype=np.float64)
        if point.shape != (3,) or not np.isfinite(point).all():
            raise ValueError(f"center must be 3 finite numbers, got {center!r}")
        moved = (self.translations + self.rotations @ point) * scale
        return replace(self, camera=self._camera(self.rotations, moved, self.matrices))

    def reduced(self, factor: int) -> Captures:
        """Make the pictures smaller by averaging squares of pixels.

        Colours inside and outside of masks are not mixed, where there are masks. Sides that are
        no multiples of ``factor`` are filled up with what is not known; a pixel is known if all
        that it is made of are.

        Raises:
            TypeError: If ``factor`` is no integer.
            ValueError: If it is less than 1.
        """
        if check_integer("factor", factor, at_least=1) == 1:
            return self
        known = np.asarray(_blocks(_filled(self.known, factor), factor).all(axis=(2, 4)))
        pictures = _blocks(_filled(self.pictures, factor), factor)
        if self.masks is None:
            masks, smaller = None, pictures.mean(axis=(2, 4))
        else:
            cover = _blocks(_filled(self.masks, factor), factor)
            masks = _rounded(cover.mean(axis=(2, 4), dtype=np.float32))
            smaller = np.stack([_mean_inside(p, c) for p, c in zip(pictures, cover)])
        lens = np.diag([1 / factor, 1 / factor, 1.0])
        matrices = from_corner(lens @ to_corner(self.matrices))
        camera = _camera(self.rotations, self.translations, matrices, known.shape)
        return Captures(self.names, _rounded(smaller), masks, known, camera)

    def _camera(self, rotations: Any, translations: Any, matrices: Any) -> PosedCamera:
        return _camera(rotations, translations, matrices, self.known.shape)


def _camera(
    rotations: Any, translations: Any, matrices: Any, shape: tuple[int, ...]
) -> PosedCamera:
    return PosedCamera(
        Extrinsics(rotations, translations), Intrinsics(matrices, shape[1], shape[2])
    )


def _filled(images: NDArray[Any], factor: int) -> NDArray[Any]:
    """Add rows and columns of zeros, to multiples of ``factor``."""
    rows, cols = (-size % factor for size in images.shape[1:3])
    return np.pad(images, [(0, 0), (0, rows), (0, cols), *[(0, 0)] * (images.ndim - 3)])


def _blocks(images: NDArray[Any], factor: int) -> NDArray[Any]:
    """View images (N, H, W, ...) as (N, h, factor, w, factor, ...)."""
    count, height, width = images.shape[:3]
    return images.reshape(
        count, height // factor, factor, width // factor, factor, *images.shape[3:]
    )


def _mean_inside(picture: NDArray[np.uint8], cover: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Average colours (h, f, w, f, 3), weighted by the mask; where that is 0 as they are."""
    weights = cover.astype(np.float32)[..., None] + 1e-3
    sums = (picture * weights).sum(axis=(1, 3), dtype=np.float32)
    return np.asarray(sums / weights.sum(axis=(1, 3), dtype=np.float32))


def _rounded(values: NDArray[Any]) -> NDArray[np.uint8]:
    return (values + 0.5).astype(np.uint8)
