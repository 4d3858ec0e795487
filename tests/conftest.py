from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    import torch  # some tests run without

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device of this machine; those it lacks are skipped, visibly."""
    import torch

    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
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
