"""Images against numbers that SoftRas's own kernels computed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from closeness import assert_within

import taichi_softras as sr

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "index.json").read_text())


def golden_settings(case, *, cull="none"):
    return sr.RasterizerSettings(
        height=24,
        width=24,
        near=case["near"],
        far=case["far"],
        sigma=case["sigma"],
        gamma=case["gamma"],
        eps=2 * case["eps"],  # SoftRas's code counts it twice
        coverage_cutoff=case["dist_eps"],
        perspective_correct=False,
        interpolation="clipped",
        cull=cull,
    )


def draw_golden(case, arrays, dtype):
    """Draw as SoftRas does, and return its image and the gradients of what was drawn from."""
    given = torch.tensor(arrays["face_vertices"], dtype=dtype, requires_grad=True)
    turned = not case["double_sided"]
    parts = []
    textures = None
    if case["compare"] != "alpha":
        textures = torch.tensor(arrays["face_textures"], dtype=dtype, requires_grad=True)
        # Its front faces are clockwise, ours are not.
        order = [2, 1, 0] if turned else [0, 1, 2]
        settings = golden_settings(case, cull="back" if turned else "none")
        image = sr.rasterize(
            given[:, :, order], textures[:, :, order], settings, background=case["background"]
        )
        parts.append(image[..., :3])
    if case["compare"] != "color":
        parts.append(sr.rasterize_silhouette(given, golden_settings(case))[..., None])
    return torch.cat(parts, dim=-1).permute(0, 3, 1, 2), given, textures


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_matches_softras(case):
    arrays = np.load(GOLDEN / f"{case['name']}.npz")
    image, vertices, textures = draw_golden(case, arrays, torch.float64)
    assert_within(image, torch.tensor(arrays["image"]), atol=1e-6)

    def assert_close(actual, expected):
        assert (actual - expected).norm() <= 1e-5 * expected.norm()

    grad_image = torch.tensor(arrays["grad_image"])
    image.backward(grad_image, retain_graph=True)
    if textures is not None:
        assert_close(textures.grad, torch.tensor(arrays["grad_face_textures"]))
    if case["compare"] == "image":
        expected = torch.tensor(arrays["grad_face_vertices"])[..., 2]  # its x and y are wrong
        assert_close(vertices.grad[..., 2], expected)
    if case["compare"] != "color":
        alpha_only = grad_image.clone()
        alpha_only[:, :-1] = 0
        (grad,) = torch.autograd.grad(image, vertices, alpha_only)
        expected = torch.tensor(arrays["grad_face_vertices_alpha"])
        assert_close(grad[..., :2], expected[..., :2])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_float32_matches_softras_nearly_everywhere(case):
    arrays = np.load(GOLDEN / f"{case['name']}.npz")
    image, _, _ = draw_golden(case, arrays, torch.float32)
    far_off = (image.detach() - torch.tensor(arrays["image"])).abs() > 1e-3
    assert far_off.any(1).double().mean() <= 1e-3
