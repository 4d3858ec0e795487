from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    import torch  # some tests run without

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device of this machine; those it lacks are skipped, visibly.

    So are those that Taichi, which has one backend a process, does not run on: `pytest -m gpu` runs
    what is to be run on CUDA, and nothing else.
    """
    import torch

    # Not above: Taichi would note where pytest has put its output, after pytest's last line.
    from taichi_softras.arrays.runtime import is_running, on_gpu, running_arch

    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    if is_running() and on_gpu() != (request.param == "cuda"):
        pytest.skip(f"Taichi runs on {running_arch()} in this process")
    return torch.device(request.param)


@pytest.fixture
def rng() -> torch.Generator:
    """Randomness that is the same in every run and no test can disturb."""
    import torch

    return torch.Generator().manual_seed(0)


@pytest.fixture
def numpy_rng() -> np.random.Generator:
    """The same, of NumPy."""
    return np.random.default_rng(0)
