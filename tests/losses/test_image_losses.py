"""Losses of images against a few lines of PyTorch, numbers of SoftRas, and cases made by hand."""

import gradients
import numpy as np
import pytest
import reference
import scenes
import torch
from closeness import assert_same_bits
from hypothesis import given
from hypothesis import strategies as st
from loss_cases import GOLDEN, anything, assert_same

import taichi_softras as sr
from taichi_softras.backend import ti
from taichi_softras.losses import image_losses


@pytest.mark.parametrize("target_items", [1, 3])
def test_silhouette_loss_matches_reference(target_items, rng):
    alpha = torch.rand(3, 5, 7, generator=rng, dtype=torch.float64)
    target = torch.rand(target_items, 5, 7, generator=rng, dtype=torch.float64)
    assert_same(sr.silhouette_loss(alpha, target), reference.silhouette_loss(alpha, target))


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_sums_by_threads_as_on_a_gpu_are_the_same(reduction, rng, monkeypatch):
    alpha = torch.rand(3, 2, 5, 7, generator=rng, dtype=torch.float64)
    pairs = [(sr.silhouette_loss, alpha), (sr.image_loss, alpha.permute(0, 2, 3, 1))]
    found = []
    for gpu in (False, True):
        monkeypatch.setattr(image_losses, "on_gpu", lambda gpu=gpu: gpu)
        found.append([loss(x, 1 - x[:1], reduction=reduction) for loss, x in pairs])
    for a, b in zip(*found):
        assert_same_bits(a, b)


def test_silhouette_loss_by_hand():
    mask = torch.zeros(2, 4, 4, dtype=torch.float64)
    mask[:, :2] = 1
    half = mask.clone()
    half[1, :1] = 0
    assert sr.silhouette_loss(mask, mask).tolist() == [0]
    assert sr.silhouette_loss(mask, 1 - mask).tolist() == [1]
    assert sr.silhouette_loss(half, mask).tolist() == [0.25]
    empty = torch.zeros(2, 4, 4, dtype=torch.float64, requires_grad=True)
    loss = sr.silhouette_loss(empty, torch.zeros_like(mask))
    assert loss.tolist() == [0]
    loss.backward()
    assert empty.grad.isfinite().all()


def test_silhouette_loss_matches_softras():
    arrays = np.load(GOLDEN / "loss_iou.npz")
    predict, target = (torch.tensor(arrays[name]) for name in ("predict", "target"))
    loss = sr.silhouette_loss(predict, target)
    assert 1 - float(loss) == pytest.approx(float(arrays["out"]), abs=1e-4)


@pytest.mark.parametrize("target_items", [1, 3])
def test_image_loss_is_the_mean_square(target_items, rng):
    image = torch.rand(3, 5, 7, 4, generator=rng, dtype=torch.float64)
    target = torch.rand(target_items, 5, 7, 4, generator=rng, dtype=torch.float64)
    assert_same(sr.image_loss(image, target), (image - target).square().mean())


def test_add_to_loss_adds():
    loss, term = (sr.from_numpy(np.array([x])) for x in (2.0, 3.0))
    sr.add_to_loss(loss, term, 0.5)
    sr.add_to_loss(loss, term)
    assert loss.to_numpy().tolist() == [6.5]
    assert term.to_numpy().tolist() == [3.0]


@pytest.mark.parametrize("target_items", [1, 3])
def test_silhouette_loss_of_views(target_items, rng):
    """Views are averaged, item by item."""
    alpha = torch.rand(3, 4, 5, 7, generator=rng, dtype=torch.float64)
    target = torch.rand(target_items, 4, 5, 7, generator=rng, dtype=torch.float64)
    losses = sr.silhouette_loss(alpha, target, reduction="none")
    both = (alpha * target).sum((2, 3))
    either = (alpha + target - alpha * target).sum((2, 3))
    torch.testing.assert_close(losses, (1 - both / either).mean(1), rtol=1e-13, atol=1e-13)
    assert_same(sr.silhouette_loss(alpha, target), losses.mean())
    lists = (list(x.unbind(1)) for x in (alpha, target))
    listed = sr.multiview_silhouette_loss(*lists, reduction="none")
    torch.testing.assert_close(listed, losses, rtol=1e-13, atol=1e-13)


def test_multiview_loss_of_views_of_several_sizes(rng):
    """As reconstruction is trained: two predictions, each drawn by two cameras."""
    sizes = [(4, 5), (4, 5), (6, 3), (6, 3)]
    alphas = [torch.rand(2, *s, generator=rng, dtype=torch.float64) for s in sizes]
    targets = [torch.rand(2, *s, generator=rng, dtype=torch.float64) for s in sizes]
    expected = sum(reference.silhouette_loss(a, t) for a, t in zip(alphas, targets)) / 4
    assert_same(sr.multiview_silhouette_loss(alphas, targets), expected)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_image_loss_per_item(reduction, rng):
    image = torch.rand(3, 5, 7, 4, generator=rng, dtype=torch.float64)
    target = torch.rand(3, 5, 7, 4, generator=rng, dtype=torch.float64)
    expected = (image - target).square().mean((1, 2, 3))
    expected = expected if reduction == "none" else expected.mean().reshape(1)
    found = sr.image_loss(image, target, reduction=reduction)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.gradcheck
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("target_items", [1, 3])
def test_gradients_of_silhouette_loss_of_views(target_items, reduction, rng):
    inputs = {
        "alpha": torch.rand(3, 2, 5, 7, generator=rng, dtype=torch.float64),
        "target": torch.rand(target_items, 2, 5, 7, generator=rng, dtype=torch.float64),
    }

    def measure(alpha, target):
        listed = sr.multiview_silhouette_loss(
            [alpha[:, 0], alpha[:, 1, 1:]], [target[:, 0], target[:, 1, 1:]], reduction=reduction
        )
        return listed + sr.silhouette_loss(alpha, target, reduction=reduction)

    gradients.assert_gradients_match(measure, inputs, rng)


