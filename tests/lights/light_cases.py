"""Lights of every kind, with inputs to shade and the reference, for the tests of light."""

import pytest
import reference
import torch

import taichi_softras as sr

KINDS = {
    "ambient": ("ambient",),
    "directional": ("directional", "directional", "directional"),
    "point": ("point", "point"),
    "spherical_harmonics": ("spherical_harmonics",),
    "all": ("point", "ambient", "spherical_harmonics", "directional", "point"),
}


PART_SHAPES = {
    "ambient": {"color": (3,)},
    "directional": {"color": (3,), "direction": (3,)},
    "point": {"color": (3,), "position": (3,), "attenuation": (3,)},
    "spherical_harmonics": {"coefficients": (9, 3)},
}


CLASSES = {
    "ambient": sr.AmbientLight,
    "directional": sr.DirectionalLight,
    "point": sr.PointLight,
    "spherical_harmonics": sr.SphericalHarmonicsLight,
}


def normal(rng, *shape):
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def light_inputs(kinds, rng, num_items=1):
    """Arrays of lights, by the number of the light and the name of the part: "0 color"."""
    inputs = {}
    for i, kind in enumerate(kinds):
        for name, shape in PART_SHAPES[kind].items():
            inputs[f"{i} {name}"] = normal(rng, num_items, *shape)
            if name in ("color", "attenuation"):
                inputs[f"{i} {name}"] = inputs[f"{i} {name}"].abs() + 0.1
            if name == "position":
                inputs[f"{i} {name}"] *= 3
    return inputs


def gloss_inputs(rng, num_items=1):
    return {
        "specular": normal(rng, num_items, 3).abs(),
        "shininess": 3 + normal(rng, num_items).abs(),
        "eye": 4 * normal(rng, num_items, 3),
    }


def lighting_of(kinds, inputs, **options):
    """Take what lights are made of out of ``inputs``; return it as lights."""
    lights = tuple(
        CLASSES[kind](**{name: inputs.pop(f"{i} {name}") for name in PART_SHAPES[kind]})
        for i, kind in enumerate(kinds)
    )
    gloss = {name: inputs.pop(name) for name in ("specular", "shininess") if name in inputs}
    return sr.Lighting(lights=lights, **gloss, **options)


def reference_shade(kinds, inputs, two_sided=False):
    inputs = dict(inputs)
    lights = [
        (kind, *(inputs.pop(f"{i} {name}") for name in PART_SHAPES[kind]))
        for i, kind in enumerate(kinds)
    ]
    return reference.shade(inputs.pop("colors"), lights=lights, two_sided=two_sided, **inputs)


def shade(kinds, inputs, two_sided=False):
    inputs = dict(inputs)
    lighting = lighting_of(kinds, inputs, two_sided=two_sided)
    colors, normals = inputs.pop("colors"), inputs.pop("normals")
    return sr.shade(colors, normals, lighting, **inputs)


def shade_inputs(kinds, glossy, rng, items=(1, 1, 1, 1)):
    return {
        "colors": normal(rng, items[0], 7, 3),
        "normals": normal(rng, items[1], 7, 3),
        "positions": normal(rng, items[2], 7, 3),
        **light_inputs(kinds, rng, items[3]),
        **(gloss_inputs(rng, items[3]) if glossy else {}),
    }


ITEMS = [(1, 1, 1, 1), (3, 1, 1, 1), (1, 3, 1, 1), (1, 1, 3, 1), (1, 1, 1, 3), (2, 2, 2, 2)]


def face_inputs(kinds, glossy, rng, items=(1, 1, 1)):
    return {
        "colors": normal(rng, items[0], 5, 3, 3),
        "points": normal(rng, items[1], 5, 3, 3),
        **light_inputs(kinds, rng, items[2]),
        **(gloss_inputs(rng, items[2]) if glossy else {}),
    }


def shade_faces(kinds, inputs, two_sided=False):
    inputs = dict(inputs)
    lighting = lighting_of(kinds, inputs, two_sided=two_sided)
    return sr.shade_faces(inputs["colors"], inputs["points"], lighting, eye=inputs.get("eye"))


DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
TWO_SIDED = pytest.mark.parametrize("two_sided", [False, True], ids=["one_sided", "two_sided"])
