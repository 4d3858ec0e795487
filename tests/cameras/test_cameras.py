"""Cameras against a few lines of PyTorch, SoftRas's own numbers, and their conventions."""

from pathlib import Path

import gradients
import numpy as np
import pytest
import reference
import scenes
import torch
from camera_points import HEIGHT, WIDTH, assert_same, points, rows
from closeness import assert_same_bits

import taichi_softras as sr
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.backend import ti

GOLDEN = Path(__file__).parents[1] / "golden"


# --- Against references -----------------------------------------------------------------------


@pytest.mark.parametrize("aspect", [1.0, 1.5, 0.4])
@pytest.mark.parametrize("num_vertices_items", [1, 2])
def test_matches_reference(num_vertices_items, aspect, rng):
    vertices, _ = scenes.bumpy_octahedron(rng, num_vertices_items)
    eye, at, up = points([1, 2, 4], [-3, 1, 2])[0], points([0.1, 0, 0.2])[0], points([0.1, 1, 0])[0]
    fov = torch.tensor([30.0, 70.0], dtype=torch.float64)
    ndc = sr.project(vertices, sr.LookAtCamera(eye, at, up, fov), aspect)
    view = reference.look_at(eye, at.expand(2, 3), up.expand(2, 3))
    assert_same(ndc, reference.project(vertices, view, fov, aspect))
    plain = sr.LookAtCamera(eye.numpy(), (0.1, 0, 0.2), [0.1, 1, 0], fov.numpy())
    assert_same(sr.project(vertices, plain, aspect), ndc)


def test_look_at_and_perspective_match_softras():
    """Its worlds are left-handed: for the same camera its images are mirrored."""
    arrays = np.load(GOLDEN / "camera_look_at.npz")
    eye = tuple(arrays["eye"])
    view = sr.LookAtCamera(eye).view_matrix(torch.zeros(1, dtype=torch.float64))
    vertices = torch.tensor(arrays["vertices"], dtype=torch.float64)
    seen = vertices @ view[:, :3, :3].mT + view[:, None, :3, 3]
    mirrored = seen * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    assert_same(mirrored, torch.tensor(arrays["out"], dtype=torch.float64), atol=1e-4)


def test_look_matches_softras():
    """It looks along a direction: at any point that way."""
    arrays = np.load(GOLDEN / "camera_look.npz")
    camera = sr.LookAtCamera(arrays["eye"], arrays["eye"] + arrays["direction"], arrays["up"])
    view = camera.view_matrix(torch.zeros(1, dtype=torch.float64))
    vertices = torch.tensor(arrays["vertices"], dtype=torch.float64)
    seen = vertices @ view[:, :3, :3].mT + view[:, None, :3, 3]
    mirrored = seen * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    assert_same(mirrored, torch.tensor(arrays["out"], dtype=torch.float64), atol=1e-4)


def test_perspective_matches_softras():
    """Its angle is half of the field of view."""
    arrays = np.load(GOLDEN / "camera_perspective.npz")
    vertices = torch.tensor(arrays["vertices"], dtype=torch.float64)
    projection = sr.perspective(torch.tensor([60.0], dtype=torch.float64), 1.0)
    camera = sr.MatrixCamera(torch.eye(4, dtype=torch.float64)[None], projection)
    expected = torch.tensor(arrays["out"], dtype=torch.float64)
    ndc = sr.project(vertices, camera, 1.0)
    assert_same(ndc[..., 2], vertices[..., 2])
    torch.testing.assert_close(ndc, expected, rtol=1e-4, atol=1e-4)


def test_orbit_matches_softras():
    """Its azimuth is the same, on the other side of the plane of x and y."""
    eye = np.load(GOLDEN / "camera_eye_from_angles.npz")["eye"]
    assert sr.orbit_eyes(2.732, 30, 35)[0] * [1, 1, -1] == pytest.approx(eye)


