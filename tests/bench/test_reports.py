"""Reports: written, read again, and compared."""

import json

import pytest

from taichi_softras.bench.cases import Case
from taichi_softras.bench.measuring import Measurement
from taichi_softras.bench.reports import (
    Report,
    compare_reports,
    differing_machines,
    read_report,
    write_report,
)
from taichi_softras.cli import main

LARGE, SMALL, OTHER = Case(size=512), Case(size=64), Case(size=32, silhouette=True)


def measurement(forward, backward, mebibytes):
    return Measurement(
        faces=5,
        fragments=100,
        forward=[forward, 2 * forward, 9 * forward],
        backward=[backward, 2 * backward, 9 * backward],
        start_bytes=2**20,
        peak_bytes=(mebibytes + 1) * 2**20,
    )


BEFORE = Report(
    machine={"taichi": "1.7.3", "cores": "2"},
    runs=3,
    note="the machine was shared",
    cases=((LARGE, measurement(0.010, 0.030, 100)), (SMALL, measurement(0.001, 0.002, 10))),
)
AFTER = Report(
    machine={"taichi": "1.7.4", "cores": "2"},
    runs=3,
    cases=((OTHER, measurement(1, 1, 1)), (LARGE, measurement(0.005, 0.020, 150))),
)


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def files(tmp_path):
    paths = tmp_path / "before.json", tmp_path / "after.json"
    for path, report in zip(paths, (BEFORE, AFTER)):
        write_report(path, report)
    return paths


def test_reports_are_read_as_they_were_written(files):
    assert read_report(files[0]) == BEFORE
    assert read_report(files[1]) == AFTER


def test_cases_that_both_have_are_paired():
    (change,) = compare_reports(BEFORE, AFTER)
    assert change.case == LARGE
    assert change.before.forward[0] == 0.010
    assert change.after.forward[0] == 0.005


def test_machines_that_differ_are_named():
    assert differing_machines(BEFORE, AFTER) == ["taichi: before 1.7.3; after 1.7.4"]
    assert differing_machines(AFTER, AFTER) == []


def test_command_prints_ratios_of_medians(files, capsys):
    assert run("bench", "--compare", *files) == 0
    text = " ".join(capsys.readouterr().out.split())
    row = text[text.index("512") :]
    assert "20.00" in row  # the median before, forward
    assert "0.500" in row
    assert "80.00" in row  # forward and backward
    assert "0.625" in row
    assert "1.500" in row  # memory
    assert "before.json, medians of 3 runs: the machine was shared" in text
    assert "taichi: before 1.7.3; after 1.7.4" in text
    assert "64²" not in text  # a case that only one has


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"cases": [{"case": {"size": 4}, "found": {}}]}', '{"cases": 3}'],
)
def test_what_is_no_report_is_refused(content, files, capsys):
    files[0].write_text(content)
    assert run("bench", "--compare", *files) == 1
    assert "before.json is no report that 'softras bench --json' wrote" in capsys.readouterr().err


def test_reports_without_common_cases_are_refused(files, capsys):
    write_report(files[0], Report(machine={}, runs=1))
    assert run("bench", "--compare", *files) == 1
    assert "must have cases in common" in capsys.readouterr().err


def test_a_report_that_is_missing_is_refused(files, tmp_path, capsys):
    assert run("bench", "--compare", tmp_path / "none.json", files[1]) == 1
    assert "none.json" in capsys.readouterr().err


def test_note_is_kept(tmp_path, monkeypatch, capsys):
    from taichi_softras.bench import cases
    from taichi_softras.cli import bench

    monkeypatch.setattr(cases, "CASES", (SMALL,))
    monkeypatch.setattr(bench, "measure_alone", lambda request: measurement(1, 1, 1))
    path = tmp_path / "out.json"
    assert run("bench", "--runs", 1, "--json", path, "--note", "all was quiet") == 0
    capsys.readouterr()
    report = read_report(path)
    assert report.note == "all was quiet"
    assert report.cases[0][0] == SMALL
    # Where kernels are kept is nobody's business but the user's.
    assert "compiled kernels" not in json.loads(path.read_text())["machine"]
