"""What SoftRas's functions accept: numbers, lists, NumPy arrays and tensors alike."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from taichi_softras.arrays.runtime import is_running, on_gpu


def as_tensor(value: Any, dtype: torch.dtype) -> Tensor:
    """Make a tensor of numbers that are in none yet; a tensor is returned as it is.

    Args:
        value: A tensor, a NumPy array, or lists of numbers.
        dtype: What numbers that are in no tensor become.

    Returns:
        The tensor, on the device that Taichi runs on; if it doesn't run yet, on the GPU if there
        is one.
    """
    if isinstance(value, Tensor):
        return value
    gpu = on_gpu() if is_running() else torch.cuda.is_available()
    device = torch.device("cuda:0" if gpu else "cpu")
    return torch.tensor(np.asarray(value), dtype=dtype, device=device)


def as_rows(name: str, value: Any, like: Tensor) -> Tensor:
    """Make (B, 3) or (1, 3) of three numbers, or of B times three.

    Args:
        name: What the caller calls it.
        value: Numbers or a tensor; the latter keeps its gradient.
        like: A tensor of B items, whose type and device the result has. One item, here or in
            ``value``, serves all.

    Raises:
        ValueError: If the shape doesn't fit.
    """
    if isinstance(value, (list, tuple)) and any(isinstance(x, Tensor) for x in value):
        value = torch.stack([torch.as_tensor(x) for x in value], dim=-1)
    if not isinstance(value, Tensor):
        value = torch.tensor(np.asarray(value, dtype=float))
    rows: Tensor = value.to(device=like.device, dtype=like.dtype)
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise ValueError(f"{name} must have shape (3,) or (B, 3), got {tuple(value.shape)}")
    if len(like) > 1 and len(rows) not in (1, len(like)):
        raise ValueError(f"{name} must have shape ({len(like)} or 1, 3), got {tuple(rows.shape)}")
    return rows
