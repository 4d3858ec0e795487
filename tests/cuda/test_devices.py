"""Every kind of image and gradient on every device: `tests/digest.py`, in processes of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parents[1] / "digest.py"
QUICK = "--only", "silhouettes: euclidean"
"""Cases that stand for all on the CPU, which is compared with itself."""


def digest(*arguments):
    """Run the program; return what it says differs."""
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    differing = [line for line in done.stdout.splitlines() if line.startswith("differs: ")]
    assert done.returncode == bool(differing), done.stdout + done.stderr
    return differing


@pytest.fixture
def options(device):
    return ("--arch", "cuda") if device.type == "cuda" else (*QUICK, "--threads", 2)


@pytest.mark.slow
def test_images_and_gradients_are_those_of_the_cpu_and_the_same_on_repeat(
    device, options, tmp_path
):
    cpu, there = tmp_path / "cpu.json", tmp_path / "there.json"
    digest("--write", cpu, *(QUICK if device.type == "cpu" else ()))
    assert not digest(*options, "--against", cpu, "--close", "--write", there)
    assert len(json.loads(there.read_text())["arrays"]) > 2
    differing = digest(*options, "--against", there)
    assert not [line for line in differing if "~: " not in line]  # "~": in any order


@pytest.mark.slow
def test_what_is_not_close_is_said(tmp_path):
    path = tmp_path / "a.json"
    digest(*QUICK, "--write", path)
    numbers = dict(np.load(path.with_suffix(".npz")))
    name = next(name for name in numbers if name.endswith("gradient of face_vertices"))
    numbers[name].flat[np.abs(numbers[name]).argmax()] *= 1.001
    np.savez(path.with_suffix(".npz"), **numbers)
    written = json.loads(path.read_text())
    written["arrays"][name]["digest"] = "another"
    path.write_text(json.dumps(written))
    (line,) = digest(*QUICK, "--against", path, "--close")
    assert f"{name}: 1 of " in line
