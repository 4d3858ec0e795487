"""Optimisers for Taichi programs. PyTorch has its own."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.options import check_flag, check_number, check_positive
from taichi_softras.arrays.runtime import launching
from taichi_softras.arrays.taichi_bridge import Allocator
from taichi_softras.backend import impl, ti
from taichi_softras.fitting.kernels.adam import adam_kernel, uniform_adam_kernel

SHORT_DECAYS = 0.5, 0.95
"""Decays of Adam's means for fits whose gradients change much from step to step."""


class Adam:
    """Adam on Taichi ndarrays, by the gradients that a ``ti.ad.Tape`` left in them.

    Args:
        parameters: What to optimise: ndarrays made with ``needs_grad=True``, of float32 or float64.
        learning_rate: Length of a step. Above 0. May be changed between steps.
        mean_decay: How much of the gradients' mean is kept at a step: Adam's first beta.
        square_decay: How much of the mean of their squares is kept: its second beta.
        smallest: Added to the root of the mean square: its epsilon.
        uniform: Whether all numbers of a parameter are scaled alike, by the largest gradient, so
            that the step has the gradient's direction: for `LargeSteps`.

    Raises:
        TypeError: If a parameter is no ndarray, or a setting no number.
        ValueError: If a parameter has no gradient, or a setting is out of range.

    Source:
        Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.

    Examples:
        >>> import taichi as ti, taichi_softras as sr
        >>> vertices, _, _ = sr.cube().to_taichi(needs_grad=True)
        >>> optimizer = sr.Adam([vertices], 0.1)
        >>> vertices.grad.fill(1)
        >>> optimizer.step()
        >>> round(float(vertices[0, 0, 0]), 3)  # it was at -0.5
        -0.6
    """

    def __init__(
        self,
        parameters: Sequence[ti.Ndarray],
        learning_rate: float = 1e-3,
        *,
        mean_decay: float = 0.9,
        square_decay: float = 0.999,
        smallest: float = 1e-8,
        uniform: bool = False,
    ) -> None:
        for i, parameter in enumerate(parameters):
            if not isinstance(parameter, ti.Ndarray):
                name = type(parameter).__name__
                raise TypeError(f"parameters[{i}] must be a ti.ndarray, got {name}")
            check_arrays(**{f"parameters[{i}]": (parameter, str(parameter.shape))})
            if parameter.grad is None:
                raise ValueError(f"parameters[{i}] must have a gradient: needs_grad=True")
        self._decays = []
        for name, value in (("mean_decay", mean_decay), ("square_decay", square_decay)):
            decay = check_number(name, value)
            if not 0 <= decay < 1:
                raise ValueError(f"{name} must be at least 0 and under 1, got {decay}")
            self._decays.append(decay)
        self.learning_rate = check_positive("learning_rate", learning_rate)
        self._parameters = list(parameters)
        self._means = [Allocator(x.dtype)(x.shape) for x in parameters]
        self._uniform = check_flag("uniform", uniform)
        self._squares = [Allocator(x.dtype)((2,) if uniform else x.shape) for x in parameters]
        self._smallest = check_positive("smallest", smallest)
        self._steps = 0

    def zero_grad(self) -> None:
        """Clear the gradients. Taichi's tapes add to those of ndarrays, and clear none."""
        with launching(self._parameters):
            for parameter in self._parameters:
                parameter.grad.fill(0)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copy what it remembers of earlier steps, as NumPy arrays: not the parameters.

        Returns:
            ``steps``, and ``mean 0``, ``square 0`` and so on, of each parameter.
        """
        found: dict[str, NDArray[Any]] = {"steps": np.array(self._steps)}
        with launching(self._parameters):
            for i, (mean, square) in enumerate(zip(self._means, self._squares)):
                found |= {f"mean {i}": mean.to_numpy(), f"square {i}": square.to_numpy()}
        return found

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_dict` of another has copied: steps go on to the same bits.

        Raises:
            ValueError: If an array is missing, or of another shape or dtype.
        """
        own = self.state_dict()
        for name, array in own.items():
            if name not in state:
                raise ValueError(f"state must have {name!r}, got {sorted(state)}")
            given = np.asarray(state[name])
            if given.shape != array.shape or given.dtype.kind != array.dtype.kind:
                raise ValueError(
                    f"state[{name!r}] must be {array.dtype} {array.shape}, "
                    f"got {given.dtype} {given.shape}"
                )
        self._steps = int(state["steps"])
        with launching(self._parameters):
            for i, (mean, square) in enumerate(zip(self._means, self._squares)):
                mean.from_numpy(np.ascontiguousarray(state[f"mean {i}"]))
                square.from_numpy(np.ascontiguousarray(state[f"square {i}"]))

    def step(self) -> None:
        """Move the parameters one step down their gradients.

        Raises:
            RuntimeError: If a ``ti.ad.Tape`` is open: it would record the step.
        """
        if impl.get_runtime().target_tape is not None:
            raise RuntimeError("step must be called after the tape has been left, not inside it")
        self._steps += 1
        gains = [1 - decay for decay in self._decays]
        weights = [1 - decay**self._steps for decay in self._decays]
        build = uniform_adam_kernel if self._uniform else adam_kernel
        with launching(self._parameters):
            for values, means, squares in zip(self._parameters, self._means, self._squares):
                build(values.dtype)(
                    values=values,
                    gradients=values.grad,
                    means=means,
                    squares=squares,
                    learning_rate=self.learning_rate,
                    mean_decay=self._decays[0],
                    square_decay=self._decays[1],
                    mean_gain=gains[0],
                    square_gain=gains[1],
                    mean_weight=weights[0],
                    square_weight=weights[1],
                    smallest=self._smallest,
                )
