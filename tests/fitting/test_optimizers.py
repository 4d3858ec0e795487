"""Adam against PyTorch's."""

import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.backend import ti


@pytest.mark.parametrize(
    "options",
    [{}, {"mean_decay": 0.5, "square_decay": 0.9, "smallest": 1e-3}, {"mean_decay": 0.0}],
    ids=str,
)
def test_matches_pytorch(options, rng):
    starts = [torch.randn(shape, generator=rng, dtype=torch.float64) for shape in ((2, 3, 3), (4,))]
    arrays = [scenes.to_taichi(x, needs_grad=True) for x in starts]
    tensors = [x.clone().requires_grad_() for x in starts]
    ours = sr.Adam(arrays, 0.1, **options)
    theirs = torch.optim.Adam(
        tensors,
        lr=0.1,
        betas=(options.get("mean_decay", 0.9), options.get("square_decay", 0.999)),
        eps=options.get("smallest", 1e-8),
    )
    for step in range(20):
        if step == 10:  # as a schedule would
            ours.learning_rate = theirs.param_groups[0]["lr"] = 0.01
        for array, tensor in zip(arrays, tensors):
            grad = scenes.random_like(tensor, rng)
            array.grad.from_numpy(grad.numpy())
            tensor.grad = grad
        ours.step()
        theirs.step()
        for array, tensor in zip(arrays, tensors):
            np.testing.assert_allclose(
                array.to_numpy(), tensor.detach().numpy(), rtol=1e-12, atol=1e-12
            )


def test_float32_stays_float32():
    array = sr.from_numpy(np.ones(3, np.float32), needs_grad=True)
    array.grad.fill(2)
    sr.Adam([array], 0.5).step()
    assert array.to_numpy().dtype == np.float32
    # To its last bits: 1 - 0.999 is to be taken before it is rounded.
    assert array.to_numpy() == pytest.approx(0.5, abs=1e-6)


def test_zero_grad_clears_gradients_only():
    array = sr.from_numpy(np.ones(3), needs_grad=True)
    array.grad.fill(2)
    sr.Adam([array]).zero_grad()
    assert (array.grad.to_numpy() == 0).all()
    assert (array.to_numpy() == 1).all()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be above 0, got 0.0"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be a number, got 'fast'"),
        ({"mean_decay": 1.0}, ValueError, "mean_decay must be at least 0 and under 1, got 1.0"),
        ({"square_decay": -0.1}, ValueError, "square_decay must be at least 0 and under 1"),
        ({"smallest": 0.0}, ValueError, "smallest must be above 0, got 0.0"),
        ({"smallest": float("nan")}, ValueError, "smallest must be finite, got nan"),
    ],
    ids=str,
)
def test_settings_are_checked(options, error, words):
    array = sr.from_numpy(np.ones(3), needs_grad=True)
    with pytest.raises(error, match=words):
        sr.Adam([array], **options)


def test_parameters_are_checked():
    with pytest.raises(TypeError, match=r"parameters\[0\] must be a ti.ndarray, got Tensor"):
        sr.Adam([torch.zeros(3)])
    good = sr.from_numpy(np.ones(3), needs_grad=True)
    with pytest.raises(ValueError, match=r"parameters\[1\] must have a gradient: needs_grad=True"):
        sr.Adam([good, sr.from_numpy(np.ones(3))])
    with pytest.raises(TypeError, match=r"parameters\[0\] must be float32 or float64, got int32"):
        sr.Adam([ti.ndarray(ti.i32, 3)])


def test_uniform_scales_all_numbers_by_the_largest_gradient(rng):
    start = torch.randn(2, 5, 3, generator=rng, dtype=torch.float64)
    array = scenes.to_taichi(start, needs_grad=True)
    optimizer = sr.Adam([array], 0.1, mean_decay=0.8, square_decay=0.9, uniform=True)
    values, mean, square = start.clone(), torch.zeros_like(start), 0.0
    for step in range(1, 11):
        gradient = scenes.random_like(start, rng)
        array.grad.from_numpy(gradient.numpy())
        optimizer.step()
        mean = 0.8 * mean + 0.2 * gradient
        square = 0.9 * square + 0.1 * gradient.square().max()
        values -= 0.1 * mean / (1 - 0.8**step) / ((square / (1 - 0.9**step)).sqrt() + 1e-8)
        np.testing.assert_allclose(array.to_numpy(), values.numpy(), rtol=1e-11)


@pytest.mark.parametrize("uniform", [False, True])
def test_goes_on_from_its_state_to_the_same_bits(uniform, numpy_rng):
    gradients = numpy_rng.normal(size=(6, 2, 3)).astype(np.float32)

    def steps(optimizer, values, gradients):
        for gradient in gradients:
            values.grad.from_numpy(np.ascontiguousarray(gradient))
            optimizer.step()
        return values.to_numpy()

    def start(numbers):
        values = from_numpy(numbers, needs_grad=True)
        return sr.Adam([values], 0.1, uniform=uniform), values

    optimizer, values = start(np.ones((2, 3), np.float32))
    middle = steps(optimizer, values, gradients[:4])
    state = optimizer.state_dict()
    end = steps(optimizer, values, gradients[4:])
    other, values = start(middle)
    other.load_state_dict(state)
    assert (steps(other, values, gradients[4:]) == end).all()
    with pytest.raises(ValueError, match="state must have 'mean 0', got"):
        other.load_state_dict({"steps": np.array(3)})
    with pytest.raises(ValueError, match=r"state\['mean 0'\] must be float32 \(2, 3\), got .*"):
        other.load_state_dict({**state, "mean 0": state["mean 0"].T})
