"""What lights and shading refuse, and in which words."""

import math

import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"ambient": 0.5}, "ambient must be an array or 3 finite numbers, got 0.5"),
        ({"diffuse": (1, 2)}, "diffuse must be an array or 3 finite numbers"),
        ({"direction": (0, 0, math.nan)}, "direction must be an array or 3 finite numbers"),
        ({"direction": (0, 0, 0)}, "direction must not be zero"),
    ],
)
def test_light_refuses(option, words):
    with pytest.raises(ValueError, match=words):
        sr.Light(**option)


ARRAY = torch.ones(1, 3, dtype=torch.float64)
AMBIENT = sr.AmbientLight((1, 1, 1))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: sr.AmbientLight((1, 2)), ValueError, "color must be an array or 3 finite"),
        (lambda: sr.AmbientLight(math.nan), ValueError, "color must be an array or 3 finite"),
        (lambda: sr.DirectionalLight((1, 1, 1), (0, 0, 0)), ValueError, "must not be zero"),
        (
            lambda: sr.DirectionalLight(ARRAY, [(0, 1, 0), (0, 0, 0)]),
            ValueError,
            "direction must not be zero",
        ),
        (lambda: sr.PointLight((1, 1, 1), (0, 1)), ValueError, "position must be an array or 3"),
        (
            lambda: sr.PointLight((1, 1, 1), (0, 1, 0), (0, 0, 0)),
            ValueError,
            "attenuation must have none below 0, and not all 0",
        ),
        (
            lambda: sr.PointLight((1, 1, 1), (0, 1, 0), (1, -1, 0)),
            ValueError,
            "attenuation must have none below 0",
        ),
        (
            lambda: sr.SphericalHarmonicsLight(np.zeros((3, 9))),
            ValueError,
            "coefficients must be an array or 9 x 3 finite numbers",
        ),
        (lambda: sr.Lighting(lights=()), ValueError, "lights must not be empty"),
        (lambda: sr.Lighting(lights=AMBIENT), TypeError, "lights must be a tuple of lights, got A"),
        (lambda: sr.Lighting(lights=(sr.Light(),)), TypeError, "must be a tuple of lights"),
        (lambda: sr.Lighting(lights=(AMBIENT,), two_sided=1), TypeError, "two_sided must be True"),
        (
            lambda: sr.Lighting(lights=(AMBIENT,), shading="phong"),
            ValueError,
            "shading must be one",
        ),
        (lambda: sr.Lighting(lights=(AMBIENT,), shininess=0), ValueError, "must be above 0, got 0"),
        (lambda: sr.Lighting(lights=(AMBIENT,), specular=1), ValueError, "specular must be an arr"),
    ],
)
def test_lights_refuse(make, error, words):
    with pytest.raises(error, match=words):
        make()


POINT = sr.Lighting(lights=(sr.PointLight((1, 1, 1), (0, 9, 0)),))
GLOSSY = sr.Lighting(lights=(sr.DirectionalLight((1, 1, 1), (0, 1, 0)),), specular=ARRAY)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: sr.shade(x, x, POINT), ValueError, "positions are needed for point lights"),
        (lambda x: sr.shade(x, x, GLOSSY), ValueError, "positions are needed"),
        (lambda x: sr.shade(x, x, GLOSSY, positions=x), ValueError, "eye is needed for a specular"),
        (
            lambda x: sr.shade(x, x, POINT, positions=x[:, :2]),
            ValueError,
            "positions must have shape",
        ),
        (lambda x: sr.shade(x, x, POINT, positions=1), TypeError, "positions must be a torch"),
        (
            lambda x: sr.shade(x, x, GLOSSY, positions=x, eye=(1, 2)),
            ValueError,
            "eye must be an array or 3 finite numbers",
        ),
        (
            lambda x: sr.shade(x, x, GLOSSY, positions=x, eye=ARRAY.float()),
            TypeError,
            "eye must be float64",
        ),
        (lambda x: sr.shade(x, x, 1), TypeError, "light must be a Lighting or a Light, got int"),
        (
            lambda x: sr.shade(x, x, sr.Lighting(lights=(sr.SphericalHarmonicsLight(ARRAY),))),
            ValueError,
            r"lights\[0\].coefficients must have shape \(B or 1, 9, 3\)",
        ),
        (
            lambda x: sr.shade(
                x,
                x,
                sr.Lighting(
                    lights=(sr.AmbientLight([[1] * 3] * 2), sr.AmbientLight([[1] * 3] * 3))
                ),
            ),
            ValueError,
            r"lights\[0\].color must have shape \(3 or 1, 3\)",
        ),
        (lambda x: sr.face_normals(x), ValueError, "face_points must have shape"),
        (
            lambda x: sr.shade_faces(x[:, None], x[:, None, :3], sr.Light()),
            ValueError,
            "face_colors must have shape",
        ),
        (
            lambda x: sr.shade_faces(x[:, None, :3], x[:, None], sr.Light()),
            ValueError,
            "face_points must have shape",
        ),
        (
            lambda x: sr.shade_faces(x[:, None, :3], x[:, None, :3].float(), sr.Light()),
            TypeError,
            "face_points must be float64",
        ),
        (
            lambda x: sr.shade_faces(x[:, None, :3], x[:, None, :3], GLOSSY),
            ValueError,
            "eye is needed",
        ),
    ],
)
def test_shading_refuses(call, error, words):
    vertices, _ = scenes.octahedron()
    with pytest.raises(error, match=words):
        call(vertices)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x, f: sr.shade(x[..., :2], x, sr.Light()), ValueError, "colors must have shape"),
        (lambda x, f: sr.shade(x, x.float(), sr.Light()), TypeError, "normals must be float64"),
        (
            lambda x, f: sr.shade(x, x, sr.Light(diffuse=torch.ones(1, 3))),
            TypeError,
            r"lights\[1\].color must be float64",
        ),
        (
            lambda x, f: sr.shade(
                x.repeat(2, 1, 1), x, sr.Light(ambient=torch.ones(3, 3).double())
            ),
            ValueError,
            "colors must have shape",
        ),
        (
            lambda x, f: sr.render(
                *(x, f, x[..., :2], sr.LookAtCamera((0, 0, 3))),
                sr.RasterizerSettings(height=2, width=2),
                light=sr.Light(),
            ),
            ValueError,
            "colors must have shape",
        ),
        (lambda x, f: sr.vertex_normals(x, f + 9), ValueError, "faces must have indices from"),
    ],
)
def test_functions_refuse(call, error, words):
    with pytest.raises(error, match=words):
        call(*scenes.octahedron())
