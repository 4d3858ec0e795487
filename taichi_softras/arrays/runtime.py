"""Starting Taichi, lazily, and the one lock round everything that it runs.

Taichi is process-wide: one backend at a time, and ``ti.init`` destroys the fields and ndarrays of
whoever used it before. So it is started at the first use, never at import, and never restarted.
"""

import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

from taichi_softras.backend import BACKEND, impl, ti

LAUNCH_LOCK = threading.RLock()
"""Held round every kernel launch: Taichi can't compile in two threads at once."""

_CPU_ARCHS = (ti.x64, ti.arm64)
_ARCHS = (*_CPU_ARCHS, ti.cuda)

_IS_TAICHI = BACKEND == "taichi"
_PROGRAM = "prog" if _IS_TAICHI else "_prog"  # Quadrants' "prog" raises before it is started
_OPTIONS = {} if _IS_TAICHI else {"ad_stack_experimental_enabled": True}  # reverse mode needs it

_inherited: "weakref.ref[Any] | None" = None
"""What ran when this process was forked from another. Its threads stayed there, so that a kernel
launched here would wait for them for ever."""


def init(arch: str = "cpu", **options: Any) -> None:
    """Start Taichi on a chosen backend. Optional: it is started when first needed.

    Call it before anything else runs, to choose a backend for Taichi programs or to pass options
    on. PyTorch users need not: the device of their tensors decides.

    Args:
        arch: ``"cpu"`` or ``"cuda"``.
        options: Passed on to ``ti.init``, such as ``cpu_max_num_threads`` or ``debug``.

    Raises:
        ValueError: If ``arch`` is neither of the two: on Vulkan, OpenGL and Metal the gradients of
            Taichi's ndarrays are zero, without a word.
        RuntimeError: If Taichi runs already, on whichever backend, or can't run on this one; or in
            a process forked from one where it ran.

    Examples:
        >>> import taichi_softras as sr
        >>> sr.init("cpu", cpu_max_num_threads=2)  # doctest: +SKIP
    """
    if arch not in ("cpu", "cuda"):
        raise ValueError(
            f"arch must be 'cpu' or 'cuda', got {arch!r}: on other backends Taichi's ndarrays "
            "have no gradients"
        )
    _refuse_fork()
    with LAUNCH_LOCK:
        if is_running():
            raise RuntimeError(
                f"Taichi runs already, on {running_arch()}: call init before anything else runs"
            )
        _start(ti.cuda if arch == "cuda" else ti.cpu, options)


def is_running() -> bool:
    """Tell whether Taichi has been started, by us or by the program that uses us."""
    return running_program() is not None


def running_program() -> Any:
    """Taichi's object of what runs, another one after each start; None if nothing does."""
    return getattr(impl.get_runtime(), _PROGRAM)


def running_arch() -> str:
    """Name the backend that runs: ``"x64"``, ``"arm64"``, ``"cuda"`` or one we refuse."""
    return str(impl.current_cfg().arch).rpartition(".")[2]


def on_gpu() -> bool:
    """Tell whether what runs is CUDA."""
    return bool(impl.current_cfg().arch == ti.cuda)


def ensure_running(device: str | None = None) -> None:
    """Start Taichi for a kind of device, unless it runs already; then check that it suits.

    A running Taichi is left alone: a second ``ti.init`` would destroy the fields of the program
    that called us.

    Args:
        device: ``"cpu"`` or ``"cuda"``; None for whatever runs, or the CPU if nothing does.

    Raises:
        ValueError: If Taichi has no backend for ``device``, or runs on another one.
        RuntimeError: If this process was forked from one in which Taichi ran, or if Taichi was
            started in another thread and has run nothing there.
    """
    if device not in (None, "cpu", "cuda"):
        raise ValueError(f"arrays must be on cpu or cuda, got {device}")
    _refuse_fork()  # before the lock, which another thread may have held in the parent
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
        if not impl.get_runtime().materialized:
            _lay_out()


@contextlib.contextmanager
def launching(arrays: Iterable[ti.Ndarray]) -> Iterator[None]:
    """Hold the launch lock, with Taichi started, for kernels that take these ndarrays.

    Raises:
        RuntimeError: As `check_alive` and `ensure_running` do.
    """
    check_alive(arrays)
    ensure_running()
    with LAUNCH_LOCK:
        yield


def check_alive(arrays: Iterable[ti.Ndarray]) -> None:
    """Refuse ndarrays of a Taichi that has ended.

    ``ti.reset`` and a second ``ti.init`` free the memory of all ndarrays, and leave the ndarrays
    as they are: a kernel would read and write what belongs to others by then. An ndarray does not
    know which Taichi made it, so it is marked when it is first seen here.

    Raises:
        RuntimeError: If there is one.
    """
    program = running_program()
    for array in arrays:
        made_by = vars(array).setdefault("_made_by", weakref.ref(program) if program else None)
        if made_by is None or made_by() is not program:
            raise RuntimeError(
                "a Taichi ndarray was made before Taichi was reset or started again, which freed "
                "its memory: make it anew"
            )


def _note_fork() -> None:
    global _inherited
    _inherited = weakref.ref(running_program()) if is_running() else None


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_note_fork)


def _is_inherited() -> bool:
    return is_running() and _inherited is not None and _inherited() is running_program()


def _refuse_fork() -> None:
    if _is_inherited():
        raise RuntimeError(
            "Taichi ran when this process was forked, and does not run in forked processes: start "
            'processes by "spawn", as in multiprocessing.get_context("spawn")'
        )


@atexit.register
def _stop() -> None:
    # Taichi writes its cache of compiled kernels when its program ends. At the end of Python
    # itself it may never do so, where something still holds it, as PyTorch's graph does.
    if is_running() and not _is_inherited():
        ti.reset()


def _start(arch: Any, options: dict[str, Any]) -> None:
    os.environ.setdefault("TI_SKIP_VERSION_CHECK", "ON")  # it would call home
    with contextlib.redirect_stdout(None):  # it prints a banner
        ti.init(arch=arch, **{"log_level": ti.WARN, **_OPTIONS, **options})
    if arch == ti.cuda and impl.current_cfg().arch != ti.cuda:
        ti.reset()
        raise RuntimeError("Taichi can't run on CUDA here: it found no CUDA device")
    _lay_out()


def _lay_out() -> None:
    """Have Taichi lay out its runtime, as it does at the first launch.

    That must be in the thread that started it; from then on any thread may compile. PyTorch runs
    backward passes in threads of its own.
    """
    try:
        impl.get_runtime().materialize()
    except RuntimeError as error:
        if "main_thread_id" not in str(error):
            raise
        raise RuntimeError(
            "Taichi was started in another thread, where the first thing must run: call ti.sync() "
            "there after ti.init, or taichi_softras.init instead of it"
        ) from None
