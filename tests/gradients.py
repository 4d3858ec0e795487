"""Gradients against finite differences."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

STEPS = (4e-6, 1e-6, 1.6e-5, 2e-7, 4e-8)
"""Tried in turn: a step may happen to cross a kink of the distance, or a cut. A wrong gradient
agrees with none of them."""


def directional_derivative(function: Callable[[Tensor], Tensor], at: Tensor, direction, step):
    """Central differences of two steps, extrapolated to none: the error is of fourth order."""

    def slope(h: float) -> Tensor:
        with torch.no_grad():
            return (function(at + h * direction) - function(at - h * direction)) / (2 * h)

    return (4 * slope(step / 2) - slope(step)) / 3


def worst_relative_error(
    function: Callable[..., Tensor], inputs: Mapping[str, Tensor], rng: torch.Generator
) -> dict[str, float]:
    """Compare a function's gradient by each of its inputs with finite differences.

    Args:
        function: Takes the inputs by name; returns an array of any shape.
        inputs: Those to differentiate by, in float64.
        rng: Chooses the weights of the outputs, and a direction for each input.

    Returns:
        For each input the relative error of the derivative along a random direction, less what
        the output's rounding explains: a gradient of next to nothing can't be measured.
    """
    leaves = {name: x.detach().clone().requires_grad_() for name, x in inputs.items()}
    output = function(**leaves)
    weights = torch.randn(output.shape, generator=rng, dtype=torch.float64)
    (output * weights).sum().backward()
    errors = {}
    for name, leaf in leaves.items():
        assert leaf.grad is not None, f"{name} got no gradient"
        direction = torch.randn(leaf.shape, generator=rng, dtype=torch.float64)
        direction = direction * leaf.detach().abs().clamp(max=1.0) if leaf.ndim == 1 else direction
        exact = float((leaf.grad * direction).sum())
        # Relative to what a gradient of this length usually gives, lest the direction be unlucky.
        size = max(abs(exact), float((leaf.grad * direction).norm()), 1e-300)
        errors[name] = float("inf")

        def changed(x: Tensor, name: str = name) -> Tensor:
            return (function(**{**leaves, name: x}) * weights).sum()

        for step in STEPS:
            found = float(directional_derivative(changed, leaf.detach(), direction, step))
            rounding = 1e-15 * float((output.detach() * weights).abs().sum()) / step
            errors[name] = min(errors[name], max(abs(found - exact) - rounding, 0) / size)
            if errors[name] < 1e-7:
                break
    return errors


def assert_gradients_match(function, inputs, rng, tolerance: float = 1e-6) -> dict[str, float]:
    """Fail if a gradient and finite differences differ by more than ``tolerance``, relatively."""
    errors = worst_relative_error(function, inputs, rng)
    wrong = {name: error for name, error in errors.items() if not error <= tolerance}
    assert not wrong, f"relative errors of gradients: {wrong}"
    return errors
