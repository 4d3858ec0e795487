"""How time and memory grow with the scene: one thing varies at a time."""

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.progress import track
from rich.table import Table

from taichi_softras.bench.cases import Case
from taichi_softras.bench.machine import describe_machine
from taichi_softras.bench.measuring import Measurement, Request, measure_alone
from taichi_softras.bench.reports import records_of
from taichi_softras.bench.tables import in_milliseconds

Curve = list[tuple[float, Measurement]]
"""Values of what varies, and what was measured at each."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One thing that varies, and the rest, which doesn't.

    Attributes:
        label: What the axis of the plot is called.
        field: Name of the field of `Case` that varies.
        base: The other fields.
        values: Values of the field, from small to large.
        quick: Fewer and smaller values, to try the command.
    """

    label: str
    field: Literal["faces", "size", "views", "sigma"]
    base: Case
    values: tuple[float, ...]
    quick: tuple[float, ...]

    @property
    def title(self) -> str:
        """What varies, and what doesn't."""
        return f"{self.label}; at {self.base.describe(leave_out=self.field)}"

    def case(self, value: float) -> Case:
        """Make the case at a value."""
        return dataclasses.replace(self.base, **{self.field: value})  # type: ignore[arg-type]


SWEEPS = (
    Sweep(
        label="faces",
        field="faces",
        base=Case(size=256, sigma=1e-5),
        values=(1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000),
        quick=(100, 200),
    ),
    Sweep(
        label="height and width, pixels",
        field="size",
        base=Case(sigma=1e-5),
        values=(64, 128, 256, 512, 1024, 2048, 4096),
        quick=(16, 32),
    ),
    Sweep(
        label="images in a batch",
        field="views",
        base=Case(faces=1_280, mesh="sphere", size=64),
        values=(1, 2, 4, 8, 16, 32, 64, 128, 256),
        quick=(1, 2),
    ),
    Sweep(
        label="sigma",
        field="sigma",
        base=Case(size=256),
        values=(1e-6, 1e-5, 1e-4, 1e-3, 1e-2),
        quick=(1e-5, 1e-4),
    ),
)
"""What varies, one at a time."""


def measure_curves(runs: int, arch: str, console: Console, *, quick: bool) -> list[Curve]:
    """Measure every point of every sweep, with a progress bar.

    Args:
        runs: Timed runs of each point.
        arch: What to run on.
        console: Where the progress bar goes.
        quick: Whether to measure the quick values alone.
    """
    points = [
        (number, value)
        for number, sweep in enumerate(SWEEPS)
        for value in (sweep.quick if quick else sweep.values)
    ]
    curves: list[Curve] = [[] for _ in SWEEPS]
    for number, value in track(points, "measuring", console=console, transient=True):
        case = SWEEPS[number].case(value)
        found = measure_alone(Request(case=case, runs=runs, arch=arch))
        curves[number].append((value, found))
    return curves


def nanoseconds_per_fragment(found: Measurement) -> float:
    """Divide the median time, forward and backward, by the fragments that there are."""
    return statistics.median(found.both) * 1e9 / max(found.fragments, 1)


def sweep_table(sweep: Sweep, curve: Curve) -> Table:
    """Lay out one curve."""
    table = Table(title=sweep.title)
    columns = (
        *(sweep.field, "forward, ms", "backward, ms", "fragments", "ns/fragment"),
        "peak memory, MiB",
    )
    for column in columns:
        table.add_column(column, justify="right")
    for value, found in curve:
        table.add_row(
            f"{value:g}" if sweep.field == "sigma" else f"{value:,}",
            in_milliseconds(found.forward),
            in_milliseconds(found.backward),
            f"{found.fragments:,}",
            f"{nanoseconds_per_fragment(found):.0f}",
            f"{found.memory_bytes / 2**20:.0f}",
        )
    return table


def largest_scenes(curves: Sequence[Curve], memory: int = 16 * 2**30) -> list[str]:
    """Say what fits in memory, by extending the curves from their last two points.

    Args:
        curves: Of `SWEEPS`.
        memory: Bytes.

    Returns:
        A sentence for each curve whose memory grows.
    """
    sentences = []
    for sweep, curve in zip(SWEEPS, curves):
        (_, before), (value, last) = curve[-2:]
        # Memory grows with the pixels, not with the side.
        power = 2 if sweep.field == "size" else 1
        step = value**power - curve[-2][0] ** power
        slope = (last.peak_bytes - before.peak_bytes) / step
        if sweep.field == "sigma" or slope <= 0:
            continue
        largest = (value**power + (memory - last.peak_bytes) / slope) ** (1 / power)
        sentences.append(
            f"{memory / 2**30:g} GiB hold about {largest:,.0f} of {sweep.label} (extrapolated: "
            f"{slope:,.0f} bytes for each {'pixel' if power == 2 else 'more'}); "
            f"measured up to {value:,} with {last.peak_bytes / 2**20:,.0f} MiB"
        )
    return sentences


def report_of(curves: Sequence[Curve], largest: Sequence[str]) -> dict[str, Any]:
    """Collect everything that was measured."""
    return {
        "machine": describe_machine(),
        "largest": list(largest),
        "sweeps": {
            sweep.field: records_of([(sweep.case(value), found) for value, found in curve])
            for sweep, curve in zip(SWEEPS, curves)
        },
    }


def draw_curves(curves: Sequence[Curve], path: Path) -> None:
    """Draw time, time per fragment and memory: a row each, and a column for each thing varied."""
    from matplotlib.figure import Figure  # takes a second to import

    figure = Figure(figsize=(4 * len(SWEEPS), 9), layout="constrained")
    axes = figure.subplots(3, len(SWEEPS), sharey="row")
    for column, (sweep, curve) in enumerate(zip(SWEEPS, curves)):
        values = [value for value, _ in curve]
        found = [measurement for _, measurement in curve]
        time, rate, memory = (axes[row, column] for row in range(3))
        for name in ("forward", "backward"):
            medians = [statistics.median(getattr(m, name)) * 1e3 for m in found]
            time.loglog(values, medians, "o-", label=name)
        time.set_title(sweep.title, fontsize=8)
        rate.loglog(values, [nanoseconds_per_fragment(m) for m in found], "o-", color="C2")
        memory.loglog(values, [m.memory_bytes / 2**20 for m in found], "o-", color="C3")
        memory.set_xlabel(sweep.label)
        for axis in (time, rate, memory):
            axis.grid(visible=True, alpha=0.3)
    axes[0, 0].legend()
    axes[0, 0].set_ylabel("time, ms")
    axes[1, 0].set_ylabel("time per fragment, both ways, ns")
    axes[2, 0].set_ylabel("peak memory above the start, MiB")
    figure.savefig(path, dpi=80)
