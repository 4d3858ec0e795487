"""The programs that teach: each runs, and does what it says."""

import re
import runpy
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

import taichi_softras as sr
from taichi_softras.rasterizer import families

DEMOS = Path(__file__).parents[2] / "demos"


def run(name, *arguments):
    """Run a program in this process, by nothing but its file."""
    runpy.run_path(str(DEMOS / f"{name}.py"))["main"]([str(x) for x in arguments])


def test_they_are_short():
    programs = [path for path in DEMOS.glob("*.py") if path.name != "__init__.py"]
    assert len(programs) == 7
    for path in programs:
        assert len(path.read_text().splitlines()) < 80, path.name


def test_draw_draws_colours_coverage_depth_and_normals(tmp_path, capsys):
    run("draw", "--size", 32, "--output", tmp_path / "drawn.png")
    colors, alpha, depth, normals = np.split(iio.imread(tmp_path / "drawn.png"), 4, axis=1)
    covered = alpha[..., 0] > 200
    share = float(re.search(r"cover ([\d.]+)%", capsys.readouterr().out)[1])
    assert share == pytest.approx(100 * alpha.mean() / 255, abs=0.2)
    assert (colors[~alpha.any(-1)] == 255).all()  # over white
    assert np.ptp(colors[covered].astype(int), axis=0).max() > 100
    assert 20 < depth[covered].std() < 100
    assert normals[covered][:, 2].mean() > 128  # towards the camera is blue


def test_draw_draws_files_with_their_materials(tmp_path):
    image = np.zeros((2, 2, 3), dtype=np.float32)
    image[..., 1] = 1
    plane = sr.plane()
    mesh = sr.Mesh(
        plane.vertices,
        plane.faces,
        face_uvs=np.zeros((plane.num_faces, 3, 2), np.float32),
        face_materials=np.zeros(plane.num_faces, np.int32),
        materials=(sr.Material("green", image=image),),
    )
    sr.write_mesh(mesh, tmp_path / "plane.obj")
    run("draw", tmp_path / "plane.obj", "--size", 24, "--output", tmp_path / "drawn.png")
    drawn = iio.imread(tmp_path / "drawn.png")
    colors, alpha = drawn[:, :24], drawn[:, 24:48, 0]
    assert (alpha > 250).any()
    assert (colors[alpha > 250][:, [0, 2]] < 10).all()


@pytest.mark.parametrize("name", ["fit_taichi", "fit_torch"])
def test_fits_lower_the_loss_and_write_a_mesh(name, capsys, tmp_path):
    output = tmp_path / "fitted.ply"
    run(name, "--steps", 40, "--size", 32, "--views", 4, "--output", output)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    first, last = (float(line.split()[-1]) for line in (lines[0], lines[-1]))
    assert last < 0.9 * first
    assert sr.read_mesh(output).num_vertices == sr.icosphere().num_vertices


def test_camera_is_found(capsys, tmp_path):
    run("camera", "--steps", 80, "--size", 48, "--output", tmp_path / "found.png")
    lines = capsys.readouterr().out.splitlines()
    distances = [float(line.split()[3]) for line in lines if line.startswith("step")]
    assert distances[-1] < 0.2 * distances[0]
    picture, start, end = np.split(iio.imread(tmp_path / "found.png").astype(int), 3, axis=1)
    assert abs(end - picture).mean() < 0.3 * abs(start - picture).mean()


def test_texture_is_recovered(capsys, tmp_path):
    arguments = ("--steps", 40, "--size", 32, "--views", 4, "--output", tmp_path / "ball.glb")
    run("texture", *arguments)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    first, last = (float(line.split()[-1]) for line in (lines[0], lines[-1]))
    assert last < 0.1 * first
    ball = sr.read_mesh(tmp_path / "ball.glb", textures=True)
    assert ball.materials[0].image.shape == (64, 64, 3)
    assert ball.materials[0].image.std() > 0.1


def test_family_of_ones_own_is_drawn_and_fitted_with(capsys, tmp_path):
    try:
        run("family", "--steps", 15, "--size", 24, "--output", tmp_path / "coverage.png")
    finally:
        families.COVERAGES.pop("cauchy", None)
    losses = re.findall(r"(\w+) +loss ([\d.]+) to ([\d.]+)", capsys.readouterr().out)
    assert [name for name, _, _ in losses] == ["euclidean", "cauchy"]
    assert all(float(last) < 0.8 * float(first) for _, first, last in losses)
    logistic, cauchy = np.split(iio.imread(tmp_path / "coverage.png").astype(int), 2, axis=1)
    outside = logistic < 100
    assert cauchy[outside].mean() > 1.3 * logistic[outside].mean()  # longer tails


def test_maps_of_more_texels_than_pixels_are_recovered(capsys, tmp_path):
    run("mipmaps", "--steps", 12, "--size", 12, "--output", tmp_path / "mipmaps.png")
    pattern = r"(\w+), (\d) samples, (\d+) %, \d+ s(, filled)? ([\d.]+) dB ([\d.]+) dB"
    rows = re.findall(pattern, capsys.readouterr().out)
    share = {row[:2]: int(row[2]) for row in rows}
    assert share["bilinear", "1"] < share["bilinear", "4"] < share["mipmaps", "1"]
    views = {(*row[:2], row[3]): float(row[5]) for row in rows}
    assert views["mipmaps", "1", ""] > views["bilinear", "1", ""] + 0.3
    assert views["bilinear", "1", ", filled"] > views["bilinear", "1", ""] + 0.1
    assert iio.imread(tmp_path / "mipmaps.png").shape == (96, 9 * 48, 3)
