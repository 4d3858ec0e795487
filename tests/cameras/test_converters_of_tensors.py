"""Converters of cameras: tensors and their gradients, arrays, refusals."""

import gradients
import numpy as np
import pytest
import torch
from converter_cases import (
    DISTORTION,
    EYES,
    HEIGHT,
    MATRIX,
    ROTATION,
    TRANSLATION,
    WIDTH,
    WORLD,
    camera_of,
    rotation_about,
)

import taichi_softras as sr


def tensors(**values):
    return {name: torch.tensor(np.array(value, dtype=float)) for name, value in values.items()}


def from_colmap(quaternion, translation, matrix, distortion):
    return sr.camera_from_colmap(quaternion, translation, matrix, HEIGHT, WIDTH, distortion)


FROM_OTHERS = {
    "colmap": (
        from_colmap,
        tensors(
            quaternion=2 * sr.quaternion_from_rotation(ROTATION)[0],
            translation=TRANSLATION,
            matrix=2 * MATRIX,
            distortion=DISTORTION[None],
        ),
    ),
    "opengl": (
        sr.camera_from_opengl,
        tensors(
            modelview=[[0.8, 0, 0.6, 0.2], [0, 1, 0, 0.1], [-0.6, 0, 0.8, -6], [0, 0, 0, 1]],
            projection=[[1.5, 0, 0.2, 0], [0, 1.2, 0.1, 0], [0, 0, -1.1, -2.1], [0, 0, -1, 0]],
        ),
    ),
    **{
        f"pytorch3d, in_ndc={in_ndc}, orthographic={orthographic}": (
            lambda in_ndc=in_ndc, orthographic=orthographic, **arrays: sr.camera_from_pytorch3d(
                **arrays, height=HEIGHT, width=WIDTH, in_ndc=in_ndc, orthographic=orthographic
            ),
            tensors(
                rotation=[rotation_about([1, 2, -1], angle) for angle in (35, 20)],
                translation=[[0.2, 0.1, 6], [0, 0, 5]],
                focal_length=[1.2, 1.5],
                principal_point=[[0.2, 0.1], [0.1, 0]],
            ),
        )
        for in_ndc in (True, False)
        for orthographic in (True, False)
    },
}


# --- Tensors ----------------------------------------------------------------------------------


@pytest.mark.gradcheck
@pytest.mark.parametrize("program", FROM_OTHERS)
def test_gradients_flow_from_what_others_have(program, rng):
    build, arrays = FROM_OTHERS[program]
    world = torch.tensor(WORLD[:5])[None]
    numbers = build(**{name: array.numpy() for name, array in arrays.items()})

    def project(**arrays):
        return sr.project(world, build(**arrays), WIDTH / HEIGHT)

    found = project(**arrays)
    torch.testing.assert_close(found, sr.project(world, numbers, WIDTH / HEIGHT))
    gradients.assert_gradients_match(project, arrays, rng)


@pytest.mark.gradcheck
@pytest.mark.parametrize("program", ["opencv", "colmap", "opengl", "pytorch3d"])
def test_gradients_flow_to_what_others_want(program, rng):
    convert = {
        "opencv": lambda camera: sr.camera_to_opencv(camera, HEIGHT, WIDTH)[:3],
        "colmap": lambda camera: sr.camera_to_colmap(camera, HEIGHT, WIDTH)[:3],
        "opengl": lambda camera: sr.camera_to_opengl(camera, WIDTH / HEIGHT, 1.0, 9.0),
        "pytorch3d": lambda camera: sr.camera_to_pytorch3d(camera, HEIGHT, WIDTH),
    }[program]

    def flatten(eye, fov_degrees):
        camera = sr.LookAtCamera(eye, up=(0.1, 1, 0.2), fov_degrees=fov_degrees)
        return torch.cat([part.flatten() for part in convert(camera)])

    arrays = {"eye": torch.tensor(EYES), "fov_degrees": torch.tensor([40.0, 50, 60]).double()}
    numbers = convert(sr.LookAtCamera(EYES, up=(0.1, 1, 0.2), fov_degrees=[40.0, 50, 60]))
    assert all(isinstance(part, np.ndarray) for part in numbers)
    expected = np.concatenate([part.ravel() for part in numbers])
    assert flatten(**arrays) == pytest.approx(expected, abs=1e-12)
    gradients.assert_gradients_match(flatten, arrays, rng)