def test_matrix_camera_matches_matrix_products(rng):
    vertices, _ = scenes.bumpy_octahedron(rng)
    view, projection = torch.randn(2, 2, 4, 4, generator=rng, dtype=torch.float64)
    view[:, 2, 3] += 5
    view[:, 3] = torch.tensor([0.0, 0, 0, 1])
    homogeneous = torch.cat([vertices, torch.ones_like(vertices[..., :1])], dim=-1)
    seen = homogeneous @ view.mT
    clip = seen @ projection.mT
    expected = torch.cat([clip[..., :2] / clip[..., 3:], seen[..., 2:3]], dim=-1)
    ndc = sr.project(vertices, sr.MatrixCamera(view, projection), 1.0)
    torch.testing.assert_close(ndc, expected, rtol=1e-12, atol=1e-12)


def test_an_orthographic_projection_keeps_depth():
    projection = torch.diag(torch.tensor([0.5, 0.25, 0.0, 1.0], dtype=torch.float64))[None]
    camera = sr.MatrixCamera(torch.eye(4, dtype=torch.float64)[None], projection)
    ndc = sr.project(points([1, 2, 3], [1, 2, 7]), camera, 1.0)
    assert_same(ndc, points([0.5, 0.5, 3], [0.5, 0.5, 7]))


EYES = [[1.0, 2, 4], [-3, 1, 2], [0.5, -4, 1]]


MATRICES = [
    [[50.0, 2, 19], [0, 55, 14], [0, 0, 1]],
    [[40.0, 0, 22], [0, 35, 16], [0, 0, 1]],
    [[60.0, -1, 20], [0, 61, 13], [0, 0, 1]],
]


DISTORTIONS = [[-0.2, 0.1, 0.01, -0.02, 0.05], [0.1, 0, 0, 0, 0], [0, 0.02, -0.01, 0.03, 0]]


def rotations():
    """World to OpenCV's frame: y is down, and the camera looks at the origin from `EYES`."""
    view = reference.look_at(rows(EYES), torch.zeros(3, 3).double(), rows([[0, 1, 0]]).expand(3, 3))
    return torch.diag(rows([1, -1, 1])) @ view[:, :3, :3]


PARAMETERS = {
    # what each pose and lens is made from, for three cameras
    "look_at": (sr.LookAt, {"eye": EYES, "at": [[0.1, 0, 0.2]], "up": [[0.2, 1, -0.1]] * 3}),
    "look": (
        sr.Look,
        {"eye": EYES, "direction": -2 * np.array(EYES) + 0.3, "up": [[0.2, 1, -0.1]]},
    ),
    "extrinsics": (sr.Extrinsics, {"rotation": rotations(), "translation": [[0.1, 0.2, 5]] * 3}),
    "perspective": (sr.Perspective, {"fov_degrees": [40.0, 60, 90]}),
    "orthographic": (sr.Orthographic, {"half_height": [1.0, 2, 3]}),
    "intrinsics": (
        lambda **arrays: sr.Intrinsics(height=HEIGHT, width=WIDTH, **arrays),
        {"matrix": MATRICES, "distortion": DISTORTIONS},
    ),
}


POSES, LENSES = list(PARAMETERS)[:3], list(PARAMETERS)[3:]


def arrays_of(*parts, first=0, end=3):
    """Parameters of poses and lenses as tensors, of some of the three cameras."""
    return {
        name: torch.as_tensor(np.asarray(values), dtype=torch.float64)[first:end].clone()
        for part in parts
        for name, values in PARAMETERS[part][1].items()
    }


def camera_of(pose, lens, arrays):
    """Make the camera of a pose and a lens from their parameters."""
    made = []
    for build, names in (PARAMETERS[pose], PARAMETERS[lens]):
        made.append(build(**{name: arrays[name] for name in names}))
    return sr.PosedCamera(*made)


def seen_by_reference(pose, arrays, vertices):
    """World to view, in PyTorch."""
    if pose == "extrinsics":
        seen = vertices @ arrays["rotation"].mT + arrays["translation"][:, None]
        return seen * rows([1, -1, 1])
    eye = arrays["eye"]
    at = arrays["at"] if pose == "look_at" else eye + arrays["direction"]
    view = reference.look_at(eye, at.expand(len(eye), 3), arrays["up"].expand(len(eye), 3))
    return vertices @ view[:, :3, :3].mT + view[:, None, :3, 3]


