"""Meshes drawn by cameras, clipped where they reach behind them."""

import functools
from dataclasses import replace
from typing import Any

import numpy as np

import taichi_softras as sr
from digest_cases.cameras import (
    BENT,
    CAMERAS,
    EXTRINSICS,
    INSIDE,
    LOOK_AT,
    MATRIX,
    calibrated,
    fisheye,
    look_at,
    mesh,
    project,
    render,
    shape,
    silhouette,
)
from digest_cases.cases import (
    HEIGHT,
    WIDTH,
    Arrays,
    Case,
    Cases,
    both,
    chosen,
    uniform,
)
from digest_cases.faces import faces_in_ndc, settings, textures
from digest_cases.lights import LIGHT, LIGHTS, all_lights, short_light


def camera_cases() -> Cases:
    for name, (make, arrays) in CAMERAS.items():
        case = Case(render(make), {**mesh(), **arrays})
        yield from both(f"camera: {name}", case)
        yield f"camera: {name}, float64", replace(case, dtype=np.float64)
        yield f"camera: {name}, silhouettes", Case(silhouette(make), {**shape(), **arrays})
        points = {"vertices": mesh()["vertices"], **arrays}
        yield f"camera: {name}, points", Case(project(make), points)
    x = {**mesh(), **LOOK_AT}
    case = Case(render(), x, constant=tuple(LOOK_AT))  # placed by kernels of their own
    yield from both("camera without gradient", case)
    yield "camera without gradient, float64", replace(case, dtype=np.float64)
    x = {**shape(), **LOOK_AT}
    for clip in (True, False):
        draw = functools.partial(silhouette_of, clip=clip)
        case = Case(draw, x, constant=tuple(LOOK_AT))
        yield from both(f"camera without gradient, silhouettes, clip={clip}", case)
    angles = {"elevation_degrees": np.array([20.0, 70]), "azimuth_degrees": np.array([30.0, 150])}

    def orbit(**x: Any) -> Arrays:
        return {"eyes": sr.orbit_eyes(3.0, **x), "ups": sr.orbit_ups(**x)}

    yield "orbit", Case(orbit, angles)


def lens_cases() -> Cases:
    """Every number of coefficients of distortion, and cameras that go elsewhere and come back."""
    points = {"vertices": mesh()["vertices"], **EXTRINSICS, **MATRIX}
    for lens, make in (("Intrinsics", calibrated), ("Fisheye", fisheye)):
        for count in getattr(sr, lens).counts:
            bent = {"distortion": BENT[:, :count]}
            yield f"lens: {lens}, {count}", Case(project(make), {**points, **bent}, np.float64)
    inputs = {**mesh(), **EXTRINSICS, **MATRIX, "distortion": BENT[:, :4]}
    yield from both("camera: fisheye", Case(render(fisheye), inputs))

    def there_and_back(vertices: Any, faces: Any, **x: Any) -> Arrays:
        camera = look_at(x)
        size = HEIGHT, WIDTH
        cameras = {
            "opengl": sr.camera_from_opengl(*sr.camera_to_opengl(camera, WIDTH / HEIGHT, 1.0, 9.0)),
            "pytorch3d": sr.camera_from_pytorch3d(*sr.camera_to_pytorch3d(camera, *size), *size),
            "colmap": sr.camera_from_colmap(*sr.camera_to_colmap(camera, *size)[:3], *size),
        }
        return {
            name: sr.render_silhouette(vertices, faces, made, settings())
            for name, made in cameras.items()
        }

    yield "cameras there and back", Case(there_and_back, {**shape(), **LOOK_AT})


def silhouette_of(vertices: Any, faces: Any, *, clip: bool, **x: Any) -> Any:
    return sr.render_silhouette(vertices, faces, look_at(x), settings(), clip=clip)


def render_cases() -> Cases:
    x = {**mesh(), **LOOK_AT}
    attributes = {"attributes": uniform(1, 42, 2)}
    for frame in ("world", "view"):
        case = Case(render(depth=True, normals=frame), {**x, **attributes})
        yield from both(f"attributes, depth, normals in the {frame}", case)
    softness = {"sigma": np.array([0.01, 0.02]), "gamma": np.array([0.1])}
    yield "softness of a mesh", Case(render(), {**x, **softness})
    yield "mesh before an image", Case(render(), {**x, "background": uniform(1, HEIGHT, WIDTH, 3)})
    yield "mesh before numbers", Case(render(depth=True, background=(0.1, 0.5, 0.9)), x)
    yield "two meshes of one size", Case(render(), {**mesh(2), **LOOK_AT})
    stack = vars(sr.stack_meshes([sr.cube(), sr.icosphere(1)]))
    yield from both("meshes of several sizes", Case(render(), {**stack, **LOOK_AT}))
    yield "faces of int64", Case(render(), {**x, "faces": x["faces"].astype(np.int64)})
    large = {**mesh(subdivisions=3), **LOOK_AT}
    yield "large mesh", Case(render(options={"sigma": 1e-4}), large)
    for name, (make, arrays) in textures(80).items():
        inputs = {**shape(), **LOOK_AT, **arrays}
        yield f"mesh with {name}", Case(render(texture=make), inputs, unordered=("texels",))


def clipping_cases() -> Cases:
    x, near = {**mesh(), **INSIDE}, {"near": 0.3}
    case = Case(render(options=near), x)
    yield from both("clipped", case)
    yield "clipped, float64", replace(case, dtype=np.float64)
    yield "clipped, hard", Case(render(options={**near, "color": "hard"}), x)
    yield "not clipped", Case(render(options=near, clip=False), x)
    yield from both("clipped silhouettes", Case(silhouette(look_at, **near), {**shape(), **INSIDE}))
    lit = render(options=near, light=short_light, depth=True, normals="view")
    yield "clipped, lit, more channels", Case(lit, {**x, **LIGHT})
    for name in ("surface", "uv", "several maps"):
        make, arrays = textures(80)[name]
        inputs = {**shape(), **INSIDE, **arrays}
        case = Case(render(options=near, texture=make), inputs, unordered=("texels",))
        yield from both(f"clipped, {name}", case)
        lit = render(options=near, texture=make, light=all_lights)
        yield f"clipped, lit, {name}", Case(lit, {**inputs, **LIGHTS}, unordered=("*",))

    def cut(points: Any, attributes: Any) -> Arrays:
        clipped = sr.clip_faces(points, 1.0)
        parts = chosen(vars(clipped), "points", "source", "weights")
        return {**parts, "attributes": sr.clip_attributes(attributes, clipped)}

    points = faces_in_ndc("clipped", num_faces=20)["face_vertices"] - [0, 0, 3.0]
    yield "cut faces", Case(cut, {"points": points, "attributes": uniform(1, 20, 3, 2)})
