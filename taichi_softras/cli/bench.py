"""``softras bench``: how long a step of optimisation takes, and how much memory."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from taichi_softras.arrays.options import check_integer
from taichi_softras.bench import cases
from taichi_softras.bench.machine import describe_machine, start_taichi
from taichi_softras.bench.measuring import Request, measure_alone
from taichi_softras.bench.reports import (
    Report,
    compare_reports,
    differing_machines,
    read_report,
    write_report,
)
from taichi_softras.bench.roofline import measure_rates
from taichi_softras.bench.tables import (
    cases_table,
    changes_table,
    comparison_table,
    processor_table,
    roofline_table,
    small_steps_table,
)

if TYPE_CHECKING:
    from taichi_softras.bench.baselines.comparing import Comparison


POLICY_ADVICE = (
    "OMP_WAIT_POLICY=passive keeps PyTorch's threads from waiting busily, on cores that others want"
)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Time the rasterizer, forward and backward, each case in a process of its own.

    Attributes:
        runs: Timed runs of each case, after two to warm up. At least 1.
        arch: What to run on.
        limit: A folder with a C++ rasterizer of the same formulas for AVX-512 (limit.cpp,
            build.sh and limit.py, whose functions are `alloc`, `forward` and `backward`), to
            build and to compare with. Needs PyTorch, and a C++ compiler.
        against: What else to compare with: a dense rasterizer in PyTorch or PyTorch3D, on the same
            device; or DEODR, on the CPU.
        small: Time steps of one view and few pixels instead, from PyTorch.
        json: A file to write everything to as well.
        note: What else to know of the measurements; it is kept in that file.
        compare: Two such files: print how the second's times compare with the first's, and
            measure nothing.
    """

    runs: int = 10
    arch: Literal["cpu", "cuda"] = "cpu"
    limit: Path | None = None
    against: tuple[Literal["torch", "pytorch3d", "deodr"], ...] = ()
    small: bool = False
    json: Path | None = None
    note: str = ""
    compare: tuple[Path, Path] | None = None

    def run(self) -> None:
        """Measure, or compare, and print tables."""
        if self.compare is not None:
            print_changes(*self.compare)
            return
        check_integer("runs", self.runs, at_least=1)
        start_taichi(self.arch)
        console = Console()
        machine = describe_machine()
        for name, value in machine.items():
            console.print(f"{name}: {value}", highlight=False)
        if self.arch == "cpu" and "OMP_WAIT_POLICY" not in os.environ:
            console.print(POLICY_ADVICE, highlight=False)
        if self.small:
            # Only this needs PyTorch.
            from taichi_softras.bench.small_steps import measure_small_steps

            console.print(small_steps_table(*measure_small_steps(self.runs, self.arch)))
            return
        requests = [Request(case=case, runs=self.runs, arch=self.arch) for case in cases.CASES]
        found = [(request.case, measure_alone(request)) for request in requests]
        console.print(cases_table(found))
        console.print("Backward includes a loss. Memory is above that of Python and Taichi.")
        rates = measure_rates()
        console.print(roofline_table(rates, found))
        comparisons = {}
        for name, differences, rows in self._comparisons(console):
            console.print(comparison_table(name, rows))
            console.print(processor_table(name, rows))
            if differences:
                console.print(f"What differs in the work done: {differences}")
            comparisons[name] = [dataclasses.asdict(row) for row in rows]
        if self.json is not None:
            report = Report(
                machine=machine,
                runs=self.runs,
                note=self.note,
                cases=tuple(found),
                rates=dataclasses.asdict(rates),
                comparisons=comparisons,
            )
            write_report(self.json, report)

    def _comparisons(self, console: Console) -> Iterator[tuple[str, str, list[Comparison]]]:
        """Compare with what was asked for; say so of what this machine can't run.

        Yields:
            The name of the other, what differs in the work done, and what was found.
        """
        if self.limit is None and not self.against:
            return
        # Only these need PyTorch.
        from taichi_softras.bench.baselines import cpp
        from taichi_softras.bench.baselines.dense import Dense
        from taichi_softras.bench.baselines.deodr import Deodr
        from taichi_softras.bench.baselines.pytorch3d import PyTorch3D

        if self.limit is not None:
            try:
                if self.arch != "cpu":
                    raise RuntimeError("it runs on the CPU alone, and Taichi elsewhere")
                with cpp.built_from(self.limit) as limit:
                    yield "limit", "", [limit.compare(case, self.runs) for case in cases.CPP_CASES]
            except RuntimeError as error:
                console.print(f"Not compared with the limit in C++: {error}")
        others = {
            "torch": (Dense, cases.SMALL_CASES),
            "pytorch3d": (PyTorch3D, cases.SMALL_CASES),
            "deodr": (Deodr, cases.MESH_CASES),
        }
        for name in self.against:
            make, compared = others[name]
            try:
                baseline = make(self.arch)
                rows = [baseline.compare(case, self.runs) for case in compared]
                yield name, baseline.differences, rows
            except RuntimeError as error:
                console.print(f"Not compared with {name}: {error}")


def print_changes(before: Path, after: Path) -> None:
    """Print how what one report measured compares with another.

    Raises:
        OSError: If a file can't be read.
        ValueError: If one is no report, or they have no case in common.
    """
    reports = read_report(before), read_report(after)
    changes = compare_reports(*reports)
    console = Console()
    for path, report in zip((before, after), reports):
        note = f": {report.note}" if report.note else ""
        console.print(f"{path.name}, medians of {report.runs} runs{note}", highlight=False)
    differences = differing_machines(*reports)
    if differences:
        console.print("Not the same machine and versions:", highlight=False)
    for line in differences:
        console.print(f"  {line}", highlight=False)
    console.print(changes_table(changes))
