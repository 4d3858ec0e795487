"""Tables, results as JSON, and progress bars."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from taichi_softras.files.paths import whole_file

CONSOLE = Console(stderr=True)
"""Where progress goes, so that standard output holds results alone."""


def make_progress() -> Progress:
    """Make a progress bar with a place for the loss: ``update(task, loss="0.1")``."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}  {task.fields[loss]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=CONSOLE,
        transient=True,
    )


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows to standard output, numbers to the right, as wide as they need."""
    table = Table(title=title, title_justify="left")
    for k, name in enumerate(header):
        table.add_column(name, justify="left" if k == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(str, row))
    Console(width=1000).print(table)


def write_json(path: Path, results: Any) -> None:
    """Write results, whole or not at all; NumPy's numbers and arrays may be among them."""

    def plain(value: Any) -> Any:
        if isinstance(value, (np.ndarray, np.generic)):
            return value.tolist()
        raise TypeError(f"results must be numbers, texts, lists and dicts, got {value!r}")

    with whole_file(path) as unfinished:
        unfinished.write_text(json.dumps(results, indent=1, default=plain) + "\n")