def drawn_by_reference(lens, arrays, seen):
    """View to NDC, in PyTorch."""
    x, y, z = seen.unbind(-1)
    if lens == "perspective":
        slope = torch.tan(torch.deg2rad(arrays["fov_degrees"]) / 2)[:, None]
        x, y = x / (z * slope * WIDTH / HEIGHT), y / (z * slope)
    elif lens == "orthographic":
        half_height = arrays["half_height"][:, None]
        x, y = x / (half_height * WIDTH / HEIGHT), y / half_height
    else:  # as documented for OpenCV's projectPoints
        k1, k2, p1, p2, k3 = arrays["distortion"][:, None].unbind(-1)
        x, y = x / z, -y / z
        r2 = x**2 + y**2
        radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
        bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)
        bent_y = y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
        pixels = torch.stack([bent_x, bent_y, torch.ones_like(x)], -1) @ arrays["matrix"].mT
        x, y = (2 * pixels[..., 0] + 1) / WIDTH - 1, 1 - (2 * pixels[..., 1] + 1) / HEIGHT
    return torch.stack([x, y, z], dim=-1)


# --- Poses and lenses -------------------------------------------------------------------------


@pytest.mark.parametrize("lens", LENSES)
@pytest.mark.parametrize("pose", POSES)
def test_poses_and_lenses_match_reference(pose, lens, rng):
    vertices, _ = scenes.bumpy_octahedron(rng)
    arrays = arrays_of(pose, lens)
    camera = camera_of(pose, lens, arrays)
    assert camera.orthographic is (lens == "orthographic")
    expected_seen = seen_by_reference(pose, arrays, vertices)
    expected = drawn_by_reference(lens, arrays, expected_seen)
    aspect = WIDTH / HEIGHT
    assert_same(sr.to_view(vertices, camera), expected_seen)
    assert_same(sr.view_to_ndc(expected_seen, camera, aspect), expected, 1e-12)
    assert_same(sr.project(vertices, camera, aspect), expected, 1e-12)
    corners = expected_seen.reshape(3, 2, 3, 3)
    assert_same(sr.view_to_ndc(corners, camera, aspect), expected.reshape(3, 2, 3, 3), 1e-12)
    numbers = camera_of(pose, lens, {name: array.numpy() for name, array in arrays.items()})
    assert_same(sr.project(vertices, numbers, aspect), expected, 1e-12)


@pytest.mark.parametrize("end", [1, 3])
@pytest.mark.parametrize(
    ("pose", "lens"),
    [("look_at", "orthographic"), ("look", "perspective"), ("extrinsics", "intrinsics")],
)
def test_gradients_of_poses_and_lenses(pose, lens, end, rng):
    vertices, _ = scenes.bumpy_octahedron(rng)

    def project(vertices, **arrays):
        return sr.project(vertices, camera_of(pose, lens, arrays), WIDTH / HEIGHT)

    inputs = {"vertices": vertices, **arrays_of(pose, lens, end=end)}
    gradients.assert_gradients_match(project, inputs, rng)


def test_gradients_of_corners_in_the_view_frame(rng):
    points = scenes.random_like(torch.empty(1, 2, 3, 3, dtype=torch.float64), rng)
    points[..., 2] += 5

    def draw(points, matrix, distortion):
        lens = sr.Intrinsics(matrix, HEIGHT, WIDTH, distortion)
        return sr.view_to_ndc(points, lens, WIDTH / HEIGHT)

    inputs = {"points": points, **arrays_of("intrinsics")}
    gradients.assert_gradients_match(draw, inputs, rng)


def test_gradients_on_a_tape(rng):
    vertices, _ = scenes.bumpy_octahedron(rng)
    arrays = {"vertices": vertices, **arrays_of("extrinsics", "intrinsics")}
    ndarrays = {name: from_numpy(array.numpy(), needs_grad=True) for name, array in arrays.items()}
    faces, target = np.arange(6, dtype=np.int32).reshape(2, 3), np.ones((3, 2, 3, 3))

    def loss_of(arrays, faces, target):
        camera = camera_of("extrinsics", "intrinsics", arrays)
        corners = sr.gather(sr.to_view(arrays["vertices"], camera), faces)
        return sr.image_loss(sr.view_to_ndc(corners, camera, WIDTH / HEIGHT), target)

    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss=loss):
        sr.add_to_loss(loss, loss_of(ndarrays, sr.from_numpy(faces), sr.from_numpy(target)))
    leaves = {name: array.requires_grad_() for name, array in arrays.items()}
    loss_of(leaves, torch.tensor(faces), torch.tensor(target)).sum().backward()
    for name, leaf in leaves.items():
        assert leaf.grad.any(), name
        found = torch.tensor(ndarrays[name].grad.to_numpy())
        torch.testing.assert_close(found, leaf.grad, rtol=1e-12, atol=1e-12)


