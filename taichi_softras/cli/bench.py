"""``softras bench``: how long a step of optimisation takes, and how much memory."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table

from taichi_softras.arrays.options import check_integer
from taichi_softras.arrays.runtime import init, is_running, on_gpu, running_arch
from taichi_softras.bench.machine import describe_machine
from taichi_softras.cli.measure import Case, Measurement, Request, in_milliseconds, measure_alone
from taichi_softras.files.paths import whole_file

if TYPE_CHECKING:
    from taichi_softras.cli.anchors import Anchor, Comparison

CASES = (
    Case(size=64, views=32),
    Case(mesh="sphere", faces=1280, size=64, views=64, silhouette=True),
    Case(size=256),
    Case(size=1024, sigma=1e-5),
    Case(faces=500_000, size=512, sigma=1e-5),
)
"""What is timed."""

LIMIT_CASES = CASES[:4]
"""What is compared with a C++ rasterizer: as large as the batches that people fit meshes with."""

SMALL_CASES = (
    Case(mesh="sphere", faces=320, size=64, sigma=1e-3),
    Case(mesh="sphere", faces=320, size=64, sigma=1e-3, silhouette=True),
    Case(mesh="sphere", faces=1280, size=32),
)
"""What is compared with peers: the dense one needs memory of pixels times faces."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Time the rasterizer, forward and backward, each case in a process of its own.

    Attributes:
        runs: Timed runs of each case, after two to warm up. At least 1.
        arch: What to run on.
        limit: A folder with a C++ rasterizer of the same formulas for AVX-512 (limit.cpp,
            build.sh and limit.py, whose functions are `alloc`, `forward` and `backward`), to
            build and to compare with. Needs PyTorch, and a C++ compiler.
        against: Peers to compare with: a dense rasterizer in PyTorch, or PyTorch3D.
        json: A file to write everything to as well.
    """

    runs: int = 10
    arch: Literal["cpu", "cuda"] = "cpu"
    limit: Path | None = None
    against: tuple[Literal["torch", "pytorch3d"], ...] = ()
    json: Path | None = None

    def run(self) -> None:
        """Time every case, and print tables."""
        check_integer("runs", self.runs, at_least=1)
        start_taichi(self.arch)
        console = Console()
        machine = describe_machine()
        for name, value in machine.items():
            console.print(f"{name}: {value}", highlight=False)
        report: dict[str, Any] = {"machine": machine, "runs": self.runs}

        requests = [Request(case=case, runs=self.runs, arch=self.arch) for case in CASES]
        measurements = [measure_alone(request) for request in requests]
        console.print(cases_table(CASES, measurements))
        console.print("Backward includes a loss. Memory is above that of Python and Taichi.")
        report["cases"] = [
            {**dataclasses.asdict(case), **dataclasses.asdict(found)}
            for case, found in zip(CASES, measurements)
        ]
        if self.arch == "cpu":
            report["comparisons"] = {}
            for name, comparisons in self._comparisons(console):
                console.print(comparison_table(name, comparisons))
                report["comparisons"][name] = [dataclasses.asdict(c) for c in comparisons]
        if self.json is not None:
            with whole_file(self.json) as unfinished:
                unfinished.write_text(json.dumps(report, indent=2) + "\n")

    def _comparisons(self, console: Console) -> Iterator[tuple[str, list[Comparison]]]:
        """Compare with what was asked for; say so of what this machine can't run."""
        if self.limit is None and not self.against:
            return
        from taichi_softras.cli import anchors  # only this needs PyTorch

        if self.limit is not None:
            try:
                with anchors.built_limit(self.limit) as limit:
                    yield "limit", self._compare(limit, LIMIT_CASES)
            except RuntimeError as error:
                console.print(f"Not compared with the limit in C++: {error}")
        for name in self.against:
            peers: dict[str, type[Anchor]]
            peers = {"torch": anchors.Dense, "pytorch3d": anchors.PyTorch3D}
            try:
                yield name, self._compare(peers[name](), SMALL_CASES)
            except RuntimeError as error:
                console.print(f"Not compared with {name}: {error}")

    def _compare(self, anchor: Anchor, cases: Sequence[Case]) -> list[Comparison]:
        return [anchor.compare(case, self.runs) for case in cases]


def start_taichi(arch: str) -> None:
    """Start Taichi on a backend, unless it runs there already.

    Raises:
        RuntimeError: If it runs on another.
    """
    if not is_running():
        init(arch)
    elif on_gpu() != (arch == "cuda"):
        raise RuntimeError(f"Taichi runs already, on {running_arch()}, not on {arch}")


def cases_table(cases: Sequence[Case], measurements: Sequence[Measurement]) -> Table:
    """Lay out times, fragments and memory."""
    table = Table(title="Milliseconds: median (minimum)")
    columns = ("forward", "backward", "fragments", "million fragments/s", "peak memory, MiB")
    for column in ("case", *columns):
        table.add_column(column, justify="left" if column == "case" else "right")
    for case, found in zip(cases, measurements):
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
