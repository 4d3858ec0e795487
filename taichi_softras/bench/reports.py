"""What was measured, kept as JSON, so that releases can be compared."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taichi_softras.bench.cases import Case
from taichi_softras.bench.measuring import Measurement
from taichi_softras.files.paths import whole_file


@dataclass(frozen=True, kw_only=True)
class Report:
    """Measurements of several cases on one machine.

    Attributes:
        machine: Versions, processor and backend, as `describe_machine` names them.
        runs: Timed runs of each case.
        note: What else to know, such as what the machine did besides.
        cases: What was drawn, and what was found.
        rates: What the machine can do, by the names of `Rates`, if that was measured.
        comparisons: By the name of what was compared with: cases, times run by run of both, and
            the difference of the images.
    """

    machine: dict[str, str]
    runs: int
    note: str = ""
    cases: tuple[tuple[Case, Measurement], ...] = ()
    rates: dict[str, float] = field(default_factory=dict)
    comparisons: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One case in two reports."""

    case: Case
    before: Measurement
    after: Measurement


def write_report(path: Path, report: Report) -> None:
    """Write a report as JSON.

    Raises:
        OSError: If the file can't be written.
    """
    content = {
        "machine": report.machine,
        "runs": report.runs,
        "note": report.note,
        "cases": records_of(report.cases),
        "rates": report.rates,
        "comparisons": report.comparisons,
    }
    with whole_file(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=2) + "\n")


def records_of(cases: Sequence[tuple[Case, Measurement]]) -> list[dict[str, Any]]:
    """Turn cases and what was found into what JSON can hold."""
    return [
        {"case": dataclasses.asdict(case), "found": dataclasses.asdict(found)}
        for case, found in cases
    ]


def read_report(path: Path) -> Report:
    """Read a report that `write_report` wrote.

    Raises:
        OSError: If the file can't be read.
        ValueError: If it is no such report.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cases = tuple(
            (Case(**record["case"]), Measurement(**record["found"])) for record in content["cases"]
        )
        return Report(**{**content, "cases": cases})
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is no report that 'softras bench --json' wrote") from error


def compare_reports(before: Report, after: Report) -> list[Change]:
    """Pair what two reports measured of the same cases.

    Returns:
        The cases that both have, in the order of the second.

    Raises:
        ValueError: If they have none in common.
    """
    earlier = dict(before.cases)
    changes = [
        Change(case=case, before=earlier[case], after=found)
        for case, found in after.cases
        if case in earlier
    ]
    if not changes:
        raise ValueError("the two reports must have cases in common, got none")
    return changes


def differing_machines(before: Report, after: Report) -> list[str]:
    """Say in what the machines of two reports differ, in a line each; versions are among it."""
    names = list(dict.fromkeys([*before.machine, *after.machine]))
    lines = []
    for name in names:
        old, new = (report.machine.get(name, "not said") for report in (before, after))
        if old != new:
            lines.append(f"{name}: before {old}; after {new}")
    return lines