@pytest.mark.gradcheck
@pytest.mark.parametrize("degrees", [20, 170])
@pytest.mark.parametrize("axis", [(1, 0.2, 0.1), (0.1, 1, 0.3), (0.2, 0.1, -1)])
def test_gradients_of_quaternions(axis, degrees, rng):
    """In each of the four cases that quaternions are taken by."""
    rotation = torch.tensor(rotation_about(axis, degrees))[None]
    gradients.assert_gradients_match(sr.quaternion_from_rotation, {"rotation": rotation}, rng)
    quaternion = 2 * sr.quaternion_from_rotation(rotation)
    gradients.assert_gradients_match(sr.rotation_from_quaternion, {"quaternion": quaternion}, rng)
    torch.testing.assert_close(sr.rotation_from_quaternion(quaternion), rotation)


def test_tensors_keep_their_type():
    quaternion = torch.tensor([1.0, 0, 0, 0])
    assert sr.rotation_from_quaternion(quaternion).dtype == torch.float32
    camera = sr.camera_from_opengl(torch.eye(4), np.eye(4), orthographic=True)
    assert camera.view.dtype == torch.float32
    assert camera.projection.dtype == np.float64
    assert sr.project(torch.zeros(1, 1, 3), camera, 1.0).dtype == torch.float32
    with pytest.raises(TypeError, match="quaternion must be float32 or float64, got"):
        sr.rotation_from_quaternion(torch.tensor([1, 0, 0, 0]))


# --- Arrays and refusals ----------------------------------------------------------------------


def test_cameras_of_arrays():
    fov = torch.tensor([40.0, 50.0], requires_grad=True)
    camera = sr.LookAtCamera((0, 1, 3), fov_degrees=fov)
    *_, matrix, _ = sr.camera_to_opencv(camera, 10, 20)
    found = matrix.detach()[:, 1, 1]  # a tensor, as the field of view is
    assert found == pytest.approx(5 / np.tan(np.radians([20, 25])), rel=1e-5)
    camera = sr.LookAtCamera((0, 1, 3), fov_degrees=sr.from_numpy(np.array([40.0])))
    *_, matrix, _ = sr.camera_to_opencv(camera, 10, 20)
    assert matrix[:, 1, 1] == pytest.approx(5 / np.tan(np.radians(20)))
    quaternion = sr.quaternion_from_rotation(torch.eye(3).repeat(3, 1, 1))
    assert quaternion == pytest.approx(np.array([[1, 0, 0, 0]] * 3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: sr.camera_to_opencv(camera_of("orthographic"), HEIGHT, WIDTH),
            "a perspective one",
        ),
        (lambda: sr.camera_to_opengl(camera_of("perspective"), 1.0, 2.0, 1.0), "0 < near < far"),
        (lambda: sr.camera_to_opengl(distorted(), WIDTH / HEIGHT, 1, 2), "must have no distortion"),
        (lambda: sr.camera_to_pytorch3d(distorted(), HEIGHT, WIDTH), "must have no distortion"),
        (lambda: sr.camera_to_pytorch3d(skewed(), HEIGHT, WIDTH), "must have no skew"),
        (lambda: sr.rotation_from_quaternion((1, 0, 0)), r"shape \(4\) or \(B, 4\)"),
        (lambda: sr.rotation_from_quaternion((0, 0, 0, 0)), "must not be zero"),
        (lambda: sr.quaternion_from_rotation(np.full((3, 3), np.nan)), "must be finite numbers"),
        (
            lambda: sr.camera_from_opengl(
                np.eye(4), np.stack([np.eye(4), np.roll(np.eye(4), 1, axis=1)])
            ),
            "orthographic in all items or in none",
        ),
    ],
)
def test_conversions_refuse(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def distorted():
    lens = sr.Intrinsics(np.diag([9.0, 9, 1]), HEIGHT, WIDTH, DISTORTION)
    return sr.PosedCamera(sr.Extrinsics(np.eye(3)), lens)


def skewed():
    return sr.PosedCamera(sr.Extrinsics(np.eye(3)), sr.Intrinsics(MATRIX, HEIGHT, WIDTH))
