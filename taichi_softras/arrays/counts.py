"""How often this process has launched kernels, and waited for them."""

from taichi_softras.arrays.runtime import LAUNCH_LOCK

_counts = {"launches": 0, "waits": 0}


def num_launches() -> int:
    """Tell how many kernels of the package this process has launched so far."""
    return _counts["launches"]


def num_waits() -> int:
    """Tell how often this process has waited so far for what was launched, or would on a GPU.

    It waits for numbers that kernels return, for arrays that are copied to the host, and for
    streams of PyTorch's other than the one that Taichi launches on. A GPU has nothing to do then
    until it is given work again.
    """
    return _counts["waits"]


def note_launch() -> None:
    """Count a launch."""
    with LAUNCH_LOCK:
        _counts["launches"] += 1


def note_wait() -> None:
    """Count a wait."""
    with LAUNCH_LOCK:
        _counts["waits"] += 1
