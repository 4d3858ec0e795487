"""Cameras of arrays that break a rule, or are not finite: their items draw nothing, and add 0."""

import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr
from taichi_softras.backend import ti

SIZE = 12
SETTINGS = sr.RasterizerSettings(
    height=SIZE, width=SIZE, near=1.0, far=10.0, sigma=1e-2, gamma=1e-1
)
LIGHT = sr.Lighting(lights=(sr.DirectionalLight((1, 1, 1), (0, 1, 1)),), specular=(1, 1, 1))
K = np.array([[12.0, 0, 6], [0, 12, 6], [0, 0, 1]])
FACING = np.diag([1.0, -1, -1])
"""World to OpenCV's frame, looking down -z."""

NAN, INF = float("nan"), float("inf")


def look_at(eye=(0, 0.5, 4), at=(0, 0, 0), up=(0, 1, 0), fov_degrees=40.0):
    return sr.LookAtCamera(*rows(eye, at, up), fov_degrees=column(fov_degrees))


def rows(*values):
    """Of a good camera and of a broken one, where two are given."""
    return [torch.tensor(np.atleast_2d(np.array(value, dtype=float))) for value in values]


def column(value):
    return torch.tensor(np.atleast_1d(np.array(value, dtype=float)))


def posed(lens):
    return sr.PosedCamera(sr.LookAt(*rows((0, 0.5, 4), (0, 0, 0), (0, 1, 0))), lens)


def of_opencv(rotation=FACING, translation=(0, 0, 4), matrix=K, distortion=None, build=None):
    build = build or sr.Intrinsics
    rotation, matrix = (torch.tensor(np.array(x, dtype=float)) for x in (rotation, matrix))
    rotation, matrix = (x[None] if x.ndim == 2 else x for x in (rotation, matrix))
    if distortion is not None:
        (distortion,) = rows(distortion)
    pose = sr.Extrinsics(rotation, *rows(translation))
    return sr.PosedCamera(pose, build(matrix, SIZE, SIZE, distortion))


def with_entry(matrix, entry, value):
    """A matrix, and the same with another number in one place."""
    other = np.array(matrix, dtype=float)
    other[entry] = value
    return np.stack([matrix, other])


def of_matrices(view=None, projection=None):
    good = look_at()
    like = torch.zeros(1, dtype=torch.float64)
    matrices = [good.view_matrix(like)[0].numpy(), good.projection_matrix(like, 1.0)[0].numpy()]
    for i, (entry, value) in enumerate((view or ((0, 0), 1), projection or ((0, 0), 1))):
        given = view if i == 0 else projection
        matrices[i] = matrices[i][None] if given is None else with_entry(matrices[i], entry, value)
    return sr.MatrixCamera(*map(torch.tensor, matrices))


FLAT, BENT = np.zeros(5), np.array([0.1, 0, 0, 0, 0])
BROKEN = {
    "up along the line of sight": lambda: look_at(eye=(0, 4, 0), up=[(0, 0, 1), (0, 1, 0)]),
    "up against it, nearly": lambda: look_at(eye=(0, 4, 0), up=[(0, 0, 1), (0, -3, 1e-9)]),
    "no up": lambda: look_at(up=[(0, 1, 0), (0, 0, 0)]),
    "at the eye": lambda: look_at(at=[(0, 0, 0), (0, 0.5, 4)]),
    "eye NaN": lambda: look_at(eye=[(0, 0.5, 4), (0, NAN, 4)]),
    "eye infinite": lambda: look_at(eye=[(0, 0.5, 4), (0, INF, 4)]),
    "at NaN": lambda: look_at(at=[(0, 0, 0), (NAN, NAN, NAN)]),
    "up infinite": lambda: look_at(up=[(0, 1, 0), (0, INF, 0)]),
    "fov 180": lambda: look_at(fov_degrees=[40, 180]),
    "fov 0": lambda: look_at(fov_degrees=[40, 0]),
    "fov negative": lambda: look_at(fov_degrees=[40, -40]),
    "fov of more than a turn": lambda: look_at(fov_degrees=[40, 400]),
    "fov NaN": lambda: look_at(fov_degrees=[40, NAN]),
    "no direction": lambda: sr.PosedCamera(
        sr.Look(*rows((0, 0, 4), [(0, 0, -1), (0, 0, 0)], (0, 1, 0))), sr.Perspective(column(40))
    ),
    "half height 0": lambda: posed(sr.Orthographic(column([2, 0]))),
    "half height negative": lambda: posed(sr.Orthographic(column([2, -2]))),
    "half height NaN": lambda: posed(sr.Orthographic(column([2, NAN]))),
    "rotation NaN": lambda: of_opencv(rotation=with_entry(FACING, (1, 2), NAN)),
    "translation infinite": lambda: of_opencv(translation=[(0, 0, 4), (0, -INF, 4)]),
    "focal length negative": lambda: of_opencv(matrix=with_entry(K, (0, 0), -12)),
    "focal length 0": lambda: of_opencv(matrix=with_entry(K, (1, 1), 0)),
    "matrix without a scale": lambda: of_opencv(matrix=with_entry(K, (2, 2), 0)),
    "matrix NaN": lambda: of_opencv(matrix=with_entry(K, (0, 2), NAN)),
    "distortion NaN": lambda: of_opencv(distortion=[FLAT, NAN * BENT]),
    "distortion infinite": lambda: of_opencv(distortion=[FLAT, INF * (BENT + 1)]),
    "fisheye NaN": lambda: of_opencv(distortion=[FLAT[:4], NAN * BENT[:4]], build=sr.Fisheye),
    "view matrix NaN": lambda: of_matrices(view=((0, 3), NAN)),
    "view matrix infinite": lambda: of_matrices(view=((2, 2), INF)),
    "projection NaN": lambda: of_matrices(projection=((1, 1), NAN)),
}


