"""The drop-in for SoftRas: its names, arguments and defaults."""

import inspect

import pytest
from softras_shapes import icosphere

import taichi_softras.soft_renderer as sr
import taichi_softras.soft_renderer.functional as srf

RASTERIZER_DEFAULTS = {
    "image_size": 256,
    "background_color": (0, 0, 0),
    "near": 1,
    "far": 100,
    "fill_back": True,
    "eps": 1e-3,
    "sigma_val": 1e-5,
    "dist_func": "euclidean",
    "dist_eps": 1e-4,
    "gamma_val": 1e-4,
    "aggr_func_rgb": "softmax",
    "aggr_func_alpha": "prod",
    "texture_type": "surface",
}


CAMERA_DEFAULTS = {
    "camera_mode": "projection",
    "P": None,
    "dist_coeffs": None,
    "orig_size": 512,
    "perspective": True,
    "viewing_angle": 30,
    "viewing_scale": 1.0,
    "eye": None,
    "camera_direction": (0, 0, 1),
}


LIGHT_DEFAULTS = {
    "light_mode": "surface",
    "light_intensity_ambient": 0.5,
    "light_color_ambient": (1, 1, 1),
    "light_intensity_directionals": 0.5,
    "light_color_directionals": (1, 1, 1),
    "light_directions": (0, 1, 0),
}


def with_anti_aliasing(defaults):
    items = list(defaults.items())
    return dict([*items[:4], ("anti_aliasing", False), *items[4:]])


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (srf.soft_rasterize, RASTERIZER_DEFAULTS),
        (sr.SoftRasterizer, {**with_anti_aliasing(RASTERIZER_DEFAULTS), "fill_back": False}),
        (sr.Transform, CAMERA_DEFAULTS),
        (
            sr.SoftRenderer,
            with_anti_aliasing(RASTERIZER_DEFAULTS) | CAMERA_DEFAULTS | LIGHT_DEFAULTS,
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_arguments_are_softras_s_in_its_order(function, expected):
    parameters = inspect.signature(function).parameters.values()
    found = {p.name: p.default for p in parameters if p.default is not p.empty}
    assert list(found.items()) == list(expected.items())


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: sr.SoftRasterizer(dist_func="euclid"), "dist_func"),
        (lambda: sr.SoftRasterizer(aggr_func_rgb="mean"), "aggr_func_rgb"),
        (lambda: sr.SoftRasterizer(aggr_func_alpha="max"), "aggr_func_alpha"),
        (lambda: sr.SoftRasterizer(texture_type="uv"), "texture_type"),
        (lambda: sr.SoftRenderer(camera_mode="orbit"), "camera_mode"),
        (lambda: sr.SoftRenderer(camera_mode="look", light_mode="face"), "light_mode"),
        (lambda: sr.SoftRenderer(camera_mode="look").set_texture_mode("uv"), "mode"),
        (lambda: sr.Mesh(*icosphere(), texture_type="uv"), "texture_type"),
        (lambda: srf.load_obj("mesh.obj", texture_type="uv"), "texture_type"),
        (lambda: srf.save_obj("mesh.obj", *icosphere(), texture_type="uv"), "texture_type"),
    ],
)
def test_unknown_words_are_refused(make, word):
    with pytest.raises(ValueError, match=f"^{word} must be one of"):
        make()
