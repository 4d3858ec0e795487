"""What is told of pixels, against the rasterizer's own numbers and the paper's in PyTorch."""

import dataclasses

import numpy as np
import pytest
import torch
from gradients import assert_gradients_match
from scenes import KINDS, random_colors, random_faces, to_taichi

import taichi_softras as sr
from taichi_softras import reference
from taichi_softras.backend import ti
from taichi_softras.rasterizer.inspection import count_fragments

SETTINGS = sr.RasterizerSettings(height=10, width=13, near=1.0, far=10.0, sigma=1e-2, gamma=5e-2)
BACKGROUND = (0.1, 0.6, 0.3)


def all_pixels(settings=SETTINGS):
    return [(row, col) for row in range(settings.height) for col in range(settings.width)]


@pytest.mark.parametrize("kind", KINDS)
def test_fragments_make_up_the_image(kind, rng):
    faces, colors = random_faces(kind, rng, 2, 7), random_colors(7, 3, rng, 2)
    image = sr.rasterize(faces, colors, SETTINGS, background=BACKGROUND).numpy()
    for row, col in all_pixels():
        fragments = sr.list_fragments(faces, colors, SETTINGS, row, col, item=1)
        assert fragments.weight.sum() + fragments.background_weight == pytest.approx(1, abs=1e-12)
        assert (np.diff(fragments.weight) <= 0).all()
        np.testing.assert_allclose(fragments.mix(BACKGROUND), image[1, row, col, :3], atol=1e-12)
        alpha = 1 - np.prod(1 - fragments.coverage)
        assert alpha == pytest.approx(image[1, row, col, 3], abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_summary_agrees_with_the_lists(kind, rng):
    faces, colors = random_faces(kind, rng, 3, 7), random_colors(7, 1, rng)
    summary = sr.summarize_fragments(faces, SETTINGS)
    counts = set()
    for row, col in all_pixels():
        fragments = sr.list_fragments(faces, colors, SETTINGS, row, col, item=2)
        at = (2, row, col)
        counts.add(len(fragments.faces))
        assert summary.num_faces[at] == len(fragments.faces)
        assert float(summary.background_weight[at]) == pytest.approx(fragments.background_weight)
        if len(fragments.faces):
            front = fragments.depth.argmin()
            assert summary.front_face[at] == fragments.faces[front]
            weight = float(summary.front_weight[at])
            assert weight == pytest.approx(fragments.weight[front], abs=1e-12)
        else:
            assert (summary.front_face[at], summary.front_weight[at]) == (-1, 0)
    assert len(counts) > 1 or kind == "covering"


def test_fragments_are_the_papers(rng):
    faces, colors = random_faces("tilted", rng), random_colors(6, 3, rng)
    expected = reference.find_fragments(faces, SETTINGS)
    row, col = 5, 6
    found = sr.list_fragments(faces, colors, SETTINGS, row, col)
    wanted = expected.drawn[0, row, col].nonzero()[:, 0].numpy()
    assert sorted(found.faces) == sorted(wanted)
    assert len(wanted) > 1
    at = (0, row, col, found.faces)
    np.testing.assert_allclose(found.coverage, expected.coverage[at])
    np.testing.assert_allclose(found.depth, expected.depth[at])
    color = torch.einsum("fk,fkc->fc", expected.weights[0, row, col], colors[0])[found.faces]
    np.testing.assert_allclose(found.color, color)
    logits = expected.log_coverage[at] - expected.depth[at] / (9.0 * SETTINGS.gamma)
    share = torch.softmax(logits, dim=0).numpy() * (1 - found.background_weight)
    np.testing.assert_allclose(found.weight, share, rtol=1e-9)


@pytest.mark.parametrize("dtype", [ti.f32, ti.f64])
def test_taichi_and_pytorch_agree(dtype, rng):
    faces, colors = random_faces("overlapping", rng, 2), random_colors(6, 3, rng)
    numpy_dtype = np.float32 if dtype == ti.f32 else np.float64
    ours = sr.from_numpy(faces.numpy().astype(numpy_dtype))
    our_colors = sr.from_numpy(colors.numpy().astype(numpy_dtype))
    tolerance = 1e-4 if dtype == ti.f32 else 1e-14
    summary = sr.summarize_fragments(ours, SETTINGS)
    expected = sr.summarize_fragments(faces, SETTINGS)
    assert summary.front_weight.dtype == dtype
    assert summary.num_faces.dtype == ti.i32
    for field in dataclasses.fields(expected):
        found, wanted = getattr(summary, field.name), getattr(expected, field.name)
        np.testing.assert_allclose(found.to_numpy(), wanted.numpy(), atol=tolerance)
    found = sr.list_fragments(ours, our_colors, SETTINGS, 5, 6, item=1)
    wanted = sr.list_fragments(faces, colors, SETTINGS, 5, 6, item=1)
    assert found.faces.tolist() == wanted.faces.tolist()
    np.testing.assert_allclose(found.weight, wanted.weight, atol=tolerance)
    covered = sr.face_coverage(ours, 2, SETTINGS).to_numpy()
    np.testing.assert_allclose(covered, sr.face_coverage(faces, 2, SETTINGS), atol=tolerance)


COUNTED = [
    {},
    {"orthographic": True},
    {"cull": "back"},
    {"coverage": "barycentric"},
    {"coverage": "hard"},
    {"near": 4.0, "far": 7.0},
]


@pytest.mark.parametrize("options", COUNTED, ids=str)
def test_counted_fragments_are_those_that_are_drawn(options, rng):
    """Those that any coverage is left of in the image of each face alone."""
    faces = random_faces("tilted", rng, 2)
    settings = dataclasses.replace(SETTINGS, **options)
    drawn = [sr.rasterize_silhouette(faces[:, f : f + 1].contiguous(), settings) for f in range(6)]
    expected = int((torch.stack(drawn) > 0).sum())
    assert count_fragments(faces, settings) == expected > 0


def test_face_coverage_is_the_faces_own(rng):
    faces = random_faces("overlapping", rng, 2)
    colors = random_colors(6, 1, rng)
    covered = sr.face_coverage(faces, 3, SETTINGS)
    for row, col in all_pixels():
        fragments = sr.list_fragments(faces, colors, SETTINGS, row, col, item=1)
        expected = fragments.coverage[fragments.faces == 3].sum()
        assert float(covered[1, row, col]) == pytest.approx(expected, abs=1e-14)
    assert 0 < float(covered.max()) < 1


def test_face_coverage_has_a_gradient_to_its_face_alone(rng):
    faces = random_faces("overlapping", rng).requires_grad_()
    sr.face_coverage(faces, 3, SETTINGS).sum().backward()
    moved = faces.grad.abs().sum((0, 2, 3)) > 0
    assert moved.tolist() == [False, False, False, True, False, False]


@pytest.mark.gradcheck
def test_gradient_of_face_coverage(rng):
    def cover(faces):
        return sr.face_coverage(faces, 3, SETTINGS)

    assert_gradients_match(cover, {"faces": random_faces("overlapping", rng, 2)}, rng)


def test_gradient_of_face_coverage_is_the_same_in_taichi(rng):
    faces = random_faces("overlapping", rng, 2).requires_grad_()
    covered = sr.face_coverage(faces, 3, SETTINGS)
    target = torch.rand(covered.shape, generator=rng, dtype=covered.dtype)
    sr.silhouette_loss(covered, target).backward()
    ours = to_taichi(faces, needs_grad=True)
    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss=loss):
        alpha = sr.face_coverage(ours, 3, SETTINGS)
        sr.add_to_loss(loss, sr.silhouette_loss(alpha, to_taichi(target)))
    assert faces.grad.any()
    np.testing.assert_allclose(ours.grad.to_numpy(), faces.grad, rtol=0, atol=1e-12)


