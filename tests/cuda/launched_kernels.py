"""Run `digest.py`, and say which kernels of the package its cases never launch.

    python tests/cuda/launched_kernels.py [what digest.py takes]

A kernel that is not launched there is not compared between devices. Kernels that no device launches
in its way are missing by right: what one thread of a CPU does is done by many of a GPU.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import digest
import report

from taichi_softras.arrays import launcher

launched: set[str] = set()
"""Names as `report.Module.kernel`, those of gradients ending in ``.grad``."""


def spy(launch):
    """Note what is launched."""

    def noting(self, *args, **kwargs):
        launched.add(name_of(self))
        return launch(self, *args, **kwargs)

    return noting


def name_of(launcher_of_kernel: launcher._Launcher) -> str:
    kernel = launcher_of_kernel._taichi
    module = kernel.func.__module__.removeprefix("taichi_softras.")
    is_gradient = kernel.autodiff_mode.name == "REVERSE"
    return f"{module}.{kernel.func.__name__}" + ".grad" * is_gradient


def missing() -> Iterator[str]:
    """Name kernels of which neither the values nor the gradient was launched."""
    for kernel in sorted(report.source_kernels()):
        if not {kernel, f"{kernel}.grad"} & launched:
            yield kernel


def main() -> None:
    launcher._Launcher.__call__ = spy(launcher._Launcher.__call__)
    try:
        digest.main()
    finally:
        for kernel in missing():
            digest.say(f"never launched: {kernel}")


if __name__ == "__main__":
    main()
