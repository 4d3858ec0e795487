"""What is run on a CUDA machine: the programs that run others there, and count threads."""

import json
import sys
import zipfile

import numpy as np
import pack
import probe
import probe_steps
import pytest
import threads
import torch

from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.bench.kernels import rates
from taichi_softras.rasterizer.kernels.chunks import chunk_kernel


def program(code, seconds=20, **options):
    return probe.Program(
        name="a program", command=[sys.executable, "-c", code], seconds=seconds, **options
    )


def test_what_programs_print_and_how_they_end_is_known():
    done = probe.run(program("print('hello'); print('{\"a\": 1}'); print('{\"b\": 2}')"), 20)
    assert (done.status, done.numbers) == ("done", {"a": 1, "b": 2})
    assert "hello" in done.printed
    failed = probe.run(program("print('why'); assert False"), 20)
    assert failed.status == "failed"
    assert "AssertionError" in failed.printed


def test_programs_that_take_too_long_are_ended(monkeypatch):
    code = "import time; time.sleep(60)"
    monkeypatch.setattr(probe, "LEAST_SECONDS", 1)
    for seconds, left in ((3, 60), (60, 3)):
        found = probe.run(program(code, seconds=seconds), left)
        assert found.status == "too long"
        assert found.seconds < 30


def test_what_can_not_run_is_left_out():
    assert probe.run(program("", needs="no-such-tool"), 60).status == "left out"
    assert probe.run(program(""), 1).printed == "no time is left"


def test_what_is_known_is_written_after_each_program(tmp_path, monkeypatch):
    path = tmp_path / "quick.json"
    codes = ["print('{\"x\": 3}')", f"assert len(open({str(path)!r}).read()) > 10", "assert 0"]
    monkeypatch.setitem(probe.PHASES, "quick", lambda options: map(program, codes))
    options = probe.Options(device="cpu", small=True, output=tmp_path)
    outcomes = probe.run_phase("quick", options, 60)
    assert [outcome.status for outcome in outcomes] == ["done", "done", "failed"]
    written = json.loads(path.read_text())
    assert written["programs"][0]["numbers"] == {"x": 3}
    assert [x["status"] for x in written["programs"]] == ["done", "done", "failed"]


@pytest.mark.parametrize("phase", list(probe.PHASES))
@pytest.mark.parametrize("small", [False, True])
def test_phases_run_programs_that_there_are(phase, small, tmp_path):
    options = probe.Options(device="cuda", small=small, output=tmp_path)
    steps = {step.__name__ for step in probe_steps.STEPS}
    for planned in probe.PHASES[phase](options):
        assert planned.seconds <= 470
        if str(probe.STEPS) in planned.command:
            assert planned.command[planned.command.index(str(probe.STEPS)) + 1] in steps


def test_wheels_lose_what_is_not_used(tmp_path):
    names = ("taichi/a.py", "taichi/_lib/c_api/lib.so", "taichi-1.data/x", "taichi/assets/static/i")
    with zipfile.ZipFile(tmp_path / "taichi-1.whl", "w") as wheel:
        for name in names:
            wheel.writestr(name, name)
    pack.slim(tmp_path / "taichi-1.whl", tmp_path / "taichi.zip")
    with zipfile.ZipFile(tmp_path / "taichi.zip") as slim:
        assert slim.namelist() == ["taichi/a.py"]
        assert slim.read("taichi/a.py") == b"taichi/a.py"


def test_threads_are_the_turns_of_loops():
    ensure_running()
    numbers = [np.zeros(5, np.float32) for _ in range(2)]
    assert threads.threads_of(lambda: rates.copy(*numbers)) == {"rates.copy": [5]}

    def list_chunks(serial):
        boxes = torch.tensor([0, 0, 4, 4, 0], dtype=torch.int32).repeat(1, 7, 1)
        counts, starts, chunk_faces = (torch.zeros(n, dtype=torch.int32) for n in (7, 8, 7))
        sums = torch.zeros(3, dtype=torch.int64)
        chunk_kernel(serial=serial)(boxes, counts, sums, starts, chunk_faces)
        assert starts.tolist() == list(range(8))

    found = threads.threads_of(lambda: list_chunks(True))
    assert found == {"chunks.list_chunks": [1, 1, 1]}
    found = threads.threads_of(lambda: list_chunks(False))
    assert found == {"chunks.list_chunks": [7, 3, 1, 3, 7]}