def test_summary_carries_no_gradient(rng):
    faces = random_faces("overlapping", rng).requires_grad_()
    summary = sr.summarize_fragments(faces, SETTINGS)
    assert not summary.front_weight.requires_grad
    ours = to_taichi(faces, needs_grad=True)
    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss=loss):
        sr.summarize_fragments(ours, SETTINGS)
    assert not ours.grad.to_numpy().any()


@pytest.mark.parametrize(
    "options",
    [
        {"perspective_correct": False},
        {"orthographic": True},
        {"cull": "back"},
        {"cull": "front", "cull_alpha": False},
        {"coverage": "barycentric"},
        {"coverage": "hard"},
        {"color": "hard"},
        {"color": "hard", "cull": "back", "cull_alpha": False},
        {"coverage": "hard", "color": "hard", "alpha": "sum"},
        {"coverage_cutoff": 0.2, "eps": 0.5},
    ],
    ids=str,
)
def test_options_of_the_rasterizer_hold(options, rng):
    faces, colors = random_faces("tilted", rng, num_faces=9), random_colors(9, 2, rng)
    settings = dataclasses.replace(SETTINGS, **options)
    image = sr.rasterize(faces, colors, settings, background=0.5)
    summary = sr.summarize_fragments(faces, settings)
    alpha = sr.rasterize_silhouette(faces, dataclasses.replace(settings, alpha="prod"))
    for row, col in all_pixels()[::3]:
        at = (0, row, col)
        fragments = sr.list_fragments(faces, colors, settings, row, col)
        np.testing.assert_allclose(fragments.mix(0.5), image[at][:2], atol=1e-12)
        assert 1 - np.prod(1 - fragments.coverage) == pytest.approx(float(alpha[at]), abs=1e-12)
        assert summary.num_faces[at] == len(fragments.faces)
        background_weight = float(summary.background_weight[at])
        assert background_weight == pytest.approx(fragments.background_weight, abs=1e-12)
        seen = fragments.weight[fragments.faces == int(summary.front_face[at])]
        assert float(summary.front_weight[at]) == pytest.approx(seen.sum(), abs=1e-12)


