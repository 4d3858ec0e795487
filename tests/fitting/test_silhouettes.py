"""Fitting to silhouettes: both frameworks, its options, and what it refuses."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

import taichi_softras as sr
from taichi_softras.fitting.descent import start_descent
from taichi_softras.fitting.silhouettes import fitting_settings, view_batches

VIEWS, SIZE = 6, 24
OPTIONS = sr.SilhouetteFitOptions(steps=30)


@pytest.fixture(scope="module")
def target():
    """What is seen of a cube: cameras and masks."""
    mesh = sr.cube()
    camera = sr.surround_mesh(mesh, VIEWS)
    settings = sr.RasterizerSettings(height=SIZE, width=SIZE, sigma=1e-4)
    vertices, faces, _ = mesh.to_taichi()
    return camera, sr.render_silhouette(vertices, faces, camera, settings).to_numpy()


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        np.ndarray.tolist,
        sr.from_numpy,
        torch.tensor,
        lambda x: torch.tensor(x).double(),
    ],
    ids=["numpy", "lists", "taichi", "torch", "torch float64"],
)
def test_the_sphere_becomes_the_cube(convert, target):
    camera, masks = target
    fitted, losses = sr.fit_silhouettes(sr.icosphere(2), convert(masks), camera, OPTIONS)
    assert len(losses) == OPTIONS.steps
    assert losses[-1] < 0.5 * losses[0]
    # A cube reaches farther along its diagonals than along its axes; the sphere did not.
    directions = np.abs(fitted.vertices) / np.linalg.norm(fitted.vertices, axis=1, keepdims=True)
    reach = np.linalg.norm(fitted.vertices, axis=1)
    along_diagonals, along_axes = directions.min(axis=1) > 0.45, directions.max(axis=1) > 0.97
    assert reach[along_diagonals].mean() > 1.15 * reach[along_axes].mean()


def test_frameworks_take_the_same_steps(target):
    camera, masks = target
    options = dataclasses.replace(OPTIONS, steps=6, batch=4, refinements=1, final_sigma=1e-5)
    fits = [
        sr.fit_silhouettes(sr.icosphere(1), x, camera, options)
        for x in (masks, torch.tensor(masks))
    ]
    (by_taichi, taichi_losses), (by_torch, torch_losses) = fits
    np.testing.assert_allclose(taichi_losses, torch_losses, rtol=1e-4)
    np.testing.assert_allclose(by_taichi.vertices, by_torch.vertices, atol=1e-3)
    assert by_taichi.num_faces == by_torch.num_faces == 4 * sr.icosphere(1).num_faces


def test_so_do_large_ones(target):
    camera, masks = target
    options = dataclasses.replace(
        OPTIONS, steps=6, smoothness=5.0, remeshings=2, coarsest=0.3, finest=0.2
    )
    fits = [
        sr.fit_silhouettes(sr.icosphere(1), x, camera, options)
        for x in (masks, torch.tensor(masks))
    ]
    (by_taichi, taichi_losses), (by_torch, torch_losses) = fits
    np.testing.assert_allclose(taichi_losses, torch_losses, rtol=1e-3)
    np.testing.assert_array_equal(by_taichi.faces, by_torch.faces)
    np.testing.assert_allclose(by_taichi.vertices, by_torch.vertices, atol=1e-3)


def test_large_steps_move_the_mesh_as_one(target):
    """Beside a vertex that is pulled its neighbours move, too."""
    camera, masks = target
    moved = []
    for smoothness in (0.0, 50.0):
        options = dataclasses.replace(
            OPTIONS, steps=1, smoothness=smoothness, laplacian=0.0, flattening=0.0
        )
        fitted, _ = sr.fit_silhouettes(sr.icosphere(3), masks, camera, options)
        steps = fitted.vertices - sr.icosphere(3).vertices
        ends = steps[fitted.faces]
        moved.append(np.linalg.norm(np.diff(ends, axis=1), axis=2).mean() / np.abs(steps).mean())
    assert moved[1] < 0.2 * moved[0]


@pytest.mark.parametrize("smoothness", [0.0, 5.0])
@pytest.mark.parametrize("convert", [np.asarray, torch.tensor], ids=["taichi", "torch"])
def test_gradient_is_that_of_the_loss(convert, smoothness, target):
    camera, masks = target
    mesh, masks = sr.icosphere(1), convert(masks)
    settings = dataclasses.replace(fitting_settings(mesh, masks, camera), sigma=1e-3)
    weights = {"laplacian": 0.03, "flattening": 3e-4}

    def measure(mesh):
        descent = start_descent(mesh, masks, smoothness)
        return descent.measure(camera, settings, **weights), descent.gradient

    loss, gradient = measure(mesh)
    # A small step down the gradient lowers the loss by about its squared length.
    rate = 2e-3 * loss / np.square(gradient).sum()
    lower, _ = measure(mesh.with_vertices(mesh.vertices - rate * gradient))
    assert lower - loss == pytest.approx(-2e-3 * loss, rel=0.1)


def test_any_cameras_serve(target):
    camera, masks = target
    like = torch.zeros(1, 1, 3, dtype=torch.float64)
    view = camera.view_matrix(like).numpy()
    view[:, 1] *= -1  # in OpenCV's frame y is down
    extrinsics = sr.Extrinsics(view[:, :3, :3], view[:, :3, 3])
    focal, middle = SIZE / 2 / np.tan(np.radians(15)), (SIZE - 1) / 2
    matrix = [[focal, 0, middle], [0, focal, middle], [0, 0, 1]]
    posed = sr.PosedCamera(extrinsics, sr.Intrinsics(matrix, SIZE, SIZE))
    options = dataclasses.replace(OPTIONS, steps=4, batch=2)
    losses = [
        sr.fit_silhouettes(sr.icosphere(1), masks, kind, options)[1] for kind in (camera, posed)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-3)


def test_each_step_is_told_of(target):
    camera, masks = target
    seen = []
    options = dataclasses.replace(OPTIONS, steps=5, refinements=1)
    fitted, _ = sr.fit_silhouettes(sr.icosphere(0), masks, camera, options, on_step=seen.append)
    assert [mesh.num_faces for mesh in seen] == [20, 20, 80, 80, 80]
    np.testing.assert_array_equal(seen[-1].vertices, fitted.vertices)


def test_refinements_are_spread_over_the_first_part():
    options = sr.SilhouetteFitOptions(steps=100, refinements=2)
    assert options.refinement_steps == (20, 40)
    assert sr.SilhouetteFitOptions().refinement_steps == ()


def test_remeshings_are_spread_over_all_steps():
    options = sr.SilhouetteFitOptions(steps=90, remeshings=3, coarsest=0.16, finest=0.04)
    assert options.remeshing_lengths == pytest.approx({0: 0.16, 30: 0.08, 60: 0.04})
    once = sr.SilhouetteFitOptions(steps=90, remeshings=1, coarsest=0.16, finest=0.04)
    assert once.remeshing_lengths == pytest.approx({0: 0.04})
    assert sr.SilhouetteFitOptions().remeshing_lengths == {}


def test_sigma_goes_from_first_to_last():
    options = sr.SilhouetteFitOptions(steps=10, sigma=1e-3, final_sigma=1e-5)
    assert options.sigma_schedule(0) == pytest.approx(1e-3)
    assert options.sigma_schedule(10) == pytest.approx(1e-5)
    assert sr.SilhouetteFitOptions(sigma=1e-3).sigma_schedule(9) == pytest.approx(1e-3)


def test_batches_take_turns():
    batches = view_batches(7, 3)
    chosen = [next(batches).tolist() for _ in range(14)]
    assert all(row == sorted(set(row)) for row in chosen if len(set(row)) == 3)
    counts = np.bincount(np.concatenate(chosen), minlength=7)
    assert counts.tolist() == [6] * 7
    assert next(view_batches(7, None)) is None
    assert next(view_batches(7, 7)) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"refinements": -1}, "refinements must be at least 0, got -1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0"),
        ({"sigma": -1.0}, "sigma must be above 0, got -1"),
        ({"final_sigma": 0.0}, "final_sigma must be above 0, got 0"),
        ({"laplacian": -1.0}, "laplacian must be at least 0, got -1"),
        ({"smoothness": -1.0}, "smoothness must be at least 0, got -1"),
        ({"remeshings": -1}, "remeshings must be at least 0, got -1"),
        ({"coarsest": 0.0}, "coarsest must be above 0, got 0"),
        ({"finest": 0.0}, "finest must be above 0, got 0"),
        ({"remeshings": 1, "refinements": 2}, "refinements must be 0 where a mesh is remeshed"),
        ({"flattening": float("nan")}, "flattening must be finite, got nan"),
    ],
)
def test_options_refuse(options, message):
    with pytest.raises(ValueError, match=message):
        sr.SilhouetteFitOptions(**options)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda masks: masks[0], ValueError, r"masks must have shape \(B, H, W\), got \(24, 24\)"),
        (lambda masks: masks[:0], ValueError, r"\(0, 24, 24\)"),
        (lambda masks: masks[:3], ValueError, "got 3 masks and 6 cameras"),
        (lambda masks: torch.tensor(masks) > 0, TypeError, "must be float32 or float64"),
        (lambda masks: masks.astype(str), TypeError, "masks must be numbers"),
    ],
)
def test_masks_are_refused(change, error, message, target):
    camera, masks = target
    with pytest.raises(error, match=message):
        sr.fit_silhouettes(sr.icosphere(0), change(masks), camera)


def test_meshes_are_refused(target):
    camera, masks = target
    empty = sr.Mesh(np.zeros((3, 3)), np.zeros((0, 3), dtype=int))
    with pytest.raises(ValueError, match="must have faces, got none"):
        sr.fit_silhouettes(empty, masks, camera)
    behind = sr.PosedCamera(sr.Look(eye=(0, 0, 5), direction=(0, 0, 1)), sr.Perspective())
    with pytest.raises(ValueError, match="some vertex must be in front of a camera"):
        sr.fit_silhouettes(sr.icosphere(0), masks[:1], behind)


def test_pytorch_is_not_imported(tmp_path):
    # A PyTorch that ends the program which imports it.
    (tmp_path / "torch.py").write_text("raise SystemExit('PyTorch was imported')")
    program = """
import numpy as np, taichi_softras as sr
camera = sr.surround_mesh(sr.cube(), 2)
options = sr.SilhouetteFitOptions(steps=1)
sr.fit_silhouettes(sr.icosphere(0), np.zeros((2, 8, 8)), camera, options)
"""
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{program}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
