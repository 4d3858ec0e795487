"""How much memory a machine moves, and how much arithmetic it does, when it does nothing else."""

from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import ti

CHAINS = 16
"""Products and sums that a thread of `multiply_add` has under way at once: enough that none waits
for another, as many as make vector code of a CPU's."""


@kernel
def copy(
    source: ti.types.ndarray(dtype=ti.f32, ndim=1),  # (N,), in
    target: ti.types.ndarray(dtype=ti.f32, ndim=1),  # (N,), out
):
    """Copy numbers: 8 bytes move for each."""
    for i in range(target.shape[0]):
        target[i] = source[i]


@kernel
def multiply_add(
    factor: ti.f32,
    rounds: ti.i32,
    results: ti.types.ndarray(dtype=ti.f32, ndim=1),  # (threads,), out
):
    """Multiply and add in registers: 2 operations for each round, chain and thread."""
    for i in range(results.shape[0]):
        values = ti.Vector([ti.f32(c + i) for c in range(CHAINS)])
        for _ in range(rounds):
            for c in ti.static(range(CHAINS)):
                values[c] = values[c] * factor + ti.f32(0.25)
        results[i] = values.sum()
