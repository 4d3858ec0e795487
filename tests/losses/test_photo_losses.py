"""The loss of photographs against a few lines of PyTorch."""

import gradients
import numpy as np
import pytest
import torch
from loss_cases import assert_same

import taichi_softras as sr
from taichi_softras.backend import ti


@pytest.fixture
def arrays(rng):
    def random(*shape):
        return torch.rand(*shape, generator=rng, dtype=torch.float64)

    return {
        "image": random(3, 5, 7, 4),
        "photo": random(3, 5, 7, 3),
        "mask": random(3, 5, 7),
        "known": (random(3, 5, 7) > 0.3).double(),
        "weights": random(3, 5, 7),
        "gains": random(3) + 0.5,
    }


def reference(image, photo, mask, known, weights, gains, color_weight=1.0):
    alpha = image[..., 3]
    overlap = (known * alpha * mask).sum((1, 2))
    union = (known * (alpha + mask - alpha * mask)).sum((1, 2))
    away = (gains[:, None, None, None] * image[..., :3] - photo).abs().mean(-1)
    return 1 - overlap / union + color_weight * (weights * away).sum((1, 2)) / weights.sum((1, 2))


@pytest.mark.parametrize("color_weight", [0.0, 1.0, 2.5])
def test_matches_reference(arrays, color_weight):
    losses = sr.photo_loss(**arrays, color_weight=color_weight, reduction="none")
    wanted = reference(**arrays, color_weight=color_weight)
    torch.testing.assert_close(losses, wanted, rtol=1e-12, atol=1e-12)
    assert_same(sr.photo_loss(**arrays, color_weight=color_weight), wanted.mean())


@pytest.mark.gradcheck
def test_gradient_matches_finite_differences(arrays, rng):
    image = arrays.pop("image")
    gradients.assert_gradients_match(
        lambda image: sr.photo_loss(image, **arrays), {"image": image}, rng
    )


def test_is_the_silhouettes_loss_where_all_is_known(arrays):
    arrays["known"] = torch.ones_like(arrays["known"])
    alpha = arrays["image"][..., 3].contiguous()
    assert_same(
        sr.photo_loss(**arrays, color_weight=0.0), sr.silhouette_loss(alpha, arrays["mask"])
    )


def test_what_is_unknown_does_not_count(arrays):
    loss = sr.photo_loss(**arrays)
    unknown = arrays["known"] == 0
    arrays["mask"][unknown] = 1.0
    arrays["image"][..., 3][unknown] = 0.0
    arrays["image"].requires_grad_()
    changed = sr.photo_loss(**arrays)
    assert loss.item() == changed.item()
    changed.backward()
    assert not arrays["image"].grad[..., 3][unknown].any()
    assert arrays["image"].grad[..., 3][~unknown].all()


def test_nothing_known_and_no_colors_is_no_loss(arrays):
    arrays["known"].zero_()
    arrays["weights"].zero_()
    arrays["image"].requires_grad_()
    loss = sr.photo_loss(**arrays)
    assert loss.item() == 0
    loss.backward()
    assert not arrays["image"].grad.any()


def test_taichi_gives_the_same(arrays):
    leaf = arrays["image"].clone().requires_grad_()
    wanted = sr.photo_loss(**{**arrays, "image": leaf})
    wanted.backward()
    given = {
        name: sr.from_numpy(array.numpy(), needs_grad=name == "image")
        for name, array in arrays.items()
    }
    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    with ti.ad.Tape(loss=loss):
        sr.add_to_loss(loss, sr.photo_loss(**given))
    np.testing.assert_allclose(loss.to_numpy(), wanted.detach(), rtol=1e-13)
    np.testing.assert_allclose(given["image"].grad.to_numpy(), leaf.grad, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": torch.zeros(3, 5, 7, 3).double()}, r"image must have shape \(3, 5, 7, 4\)"),
        ({"known": torch.zeros(1, 5, 7).double()}, r"known must have shape \(3, 5, 7\)"),
        ({"gains": torch.zeros(2).double()}, r"gains must have shape \(3,\)"),
        ({"color_weight": -1.0}, "color_weight must be at least 0"),
        ({"reduction": "sum"}, "reduction must be one of"),
    ],
)
def test_refuses(arrays, change, message):
    with pytest.raises(ValueError, match=message):
        sr.photo_loss(**{**arrays, **change})
