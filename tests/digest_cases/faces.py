"""Faces in NDC, drawn by the rasterizer: families, options and textures."""

import functools
import itertools
from dataclasses import fields, replace
from typing import Any

import numpy as np
import scenes
import torch

import taichi_softras as sr
from digest_cases.cases import (
    HEIGHT,
    WIDTH,
    Arrays,
    Case,
    Cases,
    Compute,
    Numbers,
    both,
    chosen,
    taken,
    uniform,
)


def settings(**options: Any) -> sr.RasterizerSettings:
    """Settings of a small image, so soft that hidden and distant faces matter.

    Coordinates beside a face are clipped, unless the options say otherwise, so that code from
    before there was a choice compares.
    """
    size = {"height": HEIGHT, "width": WIDTH, "near": 1.0, "far": 12.0}
    soft: dict[str, Any] = {"sigma": 1e-2, "gamma": 0.1, "eps": 0.1}
    if "interpolation" in {field.name for field in fields(sr.RasterizerSettings)}:
        soft["interpolation"] = "clipped"
    return sr.RasterizerSettings(**{**size, **soft, **options})


def image(num_items: int | None = None, **options: Any) -> Compute:
    return functools.partial(sr.rasterize, settings=settings(**options), num_items=num_items)


def outline(num_items: int | None = None, **options: Any) -> Compute:
    return functools.partial(
        sr.rasterize_silhouette, settings=settings(**options), num_items=num_items
    )


def faces_in_ndc(
    kind: str = "overlapping", num_items: int = 2, num_faces: int = 12, channels: int = 3
) -> Numbers:
    """Inputs of `sr.rasterize`."""
    rng = torch.Generator().manual_seed(0)
    return {
        "face_vertices": scenes.random_faces(kind, rng, num_items, num_faces).numpy(),
        "colors": scenes.random_colors(num_faces, channels, rng, num_items).numpy(),
        "sigma": np.linspace(0.01, 0.02, num_items),
        "gamma": np.array([0.1]),
        "eps": np.linspace(0.3, 0.5, num_items),
    }


def outlined(x: Numbers) -> Numbers:
    """Those that `sr.rasterize_silhouette` takes."""
    return {name: x[name] for name in ("face_vertices", "sigma", "face_items") if name in x}


def packed(num_faces: int = 17) -> Numbers:
    """Faces of three items, and one of none."""
    items = np.arange(num_faces, dtype=np.int32) % 3
    items[4] = -1
    return {**faces_in_ndc("tilted", 1, num_faces), "face_items": items}


def family_cases() -> Cases:
    x = faces_in_ndc()
    names = ("euclidean", "barycentric", "hard"), ("prod", "sum", "hard"), ("softmax", "hard")
    for coverage, alpha, color in itertools.product(*names):
        members: Arrays = {"coverage": coverage, "alpha": alpha, "color": color}
        case = Case(image(**members), x)
        yield f"{coverage}, {alpha}, {color}", case
        if alpha == "prod":
            yield f"{coverage}, {alpha}, {color}, float64", replace(case, dtype=np.float64)
        if color == "softmax":
            yield f"silhouettes: {coverage}, {alpha}", Case(outline(**members), outlined(x))
    yield "silhouettes, float64", Case(outline(), outlined(x), np.float64)
    yield from both("packed silhouettes", Case(outline(3), outlined(packed())))


def scene_cases() -> Cases:
    for kind in scenes.KINDS:
        x = faces_in_ndc(kind)
        yield f"scene: {kind}", Case(image(), x)
        yield f"scene: {kind}, hard", Case(image(color="hard"), x)
        yield f"scene: {kind}, silhouettes", Case(outline(), outlined(x))
        yield f"scene: {kind}, nearest points", Case(image(interpolation="nearest"), x)
    x = faces_in_ndc("tilted")
    for sigma, gamma in ((1e-5, 1e-6), (1e-3, 1e-3), (0.1, 1.0)):
        softness = {"sigma": np.array([sigma]), "gamma": np.array([gamma])}
        yield f"sigma {sigma}, gamma {gamma}", Case(image(), {**x, **softness})
    many = chosen(faces_in_ndc("overlapping", 1, 600), "face_vertices", "colors")
    many["face_vertices"][..., :2] *= np.linspace(0.1, 1, 600)[:, None, None]
    sharp: Arrays = {"height": 64, "width": 80, "sigma": 1e-4, "gamma": 1e-2}
    case = Case(image(**sharp), many)
    yield from both("many faces", case)
    long: Arrays = {**sharp, "height": 128, "width": 120}
    yield "many faces, long lists", Case(image(**long), many)
    yield "many faces, float64", replace(case, dtype=np.float64)
    yield "many faces, silhouettes", Case(outline(**sharp), outlined(many))