def test_silhouette_losses_on_a_tape(rng):
    alphas = [torch.rand(3, 4, 5, generator=rng, dtype=torch.float64) for _ in range(2)]
    targets = [torch.rand(1, 4, 5, generator=rng, dtype=torch.float64) for _ in range(2)]
    leaves = [x.clone().requires_grad_() for x in alphas]
    expected = sr.multiview_silhouette_loss(leaves, targets)
    expected = expected + sr.silhouette_loss(torch.stack(leaves, 1), torch.stack(targets, 1))
    expected.backward()

    arrays = [scenes.to_taichi(x, needs_grad=True) for x in alphas]
    views = scenes.to_taichi(torch.stack(alphas, 1), needs_grad=True)
    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss):
        wanted = [scenes.to_taichi(x) for x in targets]
        sr.add_to_loss(loss, sr.multiview_silhouette_loss(arrays, wanted))
        sr.add_to_loss(loss, sr.silhouette_loss(views, scenes.to_taichi(torch.stack(targets, 1))))
    assert loss[0] == pytest.approx(float(expected.detach()), rel=1e-12)
    for view, (array, leaf) in enumerate(zip(arrays, leaves)):
        both = array.grad.to_numpy() + views.grad.to_numpy()[:, view]
        np.testing.assert_allclose(both, leaf.grad, rtol=1e-10, atol=1e-14)


@anything
@given(seed=st.integers(0, 2**31 - 1), num_items=st.integers(1, 3))
def test_silhouette_loss_is_between_zero_and_one(seed, num_items):
    rng = torch.Generator().manual_seed(seed)
    alpha, target = torch.rand(2, num_items, 3, 4, generator=rng, dtype=torch.float64)
    losses = sr.silhouette_loss(alpha, target, reduction="none")
    assert ((losses >= 0) & (losses <= 1)).all()
    torch.testing.assert_close(losses, sr.silhouette_loss(target, alpha, reduction="none"))
    mask = alpha.round()
    assert sr.silhouette_loss(mask, mask).tolist() == [0]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: sr.silhouette_loss(x[0], x), ValueError, "alpha must have shape"),
        (
            lambda x: sr.silhouette_loss(x[..., None], x[..., None]),
            ValueError,
            "without a dimension",
        ),
        (lambda x: sr.silhouette_loss(x, x[:, :2]), ValueError, "target must have shape"),
        (lambda x: sr.silhouette_loss(x, x[:2]), ValueError, "target must have shape"),
        (lambda x: sr.silhouette_loss(x, x.double()), TypeError, "target must be float32"),
        (lambda x: sr.silhouette_loss(x, 0.0), TypeError, "target must be a torch.Tensor"),
        (lambda x: sr.silhouette_loss(x, x, reduction="sum"), ValueError, "reduction must be one"),
        (lambda x: sr.silhouette_loss(x[None], x), ValueError, "target must have shape"),
        (lambda x: sr.multiview_silhouette_loss([x], []), ValueError, "got 1 and 0"),
        (lambda x: sr.multiview_silhouette_loss([], []), ValueError, "got 0 and 0"),
        (lambda x: sr.multiview_silhouette_loss([x, x[:2]], [x, x]), ValueError, r"alphas\[1\]"),
        (lambda x: sr.multiview_silhouette_loss([x, x], [x, x[:2]]), ValueError, r"targets\[1\]"),
        (lambda x: sr.image_loss(x, x), ValueError, "image must have shape"),
        (lambda x: sr.image_loss(x[None], x[None, :2]), ValueError, "target must have shape"),
    ],
)
def test_image_losses_refuse(call, error, words):
    with pytest.raises(error, match=words):
        call(torch.zeros(3, 4, 5))


def test_add_to_loss_refuses():
    loss = sr.from_numpy(np.zeros(1))
    with pytest.raises(TypeError, match=r"term must be a ti\.ndarray, got Tensor"):
        sr.add_to_loss(loss, torch.zeros(1))
    with pytest.raises(TypeError, match="term must be float64, got float32"):
        sr.add_to_loss(loss, sr.from_numpy(np.zeros(1, np.float32)))
    with pytest.raises(ValueError, match=r"term must have shape \(1,\), got \(2,\)"):
        sr.add_to_loss(loss, ti.ndarray(ti.f64, 2))