def test_hard_colors_go_to_the_first_of_two_faces_in_one_place(rng):
    faces = random_faces("covering", rng, num_faces=1).repeat(1, 2, 1, 1)
    settings = dataclasses.replace(SETTINGS, color="hard")
    fragments = sr.list_fragments(faces, random_colors(2, 3, rng), settings, 5, 6)
    assert fragments.faces.tolist() == [0, 1]
    assert fragments.weight.tolist() == [1, 0]
    assert (sr.summarize_fragments(faces, settings).front_face == 0).all()


@pytest.mark.parametrize("gamma", [1e-8, 10.0])
def test_weights_are_finite_whatever_gamma(gamma, rng):
    faces, colors = random_faces("stacked", rng).float(), random_colors(6, 3, rng).float()
    settings = dataclasses.replace(SETTINGS, gamma=gamma)
    summary = sr.summarize_fragments(faces, settings)
    assert summary.front_weight.isfinite().all()
    total = summary.front_weight + summary.background_weight
    assert ((total > 0) & (total < 1 + 1e-5)).all()
    row, col = np.argwhere((summary.num_faces[0] > 1).numpy())[0]
    fragments = sr.list_fragments(faces, colors, settings, int(row), int(col))
    assert fragments.weight.sum() + fragments.background_weight == pytest.approx(1, abs=1e-5)


def test_no_faces_leave_the_background(rng):
    faces, colors = torch.zeros(1, 0, 3, 3), torch.zeros(1, 0, 3, 3)
    summary = sr.summarize_fragments(faces, SETTINGS)
    assert not summary.num_faces.any()
    assert (summary.background_weight == 1).all()
    fragments = sr.list_fragments(faces, colors, SETTINGS, 0, 0)
    assert (len(fragments.faces), fragments.background_weight) == (0, 1.0)
    assert fragments.mix(BACKGROUND).tolist() == pytest.approx(BACKGROUND)


def test_a_face_that_is_not_finite_is_left_out(rng):
    faces, colors = random_faces("covering", rng, num_faces=3), random_colors(3, 3, rng)
    faces[0, 1, 2, 0] = torch.nan
    assert int(sr.summarize_fragments(faces, SETTINGS).num_faces.max()) == 2
    assert 1 not in sr.list_fragments(faces, colors, SETTINGS, 5, 6).faces
    assert not sr.face_coverage(faces, 1, SETTINGS).any()


def test_what_does_not_fit_is_refused(rng):
    faces, colors = random_faces("tilted", rng), random_colors(6, 3, rng)
    with pytest.raises(ValueError, match="face must be under the number of faces, 6, got 6"):
        sr.face_coverage(faces, 6, SETTINGS)
    with pytest.raises(ValueError, match="face must be at least 0, got -1"):
        sr.face_coverage(faces, -1, SETTINGS)
    with pytest.raises(ValueError, match="row must be under 10, got 10"):
        sr.list_fragments(faces, colors, SETTINGS, 10, 0)
    with pytest.raises(ValueError, match="col must be at least 0, got -1"):
        sr.list_fragments(faces, colors, SETTINGS, 0, -1)
    with pytest.raises(ValueError, match="item must be under 1, got 1"):
        sr.list_fragments(faces, colors, SETTINGS, 0, 0, item=1)
    with pytest.raises(ValueError, match="face_colors must have shape"):
        sr.list_fragments(faces, colors[:, :5], SETTINGS, 0, 0)
    with pytest.raises(TypeError, match="row must be an int"):
        sr.list_fragments(faces, colors, SETTINGS, 1.5, 0)
    with pytest.raises(TypeError, match="face_vertices must be a"):
        sr.summarize_fragments(faces.numpy(), SETTINGS)
