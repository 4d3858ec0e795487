"""What goes with compiling kernels: a line for who waits, and less for Taichi to do."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

from taichi_softras.backend import ti

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


@contextlib.contextmanager
def short_positions() -> Iterator[None]:
    """Have Taichi's front end note of each piece of a kernel just its line, for its errors.

    It wraps the line to a terminal's width, and underlines the piece, in nearly half of the time
    that it takes over a kernel; which it does at each start of a program, whatever is kept.
    """
    context = ti.lang.ast.ast_transformer_utils.ASTTransformerContext
    usual = context.get_pos_info

    def get_pos_info(self: Any, node: Any) -> str:
        line = self.src[node.lineno - 1].rstrip()
        place = f'File "{self.file}", line {node.lineno + self.lineno_offset}'
        return f"{place}, in {self.func.func.__name__}:\n{line}\n"

    context.get_pos_info = get_pos_info
    try:
        yield
    finally:
        context.get_pos_info = usual
