"""How good a fit is: by silhouettes, surfaces and voxels."""

import numpy as np

import taichi_softras as sr
from demos.paper.deform.targets import draw_masks

HELD_OUT_VIEWS, HELD_OUT_SIZE = 24, 128
HELD_OUT_ELEVATIONS = (15.0, -15.0, 55.0, -55.0)
VOXELS = 32
HULL_SAMPLES = 3
"""Points of the visual hull along a side of a voxel, less one."""
CHAMFER_POINTS = 20_000


def mask_iou(masks: np.ndarray, others: np.ndarray) -> float:
    """Measure how well masks (B, H, W) agree: the mean over images of their IoU."""
    both = np.minimum(masks, others).sum(axis=(1, 2))
    either = np.maximum(masks, others).sum(axis=(1, 2))
    return float(np.mean(np.where(either > 0, both / np.maximum(either, 1e-9), 1.0)))


def voxelize(mesh: sr.Mesh) -> np.ndarray:
    """Find the voxels in the unit box, (1, R, R, R), that a mesh touches or encloses.

    What reaches out of the box is pressed flat on it: cut off, it would leave the mesh open, and
    what it encloses would not count.
    """
    return sr.voxelize(np.clip(mesh.vertices, -0.5, 0.5)[None], mesh.faces, VOXELS)


def carve_hull(masks: np.ndarray, camera: sr.LookAtCamera) -> np.ndarray:
    """Find the voxels (1, R, R, R) that have a point which is inside of all masks.

    Args:
        masks: (B, H, W).
        camera: Where they are seen from.
    """
    steps = np.linspace(-0.5, 0.5, HULL_SAMPLES * VOXELS + 1, dtype=np.float32)
    points = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, -1, 3)
    is_inside = np.ones(points.shape[1], dtype=bool)
    height, width = masks.shape[1:]
    for i, mask in enumerate(masks):
        left = sr.from_numpy(points[:, is_inside])
        x, y, _ = sr.project(left, sr.select_cameras(camera, i), width / height).to_numpy()[0].T
        cols = np.clip(np.floor((x + 1) * width / 2).astype(int), 0, width - 1)
        rows = np.clip(np.floor((1 - y) * height / 2).astype(int), 0, height - 1)
        is_inside[is_inside] = mask[rows, cols] > 0
    fine = is_inside.reshape(1, *(len(steps),) * 3)
    voxels = np.zeros((1, *(VOXELS,) * 3), dtype=bool)
    # A voxel has its border's points too.
    for shift in np.ndindex(*(HULL_SAMPLES + 1,) * 3):
        chosen = tuple(slice(k, k + HULL_SAMPLES * VOXELS, HULL_SAMPLES) for k in shift)
        voxels |= fine[(slice(None), *chosen)]
    return voxels


class Judge:
    """What fits of one target are measured against.

    Args:
        target: The target.
        start: What all of them start from.
    """

    def __init__(self, target: sr.Mesh, start: sr.Mesh) -> None:
        self._camera = sr.surround_mesh(
            target,
            HELD_OUT_VIEWS,
            elevations_degrees=HELD_OUT_ELEVATIONS,
            azimuth_degrees=4.0,
        )
        self._masks = draw_masks(target, self._camera, HELD_OUT_SIZE, 1)
        self._arrays = target.to_taichi()[:2]
        self._voxels = voxelize(target)
        samples = [sr.sample_surface(*self._arrays, CHAMFER_POINTS, seed=seed) for seed in (0, 1)]
        self.floor = float(sr.chamfer_distance(*samples, squared=False).to_numpy()[0])
        self.at_start = self.measure(start)

    def measure(self, fitted: sr.Mesh) -> dict[str, float]:
        """Measure a fit."""
        arrays = fitted.to_taichi()[:2]
        chamfer = sr.mesh_chamfer_distance(*arrays, *self._arrays, CHAMFER_POINTS, squared=False)
        return {
            "held_out_iou": mask_iou(
                draw_masks(fitted, self._camera, HELD_OUT_SIZE, 1), self._masks
            ),
            "chamfer": float(chamfer.to_numpy()[0]),
            "voxel_iou": self.voxel_iou(voxelize(fitted)),
        }

    def voxel_iou(self, voxels: np.ndarray) -> float:
        """Compare voxels (1, R, R, R) with the target's."""
        return float(sr.voxel_iou(voxels, self._voxels)[0])
