"""A line that tells who waits that kernels are compiled."""

import contextlib
import sys
import time
from collections.abc import Iterator

PATIENCE = 2.0
"""Seconds after which something is said."""

_waited = 0.0
_told = False


@contextlib.contextmanager
def first_launch() -> Iterator[None]:
    """Time the first launch of a kernel, in which it is compiled, or found where it was kept.

    Once these have taken `PATIENCE` together, the next says so on standard error, where someone
    reads it: in a terminal or a notebook. It is said once in a process.
    """
    global _waited, _told
    if _waited > PATIENCE and not _told:
        _told = True
        if sys.stderr.isatty() or "ipykernel" in sys.modules:
            sys.stderr.write(
                "taichi_softras: preparing kernels for their first use; they are kept for later "
                "runs (`softras warm-up` prepares the most frequent)\n"
            )
    started = time.perf_counter()
    try:
        yield
    finally:
        _waited += time.perf_counter() - started
