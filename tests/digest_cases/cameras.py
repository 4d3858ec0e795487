"""Meshes before cameras."""

from collections.abc import Mapping
from typing import Any

import numpy as np

import taichi_softras as sr
from digest_cases.cases import (
    HEIGHT,
    WIDTH,
    Arrays,
    Compute,
    Numbers,
    chosen,
    taken,
)
from digest_cases.faces import settings


def mesh(num_items: int = 1, subdivisions: int = 1) -> Numbers:
    """A bumpy sphere of radius 1, in the world."""
    rng = np.random.default_rng(3)
    sphere = sr.icosphere(subdivisions, radius=1.0)
    shape = sphere.vertices.shape
    vertices = sphere.vertices + rng.normal(0, 0.05, (num_items, *shape))
    return {"vertices": vertices, "faces": sphere.faces, "colors": rng.uniform(size=(1, *shape))}


def shape(num_items: int = 1) -> Numbers:
    return chosen(mesh(num_items), "vertices", "faces")


POSE = {
    "eye": sr.orbit_eyes(4.5, 20.0, [10.0, 130.0]),
    "at": np.array([[0.1, 0.0, -0.1]]),
    "up": np.array([[0.1, 1.0, 0.0]]),
}


LOOK_AT = {**POSE, "fov_degrees": np.array([35.0, 40.0])}


LOOK = {
    "eye": np.array([[0.1, 0.3, 4.5]]),
    "direction": np.array([[0.02, -0.05, -1.0], [0.0, -0.1, -1.0]]),
    "up": np.array([[0.0, 1.0, 0.2]]),
}


EXTRINSICS = {
    "rotation": sr.rotation_from_quaternion([[0.1, 1.0, 0.1, 0.05], [0.3, 0.9, -0.2, 0.1]]),
    "translation": np.array([[0.1, -0.1, 4.5]]),
}


MATRIX = {"matrix": np.array([[[35.0, 0.5, 13.2], [0.0, 36.0, 9.7], [0.0, 0.0, 1.0]]])}


DISTORTION = {"distortion": np.array([[0.1, -0.02, 0.01, 0.02, 0.003]])}


BENT = 0.02 / np.arange(1, 15)[None] * (-1.0) ** np.arange(14)
"""As many coefficients of distortion as any lens has."""


MATRICES = {
    "view": np.array(
        [[[-0.9, 0.1, 0.4, 0.1], [0.1, 1, 0.1, 0], [-0.4, 0, -0.9, 4.5], [0, 0, 0, 1]]]
    ),
    "projection": np.array([[[2.5, 0, 0.1, 0], [0, 3, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]]]),
}


INSIDE = {**LOOK_AT, "eye": np.array([[0.1, 0.2, 0.3], [-0.2, 0.1, 0.5]])}


INSIDE["fov_degrees"] = np.array([80.0])


def look_at(x: Arrays) -> sr.Camera:
    return sr.LookAtCamera(**taken(x, *LOOK_AT))


def look(x: Arrays) -> sr.Camera:
    return sr.PosedCamera(sr.Look(**taken(x, *LOOK)), sr.Perspective(30.0))


def orthographic(x: Arrays) -> sr.Camera:
    lens = sr.Orthographic(**taken(x, "half_height"))
    return sr.PosedCamera(sr.LookAt(**taken(x, *POSE)), lens)


def calibrated(x: Arrays) -> sr.Camera:
    names = (name for name in ("matrix", "distortion") if name in x)
    lens = sr.Intrinsics(height=HEIGHT, width=WIDTH, **taken(x, *names))
    return sr.PosedCamera(sr.Extrinsics(**taken(x, *EXTRINSICS)), lens)


def fisheye(x: Arrays) -> sr.Camera:
    lens = sr.Fisheye(height=HEIGHT, width=WIDTH, **taken(x, "matrix", "distortion"))
    return sr.PosedCamera(sr.Extrinsics(**taken(x, *EXTRINSICS)), lens)


def by_matrices(x: Arrays) -> sr.Camera:
    return sr.MatrixCamera(**taken(x, *MATRICES))


CAMERAS: dict[str, tuple[Compute, Numbers]] = {
    "look at": (look_at, LOOK_AT),
    "look": (look, LOOK),
    "orthographic": (orthographic, {**POSE, "half_height": np.array([1.3, 1.4])}),
    "calibrated": (calibrated, {**EXTRINSICS, **MATRIX}),
    "distorting": (calibrated, {**EXTRINSICS, **MATRIX, **DISTORTION}),
    "matrices": (by_matrices, MATRICES),
}


def render(
    camera: Compute = look_at,
    *,
    light: Compute | None = None,
    texture: Compute | None = None,
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> Compute:
    """Call `sr.render`: camera, light and texture are made of the inputs that they take out."""

    def compute(**x: Any) -> Any:
        made = {"camera": camera(x)}
        if light is not None:
            made["light"] = light(x)
        if texture is not None:
            made["colors"] = texture(x)
        return sr.render(**x, **made, settings=settings(**(options or {})), **more)

    return compute


def silhouette(camera: Compute, **options: Any) -> Compute:
    return lambda **x: sr.render_silhouette(camera=camera(x), settings=settings(**options), **x)


def project(camera: Compute) -> Compute:
    def compute(vertices: Any, **x: Any) -> Arrays:
        made = camera(x)
        seen = sr.to_view(vertices, made)
        ndc = sr.view_to_ndc(seen, made, WIDTH / HEIGHT)
        return {"view": seen, "ndc": ndc, "projected": sr.project(vertices, made, WIDTH / HEIGHT)}

    return compute
