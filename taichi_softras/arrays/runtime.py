"""Starting Taichi, lazily, and the one lock round everything that it runs.

Taichi is process-wide: one backend at a time, and ``ti.init`` destroys the fields and ndarrays of
whoever used it before. So it is started at the first use, never at import, and never restarted.
"""

import atexit
import contextlib
import os
import threading
from typing import Any

import taichi as ti
from taichi.lang import impl

LAUNCH_LOCK = threading.RLock()
"""Held round every kernel launch: Taichi can't compile in two threads at once."""

_CPU_ARCHS = (ti.x64, ti.arm64)
_ARCHS = (*_CPU_ARCHS, ti.cuda)


def init(arch: str = "cpu", **options: Any) -> None:
    """Start Taichi on a chosen backend. Optional: it is started when first needed.

    Call it before anything else runs, to choose a backend for Taichi programs or to pass options
    on. PyTorch users need not: the device of their tensors decides.

    Args:
        arch: ``"cpu"`` or ``"cuda"``.
        options: Passed on to ``ti.init``, such as ``cpu_max_num_threads`` or ``debug``.

    Raises:
        ValueError: If ``arch`` is another one: on Vulkan, OpenGL and Metal the gradients of
            Taichi's ndarrays are zero, without a word.
        RuntimeError: If Taichi runs already, on whichever backend, or can't run on this one.
    """
    if arch not in ("cpu", "cuda"):
        raise ValueError(
            f"arch must be 'cpu' or 'cuda', got {arch!r}: on other backends Taichi's ndarrays "
            "have no gradients"
        )
    with LAUNCH_LOCK:
        if is_running():
            raise RuntimeError(
                f"Taichi runs already, on {running_arch()}: call init before anything else runs"
            )
        _start(ti.cuda if arch == "cuda" else ti.cpu, options)


def is_running() -> bool:
    """Tell whether Taichi has been started, by us or by the program that uses us."""
    return impl.get_runtime().prog is not None


def running_arch() -> str:
    """Name the backend that runs: ``"x64"``, ``"arm64"``, ``"cuda"`` or one we refuse."""
    return str(impl.current_cfg().arch).rpartition(".")[2]


def on_gpu() -> bool:
    """Tell whether what runs is CUDA."""
    return running_arch() == "cuda"


def ensure_running(device: str | None = None) -> None:
    """Start Taichi for a kind of device, unless it runs already; then check that it suits.

    A running Taichi is left alone: a second ``ti.init`` would destroy the fields of the program
    that called us.

    Args:
        device: ``"cpu"`` or ``"cuda"``; None for whatever runs, or the CPU if nothing does.

    Raises:
        ValueError: If Taichi has no backend for ``device``, or runs on another one.
    """
    if device not in (None, "cpu", "cuda"):
        raise ValueError(f"arrays must be on cpu or cuda, got {device}")
    with LAUNCH_LOCK:
        if not is_running():
            _start(ti.cuda if device == "cuda" else ti.cpu, {})
        arch = impl.current_cfg().arch
        if arch not in _ARCHS:
            raise ValueError(
                f"Taichi runs on {running_arch()}, where its ndarrays have no gradients: start "
                "it with ti.init(arch=ti.cpu) or ti.init(arch=ti.cuda)"
            )
        if device is not None and (arch == ti.cuda) != (device == "cuda"):
            raise ValueError(f"arrays are on {device}, but Taichi was started on {running_arch()}")


@atexit.register
def _stop() -> None:
    # Taichi writes its cache of compiled kernels when its program ends. At the end of Python
    # itself it may never do so, where something still holds it, as PyTorch's graph does.
    if is_running():
        ti.reset()


def _start(arch: Any, options: dict[str, Any]) -> None:
    os.environ.setdefault("TI_SKIP_VERSION_CHECK", "ON")  # it would call home
    with contextlib.redirect_stdout(None):  # it prints a banner
        ti.init(arch=arch, **{"log_level": ti.WARN, **options})
    if arch == ti.cuda and impl.current_cfg().arch != ti.cuda:
        ti.reset()
        raise RuntimeError("Taichi can't run on CUDA here: it found no CUDA device")
    # Taichi lays out its runtime at the first launch, which must be in this thread; from then on
    # any thread may compile. PyTorch runs backward passes in threads of its own.
    impl.get_runtime().materialize()