def tensors_of(camera):
    """The tensors that a camera is made of, by name."""
    parts = (camera.pose, camera.lens) if hasattr(camera, "pose") else (camera,)
    return {
        name: value
        for part in parts
        for name, value in vars(part).items()
        if isinstance(value, torch.Tensor)
    }


def draw(vertices, faces, camera, **options):
    return sr.render(
        vertices, faces, vertices, camera, SETTINGS, light=LIGHT, normals="view", **options
    )


@pytest.mark.parametrize("clip", [True, False], ids=["clip", "whole"])
@pytest.mark.parametrize("case", BROKEN)
def test_an_item_with_a_broken_camera_draws_nothing_and_adds_nothing(case, clip, rng):
    camera = BROKEN[case]()
    vertices, faces = scenes.bumpy_octahedron(rng)
    leaves = {"vertices": vertices.requires_grad_(), **tensors_of(camera)}
    for leaf in leaves.values():
        leaf.requires_grad_()
    image = draw(vertices, faces, camera, clip=clip)
    assert image.shape[0] == 2
    weights = torch.rand(image.shape, generator=rng, dtype=torch.float64)
    (image * weights).sum().backward()
    with torch.no_grad():
        assert (image[1] == 0).all()

    good = sr.select_cameras(camera, [0])
    alone = vertices.detach().requires_grad_()
    expected = draw(alone, faces, good, clip=clip)
    (expected * weights[:1]).sum().backward()
    assert expected[..., -1].max() > 0.9
    torch.testing.assert_close(image[:1], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(vertices.grad, alone.grad, rtol=1e-10, atol=1e-12)
    for name, leaf in leaves.items():
        assert leaf.grad.isfinite().all(), name
        if leaf.shape[0] == 2:
            assert (leaf.grad[1] == 0).all(), name


@pytest.mark.parametrize("case", ["up along the line of sight", "eye NaN", "distortion NaN"])
def test_in_single_precision_and_on_a_tape(case, rng):
    vertices, faces = (scenes.to_taichi(x) for x in scenes.bumpy_octahedron(rng))
    vertices = sr.from_numpy(vertices.to_numpy().astype(np.float32), needs_grad=True)
    target = sr.from_numpy(np.ones((2, SIZE, SIZE), np.float32))
    camera = with_ndarrays(BROKEN[case]())
    loss = ti.ndarray(ti.f32, 1, needs_grad=True)
    with ti.ad.Tape(loss):
        alpha = sr.render_silhouette(vertices, faces, camera, SETTINGS)
        sr.add_to_loss(loss, sr.silhouette_loss(alpha, target))
    assert alpha.to_numpy()[0].max() > 0.9
    assert (alpha.to_numpy()[1] == 0).all()
    assert np.isfinite(vertices.grad.to_numpy()).all()
    assert vertices.grad.to_numpy().any()
    assert all(np.isfinite(x.grad.to_numpy()).all() for x in ndarrays_of(camera))


def with_ndarrays(camera):
    """The same camera of Taichi's arrays, in float32, with gradients."""
    parts = []
    for part in (camera.pose, camera.lens):
        values = dict(vars(part))
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                numbers = value.numpy().astype(np.float32)
                values[name] = sr.from_numpy(numbers, needs_grad=True)
        parts.append(type(part)(**values))
    return sr.PosedCamera(*parts)


def ndarrays_of(camera):
    values = [*vars(camera.pose).values(), *vars(camera.lens).values()]
    return [value for value in values if isinstance(value, ti.Ndarray)]


def test_orbits_that_are_not_finite_add_nothing_to_what_they_share(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    distance = torch.tensor([4.0], dtype=torch.float64, requires_grad=True)
    azimuth = torch.tensor([10.0, NAN], dtype=torch.float64, requires_grad=True)
    camera = sr.LookAtCamera(sr.orbit_eyes(distance, 20.0, azimuth))
    alpha = sr.render_silhouette(vertices, faces, camera, SETTINGS)
    assert (alpha[1] == 0).all()
    alpha.sum().backward()
    assert distance.grad.isfinite().all()
    assert distance.grad.any()
    assert azimuth.grad[1] == 0


def test_a_mesh_that_only_broken_cameras_see(rng):
    vertices, faces = scenes.bumpy_octahedron(rng)
    vertices.requires_grad_()
    image = draw(vertices, faces, look_at(fov_degrees=-40.0))
    assert (image == 0).all()
    image.sum().backward()
    assert (vertices.grad == 0).all()
