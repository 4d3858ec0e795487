import runpy
from pathlib import Path

import imageio.v3 as iio
import pytest

import taichi_softras as sr

DEMOS = Path(__file__).parents[2] / "demos"
FITS = sorted(DEMOS.glob("fit_*.py"))


@pytest.mark.parametrize("path", FITS, ids=lambda path: path.stem)
def test_demo_lowers_the_loss_and_writes_a_mesh(path, capsys, tmp_path):
    output = tmp_path / "fitted.ply"
    arguments = ["--steps", "40", "--size", "32", "--views", "4", "--output", str(output)]
    runpy.run_path(str(path))["main"](arguments)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    first, last = (float(line.split()[-1]) for line in (lines[0], lines[-1]))
    assert last < 0.9 * first
    assert sr.read_mesh(output).num_vertices == sr.icosphere().num_vertices


def test_gallery_draws_every_picture(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(DEMOS)  # as for a program that is run
    runpy.run_path(str(DEMOS / "gallery.py"))["main"](["--quick", "--output", str(tmp_path)])
    pictures = {path.stem: iio.imread(path) for path in tmp_path.glob("*.png")}
    assert {name: picture.shape for name, picture in pictures.items()} == {
        "looks": (32, 128, 3),
        "grid": (64, 64, 3),
        "room": (32, 64, 3),
    }
    # The room is all around; where walls are not clipped some are missing, over white.
    clipped, left_out = pictures["room"][:, :32], pictures["room"][:, 32:]
    assert clipped.mean() < left_out.mean() - 30
