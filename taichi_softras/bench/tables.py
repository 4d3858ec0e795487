"""Measurements and comparisons as tables."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from taichi_softras.bench.cases import Case
from taichi_softras.bench.measuring import Measurement
from taichi_softras.bench.reports import Change
from taichi_softras.bench.roofline import Rates, floor_of

if TYPE_CHECKING:
    from taichi_softras.bench.baselines.comparing import Comparison
    from taichi_softras.bench.small_steps import SmallStep


def in_milliseconds(seconds: Sequence[float]) -> str:
    """Write a median and a minimum."""
    return f"{statistics.median(seconds) * 1e3:.2f} ({min(seconds) * 1e3:.2f})"


def cases_table(cases: Sequence[tuple[Case, Measurement]]) -> Table:
    """Lay out times, fragments and memory."""
    table = Table(title="Milliseconds: median (minimum)")
    columns = ("forward", "backward", "fragments", "million fragments/s", "peak memory, MiB")
    for column in ("case", *columns):
        table.add_column(column, justify="left" if column == "case" else "right")
    for case, found in cases:
        rate = found.fragments / statistics.median(found.both)
        table.add_row(
            str(case),
            in_milliseconds(found.forward),
            in_milliseconds(found.backward),
            f"{found.fragments / 1e6:.2f} M",
            f"{rate / 1e6:.1f}",
            f"{found.memory_bytes / 2**20:.0f}" if found.peak_bytes else "unknown",
        )
    return table


def roofline_table(rates: Rates, cases: Sequence[tuple[Case, Measurement]]) -> Table:
    """Lay out how long each case takes at least, and what share of its time that is."""
    table = Table(
        title="The least that image, loss and gradients take. Milliseconds",
        caption=f"Measured here: memory {rates.bytes_per_second / 1e9:.1f} GB/s, "
        f"float32 {rates.operations_per_second / 1e9:.0f} billion operations/s",
    )
    columns = (
        *("MiB that move", "operations", "by memory", "by arithmetic"),
        *("measured", "share of the larger"),
    )
    for column in ("case", *columns):
        table.add_column(column, justify="left" if column == "case" else "right")
    for case, found in cases:
        floor = floor_of(case, found)
        memory, arithmetic = floor.seconds(rates)
        seconds = statistics.median(found.both)
        table.add_row(
            str(case),
            f"{floor.bytes / 2**20:.1f}",
            f"{floor.operations / 1e6:.1f} M",
            f"{memory * 1e3:.3f}",
            f"{arithmetic * 1e3:.3f}",
            f"{seconds * 1e3:.2f}",
            f"{max(memory, arithmetic) / seconds:.1%}",
        )
    return table


def comparison_table(name: str, comparisons: Sequence[Comparison]) -> Table:
    """Lay out our times, another's, and the ratios of the medians."""
    table = Table(title=f"PyTorch tensors, ours and {name}. Milliseconds: median (minimum)")
    columns = (
        *("ours: forward", "forward + backward", f"{name}: forward", "forward + backward"),
        *("ratio, forward", "ratio, both", "images differ by"),
    )
    for column in ("case", *columns):
        table.add_column(column, justify="left" if column == "case" else "right")
    for comparison in comparisons:
        columns_of_times = [
            [[f for f, _ in times], [f + b for f, b in times]]
            for times in (comparison.ours, comparison.other)
        ]
        ours, other = columns_of_times
        ratios = [statistics.median(x) / statistics.median(y) for x, y in zip(ours, other)]
        table.add_row(
            str(comparison.case),
            *(in_milliseconds(times) for column in columns_of_times for times in column),
            *(f"{ratio:.3g}" for ratio in ratios),
            f"{comparison.difference:.1e}",
        )
    return table


def small_steps_table(plain: Sequence[float], steps: Sequence[SmallStep]) -> Table:
    """Lay out times of small steps, and how many launches of Taichi's own they are worth."""
    launch = statistics.median(plain)
    title = "From PyTorch, 64², 320 faces. Milliseconds: median (minimum)"
    table = Table(
        title=title,
        caption=f"A launch by Taichi itself of a kernel of five tensors: {launch * 1e6:.0f} µs",
    )
    columns = (
        *("forward", "step", "processor time of a step", "launches: forward", "step"),
        "waits",
        *("in launches by Taichi: forward", "step"),
    )
    for column in ("case", *columns):
        table.add_column(column, justify="left" if column == "case" else "right")
    for step in steps:
        table.add_row(
            step.name,
            *(in_milliseconds(times) for times in (step.forward, step.both, step.cpu)),
            *map(str, (step.forward_launches, step.launches, step.waits)),
            *(f"{statistics.median(times) / launch:.1f}" for times in (step.forward, step.both)),
        )
    return table


def processor_table(name: str, comparisons: Sequence[Comparison]) -> Table:
    """Lay out our processor time, of all threads, another's, and the ratio of the medians."""
    table = Table(title="Processor time, all threads, forward + backward. Milliseconds")
    for column in ("case", "ours", name, "ratio"):
        table.add_column(column, justify="left" if column == "case" else "right")
    for comparison in comparisons:
        ours, other = comparison.our_cpu, comparison.other_cpu
        ratio = statistics.median(ours) / max(statistics.median(other), 1e-9)
        row = (in_milliseconds(ours), in_milliseconds(other), f"{ratio:.3g}")
        table.add_row(str(comparison.case), *row)
    return table


def changes_table(changes: Sequence[Change]) -> Table:
    """Lay out what two reports measured of the same cases, and how the second compares."""
    table = Table(title="Milliseconds: medians before and after. Ratios: after / before")
    columns = (
        *("forward: before", "after", "ratio", "forward + backward: before", "after", "ratio"),
        "peak memory: ratio",
    )
    for column in ("case", *columns):
        table.add_column(column, justify="left" if column == "case" else "right")
    for change in changes:
        row = []
        for name in ("forward", "both"):
            before, after = (
                statistics.median(getattr(found, name)) for found in (change.before, change.after)
            )
            row += [f"{before * 1e3:.2f}", f"{after * 1e3:.2f}", f"{after / before:.3f}"]
        before_bytes, after_bytes = change.before.memory_bytes, change.after.memory_bytes
        known = before_bytes > 0 and after_bytes > 0
        row.append(f"{after_bytes / before_bytes:.3f}" if known else "unknown")
        table.add_row(str(change.case), *row)
    return table
