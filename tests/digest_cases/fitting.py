"""What fits shapes, and what makes them of photographs."""

import functools
import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
from photographed import colorful, photograph

import taichi_softras as sr
from digest_cases.cameras import LOOK_AT, look_at, mesh, shape
from digest_cases.cases import HEIGHT, WIDTH, Arrays, Case, Cases, both, chosen, uniform
from digest_cases.losses import of_host


def fitting_cases() -> Cases:
    steps = sr.LargeSteps(mesh()["faces"], 42, smoothness=4.0)
    yield from both("large steps", Case(steps.decode, {"values": mesh(2)["vertices"]}))
    photos = {
        "image": uniform(2, 9, 11, 4),
        "photo": uniform(2, 9, 11, 3, seed=5),
        **{name: uniform(2, 9, 11, seed=i) for i, name in enumerate(("mask", "known", "weights"))},
        "gains": np.array([0.8, 1.3]),
    }
    case = Case(sr.photo_loss, photos, constant=tuple(photos)[1:])
    yield from both("loss: photographs", case)
    yield "loss: photographs, float64", replace(case, dtype=np.float64)
    yield "uniform Adam", Case(step_uniformly, {})
    yield "depths of a mesh", Case(depths, {**shape(), **LOOK_AT}, constant=("fov_degrees",))
    masks = {"masks": (uniform(2, HEIGHT, WIDTH) > 0.5).astype(float)}
    case = Case(fit, masks, constant=("masks",))
    yield "fit to silhouettes, torch", case
    yield "fit to silhouettes, NumPy", Case(functools.partial(fit, masks["masks"]), {})


def depths(vertices: Any, faces: Any, **x: Any) -> Arrays:
    camera = look_at(x)
    near, far = sr.depth_range(vertices, camera)
    corners = sr.gather(sr.to_view(vertices, camera), faces)
    one = sr.select_cameras(camera, [1])
    count = sr.count_clipped(corners, (near + far) / 2)
    return {"range": np.array([near, far]), "clipped": count, "one": sr.to_view(vertices, one)}


def step_uniformly() -> Arrays:
    values = sr.from_numpy(uniform(1, 50, 3).astype(np.float32), needs_grad=True)
    values.grad.from_numpy(uniform(1, 50, 3, seed=5).astype(np.float32))
    optimizer = sr.Adam([values], 0.01, uniform=True)
    optimizer.step()
    optimizer.step()
    return {"values": values.to_numpy()}


def fit(masks: Any) -> Arrays:
    """Three steps, where a mesh is refined."""
    camera = sr.LookAtCamera(**LOOK_AT)
    options = sr.SilhouetteFitOptions(steps=3, refinements=1, sigma=1e-2)
    fitted, losses = sr.fit_silhouettes(sr.icosphere(0), masks, camera, options)
    return {"vertices": fitted.vertices, "losses": np.array(losses, np.float32)}


def photograph_cases() -> Cases:
    """As far as what this needs is installed."""
    captures = functools.cache(lambda: photograph(colorful(sr.icosphere(2)), views=6))
    if importlib.util.find_spec("skimage"):

        def hull() -> Arrays:
            made = sr.visual_hull(captures().masks, captures().camera, resolution=12)
            return chosen(of_host(made), "vertices", "faces")

        yield "hull", Case(hull, {})
    if importlib.util.find_spec("xatlas"):

        def baked() -> Arrays:
            made = sr.bake_texture(sr.icosphere(1), captures(), size=32)
            return {"colors": made.colors, "image": made.materials[0].image}

        def agreement() -> Arrays:
            found = sr.measure_agreement(sr.icosphere(1), captures())
            return {"agreement": np.array([view.iou for view in found], np.float32)}

        yield "texture of photographs", Case(baked, {})
        yield "agreement with photographs", Case(agreement, {})
