"""Photographs by Mitsuba 3: light that is reflected several times, with soft shadows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

import taichi_softras as sr
from demos.paper.captured.stage import FIELD_OF_VIEW, GROUND, Photographers, ground_image

GAMMA = 2.2
"""Images hold brightness as screens do; light is added up without."""

MASK_SAMPLES = 16
"""Rays in a pixel that say how much of it the object covers."""


def mitsuba() -> Any:
    """Import Mitsuba, in the variant that needs neither LLVM nor a GPU.

    Raises:
        RuntimeError: If it is not installed.
    """
    try:
        import mitsuba as mi
    except ImportError:
        raise RuntimeError("photographs are taken by Mitsuba 3: pip install mitsuba") from None
    mi.set_variant("scalar_rgb")
    return mi


def photograph(
    mesh: sr.Mesh,
    around: Photographers,
    chosen: Sequence[int],
    *,
    height: int,
    width: int,
    samples: int,
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Take photographs of a mesh that stands on a textured ground.

    Args:
        mesh: With materials, round the origin, y up.
        around: Where from.
        chosen: Which of these.
        height: Of the photographs.
        width: Of the photographs.
        samples: Paths of light in a pixel.

    Yields:
        A photograph (H, W, 3), and how much of its pixels the mesh covers (H, W), 0 to 255.
    """
    mi = mitsuba()
    parts = _parts(mi, mesh)
    floor = float(mesh.vertices[:, 1].min())
    scene = mi.load_dict(
        {"type": "scene", "integrator": {"type": "path", "max_depth": 5}}
        | parts
        | _ground(mi, floor)
        | _lamps(mi, floor)
    )
    alone = mi.load_dict({"type": "scene", "integrator": {"type": "depth"}} | parts)
    for i in chosen:
        sensor = mi.load_dict(_sensor(mi, around.eyes[i], around.targets[i], height, width))
        light = np.array(mi.render(scene, sensor=sensor, spp=samples, seed=i))[..., :3]
        cover = np.array(mi.render(alone, sensor=sensor, spp=MASK_SAMPLES, seed=i))[..., -1]
        yield _bytes(np.clip(light, 0, 1) ** (1 / GAMMA)), _bytes(np.clip(cover, 0, 1))


def _parts(mi: Any, mesh: sr.Mesh) -> dict[str, Any]:
    """The faces of each material as a shape."""
    assert mesh.face_materials is not None, "the model has materials"
    assert mesh.face_uvs is not None, "the model has a texture"
    found = {}
    with TemporaryDirectory() as folder:
        for k, material in enumerate(mesh.materials):
            chosen = mesh.face_materials == k
            if not chosen.any():
                continue
            path = Path(folder) / f"part{k}.obj"
            faces, face_uvs = mesh.faces[chosen], mesh.face_uvs[chosen]
            none = np.zeros(len(faces), np.int32)
            part = sr.Mesh(
                mesh.vertices,
                faces,
                face_uvs=face_uvs,
                face_materials=none,
                materials=(sr.Material(),),
            )
            sr.write_mesh(part, path)
            shape = {"type": "obj", "filename": str(path), "face_normals": True}
            found[f"part{k}"] = mi.load_dict(shape | _surface(mi, material))
    return found


def _surface(mi: Any, material: sr.Material) -> dict[str, Any]:
    color = np.array(material.color, np.float32)
    if material.image is None:
        reflected = {"type": "rgb", "value": (color**GAMMA).tolist()}
    else:
        reflected = _image(mi, material.image * color)
    return {"bsdf": {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": reflected}}}


def _image(mi: Any, image: NDArray[Any]) -> dict[str, Any]:
    light = np.ascontiguousarray(image, np.float32) ** np.float32(GAMMA)
    return {"type": "bitmap", "bitmap": mi.Bitmap(light), "raw": True}


def _ground(mi: Any, floor: float) -> dict[str, Any]:
    place = mi.ScalarTransform4f().translate([0, floor, 0]).rotate([1, 0, 0], -90).scale(GROUND)
    surface = {"type": "diffuse", "reflectance": _image(mi, ground_image())}
    return {"ground": {"type": "rectangle", "to_world": place, "bsdf": surface}}


def _lamps(mi: Any, floor: float) -> dict[str, Any]:
    """A bright sky, and a lamp aside that casts shadows."""
    sky = {"type": "constant", "radiance": {"type": "rgb", "value": [0.3, 0.34, 0.38]}}
    bulb = {"type": "area", "radiance": {"type": "rgb", "value": [34.0, 31.0, 26.0]}}
    lamp = {"type": "sphere", "center": [2.5, floor + 4.0, 1.5], "radius": 0.5, "emitter": bulb}
    return {"sky": sky, "lamp": lamp}


def _sensor(
    mi: Any, eye: NDArray[Any], target: NDArray[Any], height: int, width: int
) -> dict[str, Any]:
    place = mi.ScalarTransform4f().look_at(eye.tolist(), target.tolist(), [0, 1, 0])
    film = {"type": "hdrfilm", "height": height, "width": width, "pixel_format": "rgba"}
    return {
        "type": "perspective",
        "to_world": place,
        "fov": FIELD_OF_VIEW,
        "fov_axis": "y",
        "film": film | {"filter": {"type": "box"}},
    }


def _bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    return (image * 255 + 0.5).astype(np.uint8)
