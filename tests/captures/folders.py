"""Folders of photographs as several programs write them: the same cameras in each format."""

import json
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as iio
import numpy as np

HEIGHT, WIDTH = 24, 32
NAMES = ("a_0", "a_1", "a_2")


@dataclass(frozen=True)
class Scene:
    """Pictures (N, H, W, 3), masks (N, H, W), and OpenCV's cameras, centres of pixels at 0."""

    pictures: np.ndarray
    masks: np.ndarray
    matrix: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray

    @property
    def projections(self) -> np.ndarray:
        poses = np.concatenate([self.rotations, self.translations[..., None]], axis=2)
        return self.matrix @ poses


def make_scene(seed: int = 0) -> Scene:
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)
    masks = np.zeros((3, HEIGHT, WIDTH), np.uint8)
    masks[:, 6:18, 9:25] = 255
    matrix = np.array([[40.0, 0, 14.5], [0, 42.0, 12.25], [0, 0, 1]])
    rotations = np.linalg.qr(rng.normal(size=(3, 3, 3)))[0]
    rotations *= np.linalg.det(rotations)[:, None, None]
    return Scene(pictures, masks, matrix, rotations, rng.normal(size=(3, 3)))


def write_pictures(scene: Scene, folder: Path, *, alpha: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture, mask in zip(NAMES, scene.pictures, scene.masks):
        pixels = np.dstack([picture, mask]) if alpha else picture
        iio.imwrite(folder / f"{name}.png", pixels)


def write_masks(scene: Scene, folder: Path, suffix: str = ".png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, mask in zip(NAMES, scene.masks):
        iio.imwrite(folder / f"{name}{suffix}", mask)


def write_middlebury(scene: Scene, folder: Path) -> None:
    write_pictures(scene, folder)
    lines = [str(len(NAMES))]
    for name, r, t in zip(NAMES, scene.rotations, scene.translations):
        numbers = np.concatenate([scene.matrix.ravel(), r.ravel(), t])
        lines.append(f"{name}.png " + " ".join(f"{x:.20f}" for x in numbers))
    (folder / "scene_par.txt").write_text("\n".join(lines) + "\n")


def to_world(scene: Scene, i: int) -> list[list[float]]:
    """The matrix of a camera that looks down -z, as Blender's."""
    matrix = np.eye(4)
    matrix[:3, :3] = scene.rotations[i].T @ np.diag([1, -1, -1])
    matrix[:3, 3] = -scene.rotations[i].T @ scene.translations[i]
    return matrix.tolist()


def intrinsics(scene: Scene) -> dict[str, float]:
    fx, fy, cx, cy = scene.matrix[[0, 1, 0, 1], [0, 1, 2, 2]]
    return {"fl_x": fx, "fl_y": fy, "cx": cx + 0.5, "cy": cy + 0.5, "w": WIDTH, "h": HEIGHT}


def write_ngp(
    scene: Scene, folder: Path, *, per_frame: bool = False, alpha: bool = False, **more: object
) -> None:
    """instant-ngp's ``transforms.json``, as ``colmap2nerf.py`` writes it."""
    write_pictures(scene, folder / "images", alpha=alpha)
    frames = [
        {"file_path": f"./images/{name}.png", "transform_matrix": to_world(scene, i)}
        for i, name in enumerate(NAMES)
    ]
    lens = {**intrinsics(scene), **more}
    if per_frame:
        frames = [{**frame, **lens} for frame in frames]
        lens = {}
    (folder / "transforms.json").write_text(json.dumps({**lens, "frames": frames}))


def write_idr(scene: Scene, folder: Path) -> None:
    write_pictures(scene, folder / "image")
    write_masks(scene, folder / "mask")
    arrays = {}
    for i, projection in enumerate(scene.projections):
        matrix = np.vstack([projection, [0, 0, 0, 1]])
        arrays[f"world_mat_{i}"] = matrix * (3.7, -0.3)[i % 2]  # the same camera
        arrays[f"world_mat_inv_{i}"] = np.linalg.inv(matrix)
        arrays[f"scale_mat_{i}"] = np.diag([2.0, 2.0, 2.0, 1.0])
    np.savez(folder / "cameras_sphere.npz", **arrays)


def write_colmap(
    scene: Scene,
    folder: Path,
    *,
    text: bool = False,
    model: str = "PINHOLE",
    params: tuple[float, ...] | None = None,
) -> None:
    """COLMAP's ``sparse/0``, written by its own library."""
    import pycolmap

    write_pictures(scene, folder / "images")
    place = folder / "sparse" / "0"
    place.mkdir(parents=True)
    fx, fy, cx, cy = scene.matrix[[0, 1, 0, 1], [0, 1, 2, 2]]
    found = pycolmap.Reconstruction()
    found.add_camera_with_trivial_rig(
        pycolmap.Camera(
            camera_id=1,
            model=model,
            width=WIDTH,
            height=HEIGHT,
            params=(fx, fy, cx + 0.5, cy + 0.5) if params is None else params,
        )
    )
    for i in reversed(range(len(NAMES))):
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(scene.rotations[i]), scene.translations[i])
        image = pycolmap.Image(image_id=10 - i, camera_id=1, name=f"{NAMES[i]}.png")
        found.add_image_with_trivial_frame(image, pose)
    (found.write_text if text else found.write_binary)(str(place))
