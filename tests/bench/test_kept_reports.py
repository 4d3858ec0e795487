"""The reports under docs/benchmarks can be read, and are listed there."""

from pathlib import Path

import pytest

from taichi_softras.bench.reports import compare_reports, read_report

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"
REPORTS = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_kept_reports_can_be_compared(path):
    report = read_report(path)
    assert "machine" in report.machine
    assert len(compare_reports(report, report)) == len(report.cases) > 0
    assert f"`{path.name}`" in (FOLDER / "README.md").read_text()
