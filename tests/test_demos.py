import runpy
from pathlib import Path

import pytest

import taichi_softras as sr

DEMOS = sorted((Path(__file__).parents[1] / "demos").glob("*.py"))


@pytest.mark.parametrize("path", DEMOS, ids=lambda path: path.stem)
def test_demo_lowers_the_loss_and_writes_a_mesh(path, capsys, tmp_path):
    output = tmp_path / "fitted.ply"
    arguments = ["--steps", "40", "--size", "32", "--views", "4", "--output", str(output)]
    runpy.run_path(str(path))["main"](arguments)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    first, last = (float(line.split()[-1]) for line in (lines[0], lines[-1]))
    assert last < 0.9 * first
    assert sr.read_mesh(output).num_vertices == sr.icosphere().num_vertices