def test_inputs_may_be_strided(rng):
    vertices, _ = scenes.bumpy_octahedron(rng)
    camera = camera_of("extrinsics", "intrinsics", arrays_of("extrinsics", "intrinsics"))
    strided = vertices.mT.contiguous().mT
    assert not strided.is_contiguous()
    assert_same_bits(sr.project(strided, camera, 4 / 3), sr.project(vertices, camera, 4 / 3))


def test_orthographic_is_vertical_and_edge_to_edge():
    camera = sr.PosedCamera(sr.Look((0, 0, 5), (0, 0, -1)), sr.Orthographic(2.0))
    ndc = sr.project(points([0, 2, 0], [3, 0, 4]), camera, 1.5)[0]
    assert_same(ndc, points([0, 1, 5], [1, 0, 1])[0])


def test_the_first_pixel_of_opencv_is_at_zero():
    lens = sr.Intrinsics([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], HEIGHT, WIDTH)
    first = sr.view_to_ndc(points([0, 0, 2]), lens, WIDTH / HEIGHT)[0, 0]
    assert_same(first, points([1 / WIDTH - 1, 1 - 1 / HEIGHT, 2])[0, 0])
    last = sr.view_to_ndc(points([WIDTH - 1, 1 - HEIGHT, 1]), lens, WIDTH / HEIGHT)[0, 0]
    assert_same(last, points([1 - 1 / WIDTH, 1 / HEIGHT - 1, 1])[0, 0])


def test_no_distortion_is_zero_distortion(rng):
    vertices, _ = scenes.bumpy_octahedron(rng)
    pose = sr.LookAt((1, 2, 4))
    plain, zero = (sr.Intrinsics(MATRICES, HEIGHT, WIDTH, d) for d in (None, np.zeros(5)))
    expected = sr.project(vertices, sr.PosedCamera(pose, plain), WIDTH / HEIGHT)
    assert_same(sr.project(vertices, sr.PosedCamera(pose, zero), WIDTH / HEIGHT), expected)


@pytest.mark.parametrize("lens", LENSES)
def test_points_that_cannot_be_seen(lens):
    """Behind the camera, in its plane, or not finite: finite numbers, and no NaN in gradients."""
    vertices = points([0, 0, 1], [1, 2, 9], [1, 1, 5], [0, np.nan, 1], [-np.inf, 0, 0])
    leaves = {"vertices": vertices, "eye": rows([[0, 0, 5]]), **arrays_of(lens)}
    for leaf in leaves.values():
        leaf.requires_grad_()
    build, names = PARAMETERS[lens]
    pose = sr.Look(leaves["eye"], (0, 0, -1))
    camera = sr.PosedCamera(pose, build(**{name: leaves[name] for name in names}))
    ndc = sr.project(leaves["vertices"], camera, WIDTH / HEIGHT)
    assert_same(ndc[..., 2], rows([[4, -4, 0, 0, 0]]).expand(3, 5))
    assert ndc.isfinite().all()
    assert (ndc[:, 3:] == 0).all()
    ndc.sum().backward()
    for name, leaf in leaves.items():
        assert leaf.grad.isfinite().all(), name
    assert (leaves["vertices"].grad[:, 3:] == 0).all()


def test_vertices_that_are_not_finite_stay_so_in_the_view_frame():
    vertices = points([0, np.nan, 1], [1, 2, np.inf], [1, 2, 3])
    seen = sr.to_view(vertices, sr.LookAtCamera((0, 0, 5)))
    assert seen.isfinite().all(dim=-1).tolist() == [[False, False, True]]
