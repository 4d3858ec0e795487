"""What the demos share: tables, results as JSON, progress, and means with intervals."""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from scipy import stats

from taichi_softras.files.paths import whole_file

CONSOLE = Console(stderr=True)
"""Where progress goes, so that standard output holds results alone."""


def check_options(
    parser: argparse.ArgumentParser, options: argparse.Namespace, **least: int
) -> None:
    """End the program in a line if a number is too small, or ``--output`` names a file.

    Args:
        parser: Of the command line.
        options: What it found, ``output`` among it.
        least: The smallest number that an option may have, by the option's name.
    """
    for name, number in least.items():
        if getattr(options, name) < number:
            flag = name.replace("_", "-")
            parser.error(f"--{flag} must be at least {number}, got {getattr(options, name)}")
    if options.output.exists() and not options.output.is_dir():
        parser.error(f"--output must be a folder, got the file {options.output}")


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


def mean_interval(values: ArrayLike, seed: int = 0) -> tuple[float, float, float]:
    """Estimate a mean, and its 95 % interval by the bootstrap's percentiles.

    Args:
        values: (N,), independent draws; at least one.
        seed: Of the resampling.

    Returns:
        The mean, and the interval's ends.
    """
    numbers = np.asarray(values, dtype=float)
    if len(numbers) < 2 or np.ptp(numbers) == 0:
        return (float(numbers.mean()),) * 3
    found = stats.bootstrap(
        (numbers,), np.mean, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return float(numbers.mean()), float(found.low), float(found.high)
