"""One use of the package, run in PyTorch or on a Taichi tape."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

import taichi_softras as sr
from taichi_softras.backend import ti

Numbers = dict[str, np.ndarray]


Arrays = dict[str, Any]


Compute = Callable[..., Any]


Cases = Iterator[tuple[str, "Case"]]


HEIGHT, WIDTH = 21, 27


@dataclass(frozen=True)
class Case:
    """A use of the package.

    Attributes:
        compute: From arrays by their names to one array, or to several by their names; those may
            be NumPy's too.
        inputs: The arrays. Those of floats are differentiated by.
        dtype: Their type.
        constant: Which of them have no gradient all the same.
        unordered: Outputs, and inputs whose gradients, threads add to in any order; "*" stands for
            all gradients.
        in_taichi: Whether arrays are Taichi's, differentiated by a tape, rather than PyTorch's.
    """

    compute: Compute
    inputs: Mapping[str, np.ndarray]
    dtype: Any = np.float32
    constant: tuple[str, ...] = ()
    unordered: tuple[str, ...] = ()
    in_taichi: bool = False

    def run(self, device: str = "cpu") -> Numbers:
        """Compute and differentiate: outputs and gradients, by name.

        Args:
            device: Where tensors are made. Taichi's arrays live where Taichi runs.
        """
        numbers, smooth = {}, []
        for name, values in self.inputs.items():
            is_float = values.dtype.kind == "f"
            numbers[name] = values.astype(self.dtype) if is_float else values
            if is_float and name not in self.constant:
                smooth.append(name)
        run = run_in_taichi if self.in_taichi else run_in_torch
        with torch.device(device):
            outputs, gradients = run(self.compute, numbers, smooth)
        results = {f"{name}{'~' * (name in self.unordered)}": y for name, y in outputs.items()}
        for name, gradient in gradients.items():
            is_unordered = not {name, "*"}.isdisjoint(self.unordered)
            results[f"gradient of {name}{'~' * is_unordered}"] = gradient
        for name, values in results.items():
            assert np.isfinite(values).all(), name
        return results


def run_in_torch(compute: Compute, numbers: Numbers, smooth: list[str]) -> tuple[Numbers, Numbers]:
    x = {name: torch.tensor(values) for name, values in numbers.items()}
    for name in smooth:
        x[name].requires_grad_()
    outputs = named(compute(**x))
    ends = [y for y in outputs.values() if isinstance(y, torch.Tensor) and y.requires_grad]
    rng = np.random.default_rng(1)
    torch.autograd.backward(ends, [torch.tensor(rng.normal(size=y.shape)).to(y) for y in ends])
    gradients = {name: x[name].grad for name in smooth if ends}
    assert all(gradient is not None for gradient in gradients.values()), gradients
    return to_numpy(outputs), to_numpy(gradients)


def run_in_taichi(compute: Compute, numbers: Numbers, smooth: list[str]) -> tuple[Numbers, Numbers]:
    x = {name: sr.from_numpy(v, needs_grad=name in smooth) for name, v in numbers.items()}
    loss = sr.from_numpy(np.zeros(1, numbers[smooth[0]].dtype), needs_grad=True)
    with ti.ad.Tape(loss):
        outputs = named(compute(**x))
        for y in outputs.values():
            sr.add_to_loss(loss, measure(y))
    return to_numpy({**outputs, "loss": loss}), to_numpy({name: x[name].grad for name in smooth})


def measure(output: ti.Ndarray) -> ti.Ndarray:
    """Make one number of images, silhouettes or a loss, to be differentiated."""
    if len(output.shape) == 1:
        return output
    target = sr.from_numpy(uniform(*output.shape).astype(output.to_numpy().dtype))
    return (sr.image_loss if len(output.shape) == 4 else sr.silhouette_loss)(output, target)


def named(outputs: Any) -> Arrays:
    return outputs if isinstance(outputs, dict) else {"output": outputs}


def to_numpy(arrays: Arrays) -> Numbers:
    def convert(array: Any) -> np.ndarray:
        if isinstance(array, torch.Tensor):
            return array.detach().cpu().numpy()
        return array.to_numpy() if isinstance(array, ti.Ndarray) else np.asarray(array)

    return {name: convert(array) for name, array in arrays.items()}


def uniform(*shape: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=shape)


def chosen(x: Mapping[str, Any], *names: str) -> Arrays:
    return {name: x[name] for name in names}


def taken(x: Arrays, *names: str) -> Arrays:
    """Take arrays out of ``x``, so that what is left can go elsewhere."""
    return {name: x.pop(name) for name in names}


def both(name: str, case: Case) -> Cases:
    """A case in PyTorch, and the same in Taichi."""
    yield f"{name}, torch", case
    yield f"{name}, taichi", replace(case, in_taichi=True)