def option_cases() -> Cases:
    x = faces_in_ndc("tilted")
    for_colors: Arrays = {"cull": "back", "cull_alpha": False}
    for name, options in {
        "cull back faces": {"cull": "back"},
        "cull front faces": {"cull": "front"},
        "cull from colours": for_colors,
        "cull from colours, hard": {**for_colors, "color": "hard"},
        "orthographic": {"orthographic": True},
        "orthographic, hard": {"orthographic": True, "color": "hard"},
        "affine": {"perspective_correct": False},
        "supersampling": {"supersampling": 3, "height": 11, "width": 13},
        "cut-off": {"coverage_cutoff": 1e-2},
        "portrait": {"height": 40, "width": 17},
        "one pixel": {"height": 1, "width": 1},
    }.items():
        yield name, Case(image(**options), x)
    yield "supersampled silhouettes", Case(outline(supersampling=2), outlined(x))
    for name, more in {
        "attributes": {"attributes": uniform(2, 12, 3, 2)},
        "background": {"background": uniform(1, 1, 1, 3)},
        "small backgrounds": {"background": uniform(2, 5, 7, 3)},
        "background of pixels": {"background": uniform(1, HEIGHT, WIDTH, 3)},
    }.items():
        yield from both(name, Case(image(), {**x, **more}))
    more = {"attributes": uniform(1, 12, 3, 4), "colors": x["colors"][:1]}
    yield "shared attributes, hard", Case(image(color="hard"), {**x, **more})
    numbers = functools.partial(image(), background=(0.1, 0.2, 0.3))
    yield "background of numbers", Case(numbers, x)
    for channels in (1, 6):
        yield f"channels: {channels}", Case(image(), faces_in_ndc(channels=channels))
    yield from both("packed faces", Case(image(3), packed()))
    yield "softness of settings", Case(image(), chosen(x, "face_vertices", "colors"))
    for name in ("face_vertices", "colors", "sigma"):
        others = tuple(other for other in x if other != name)
        yield f"gradient of {name} alone", Case(image(), x, constant=others)
    yield "no gradient", Case(image(), x, constant=tuple(x))
    none = {"face_vertices": np.zeros((2, 0, 3, 3)), "colors": np.zeros((1, 0, 3, 3))}
    yield "no faces", Case(image(), {**x, **none, "background": uniform(1, 4, 4, 3)})


def surface_texture(x: Arrays) -> sr.SurfaceTexture:
    return sr.SurfaceTexture(**taken(x, "texels"))


def uv_texture(x: Arrays, *, mipmaps: bool = False) -> sr.UVTexture:
    names = ("face_uvs", "texels", "maps", "face_maps")
    options = {"mipmaps": True} if mipmaps else {}
    return sr.UVTexture(**taken(x, *(name for name in names if name in x)), **options)


def textures(num_faces: int, num_items: int = 1) -> dict[str, tuple[Compute, Numbers]]:
    """How each texture is made, and of what."""
    one = {"face_uvs": 3 * uniform(num_items, num_faces, 3, 2) - 1, "texels": uniform(1, 6, 5, 3)}
    several = {
        "texels": uniform(1, 1, 60, 3),
        "maps": np.array([[0, 6, 5, 1], [30, 4, 7, 0], [58, 1, 2, 1]], np.int32),
        "face_maps": np.arange(num_faces, dtype=np.int32) % 3,
    }
    return {
        "surface": (surface_texture, {"texels": uniform(num_items, num_faces, 9, 3)}),
        "one texel": (surface_texture, {"texels": uniform(1, num_faces, 1, 3)}),
        "uv": (uv_texture, one),
        "uv, repeated": (uv_texture, {**one, "maps": np.array([[0, 6, 5, 0]], np.int32)}),
        "uv, clamped": (uv_texture, {**one, "maps": np.array([[0, 6, 5, 1]], np.int32)}),
        "several maps": (uv_texture, {**one, **several}),
        "mipmaps": (functools.partial(uv_texture, mipmaps=True), {**one, **several}),
    }


def textured(make: Compute, draw: Compute) -> Compute:
    return lambda **x: draw(colors=make(x), **x)


def texture_cases() -> Cases:
    x = faces_in_ndc("tilted")
    del x["colors"]
    for name, (make, arrays) in textures(12, 2).items():
        case = Case(textured(make, image()), {**x, **arrays}, unordered=("texels",))
        yield from both(f"texture: {name}", case)
        if name in ("surface", "several maps"):
            yield f"texture: {name}, float64", replace(case, dtype=np.float64)
            hard = textured(make, image(color="hard", supersampling=2))
            yield f"texture: {name}, hard, supersampled", replace(case, compute=hard)
            more = {**case.inputs, "attributes": uniform(1, 12, 3, 2)}
            yield f"texture: {name}, attributes", replace(case, inputs=more)
    make, arrays = textures(12)["mipmaps"]

    def fill(weights: Any, **x: Any) -> Any:
        return sr.fill_texels(make(x), weights)

    known = {"weights": 2 * uniform(1, 1, 60).round() * uniform(1, 1, 60)}
    case = Case(fill, {**arrays, **known}, constant=("face_uvs", "texels", "weights"))
    yield "texels filled in", case
    alone = packed()
    del alone["colors"]
    for name in ("surface", "several maps"):
        make, arrays = textures(17)[name]
        case = Case(textured(make, image(3)), {**alone, **arrays}, unordered=("texels",))
        yield f"texture: {name}, packed", case
