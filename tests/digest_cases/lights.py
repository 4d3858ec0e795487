"""Meshes under lights."""

import functools
import itertools
from dataclasses import replace
from typing import Any

import numpy as np

import taichi_softras as sr
from digest_cases.cameras import LOOK_AT, mesh, render, shape
from digest_cases.cases import Arrays, Case, Cases, Compute, both, chosen, taken, uniform
from digest_cases.faces import textures

LIGHT = {
    "ambient": np.array([[0.3, 0.4, 0.5]]),
    "diffuse": np.array([[0.6, 0.5, 0.4]]),
    "direction": np.array([[0.3, 1.0, -0.5]]),
}


POINT = {
    "color": np.array([[2.0, 3.0, 4.0]]),
    "position": np.array([[1.5, 2.0, 1.0], [-1.5, 1.0, 2.0]]),
    "attenuation": np.array([[0.3, 0.2, 0.5]]),
}


HARMONICS = {"coefficients": uniform(1, 9, 3) - 0.2}


GLOSS = {"specular": np.array([[0.5, 0.6, 0.7]]), "shininess": np.array([8.0, 12.0])}


LIGHTS = {**LIGHT, **POINT, **HARMONICS, **GLOSS}


def short_light(x: Arrays) -> sr.Light:
    return sr.Light(**taken(x, *LIGHT))


def all_lights(x: Arrays, shading: str = "vertex", two_sided: bool = False) -> sr.Lighting:
    lights = (
        sr.AmbientLight(x.pop("ambient")),
        sr.DirectionalLight(x.pop("diffuse"), x.pop("direction")),
        sr.PointLight(**taken(x, *POINT)),
        sr.SphericalHarmonicsLight(**taken(x, *HARMONICS)),
    )
    gloss = taken(x, *(name for name in GLOSS if name in x))
    return sr.Lighting(lights=lights, shading=shading, two_sided=two_sided, **gloss)


def single_light(make: Compute, names: tuple[str, ...]) -> Compute:
    return lambda x: sr.Lighting(lights=(make(*taken(x, *names).values()),))


def light_cases() -> Cases:
    x = {**mesh(), **LOOK_AT}
    case = Case(render(light=short_light), {**x, **LIGHT})
    yield from both("light", case)
    yield "light, float64", replace(case, dtype=np.float64)
    yield "light of numbers", Case(render(light=lambda x: sr.Light()), x)
    kinds: tuple[tuple[Compute, tuple[str, ...]], ...] = (
        (sr.AmbientLight, ("ambient",)),
        (sr.DirectionalLight, ("diffuse", "direction")),
        (sr.PointLight, tuple(POINT)),
        (sr.SphericalHarmonicsLight, tuple(HARMONICS)),
    )
    for make, names in kinds:
        inputs = {**x, **chosen(LIGHTS, *names)}
        yield f"lights: {', '.join(names)}", Case(render(light=single_light(make, names)), inputs)
    for shading, two_sided in itertools.product(("vertex", "face", "fragment"), (False, True)):
        light = functools.partial(all_lights, shading=shading, two_sided=two_sided)
        case = Case(render(light=light), {**x, **LIGHTS})
        case = replace(case, unordered=("*",) if shading == "fragment" else ())
        name = f"lights: {shading}, {'two-sided' if two_sided else 'one-sided'}"
        yield f"{name}, float64", replace(case, dtype=np.float64)
        if shading == "face":  # with highlights, the gradient crashes Taichi 1.7.4 in float32
            case = replace(case, inputs={**x, **LIGHT, **POINT, **HARMONICS})
        yield from both(name, case)
    for name, shading in itertools.product(("surface", "uv"), ("face", "fragment")):
        make, arrays = textures(80)[name]
        lit = render(texture=make, light=functools.partial(all_lights, shading=shading))
        inputs = {**shape(), **LOOK_AT, **LIGHTS, **arrays}
        yield f"lights: {shading}, {name}", Case(lit, inputs, unordered=("*",))

    def shade(vertices: Any, faces: Any, colors: Any, eye: Any, **x: Any) -> Arrays:
        light = all_lights(x)
        normals, corners = sr.vertex_normals(vertices, faces), sr.gather(vertices, faces)
        return {
            "normals of vertices": normals,
            "normals of faces": sr.face_normals(corners),
            "corners": corners,
            "vertices": sr.shade(colors, normals, light, positions=vertices, eye=eye),
            "faces": sr.shade_faces(sr.gather(colors, faces), corners, light, eye=eye),
        }

    yield "shading", Case(shade, {**mesh(2), **LIGHTS, "eye": LOOK_AT["eye"]}, np.float64)
