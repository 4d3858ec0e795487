"""The commands that measure: what they count, compare and write; never how fast."""

import dataclasses
import json
import sys

import imageio.v3 as iio
import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr
from taichi_softras import reference
from taichi_softras.cli import anchors, bench, main, measure, scaling
from taichi_softras.cli.measure import Case, Measurement, Request

TINY = Case(mesh="sphere", faces=80, size=16, sigma=1e-3)
FAKE_LIMIT = """
import torch
from pathlib import Path
BUILT = (Path(__file__).parent / "built").read_text()
def alloc(fv, tex, H):
    B = len(fv)
    return (torch.zeros(B, H, H) if tex is None else torch.zeros(B, 4, H, H)), None
def forward(fv, tex, H, sigma, out, saved, threads):
    out.fill_(0.5)
def backward(fv, tex, out, saved, gout, sigma, gfv, gtex, threads):
    assert gout.shape == out.shape and gfv.shape == fv.shape
"""


def measurement(fragments, seconds, peak):
    return Measurement(
        faces=1,
        fragments=fragments,
        forward=[seconds] * 3,
        backward=[2 * seconds] * 3,
        start_bytes=100,
        peak_bytes=peak,
    )


@pytest.fixture
def tiny_cases(monkeypatch):
    """Cases that take no time; those of the table are made up, as each would start a process."""
    monkeypatch.setattr(bench, "measure_alone", lambda request: measurement(7, 0.5, 2**20))
    for name in ("CASES", "LIMIT_CASES", "SMALL_CASES"):
        monkeypatch.setattr(bench, name, (TINY, dataclasses.replace(TINY, silhouette=True)))


@pytest.fixture
def fake_limit(tmp_path, monkeypatch):
    """A folder like the C++ rasterizer's, which may not be written to."""
    folder = tmp_path / "limit"
    folder.mkdir()
    (folder / "build.sh").write_text('cd "$(dirname "$0")" && cp limit.cpp built')
    (folder / "limit.cpp").write_text("anything")
    (folder / "limit.py").write_text(FAKE_LIMIT)
    monkeypatch.setattr(anchors, "has_avx512", lambda: True)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def dense_count(corners: np.ndarray, settings: sr.RasterizerSettings) -> int:
    """Count fragments by the image of each face alone: those that coverage above 0 is left of."""
    count = 0
    for face in np.moveaxis(corners, 1, 0)[:, :, None]:
        alpha = sr.rasterize_silhouette(torch.tensor(np.ascontiguousarray(face)), settings)
        count += int((alpha > 0).sum())
    return count


@pytest.mark.parametrize("kind", scenes.KINDS)
def test_fragments_are_those_that_are_drawn(kind, rng):
    corners = scenes.random_faces(kind, rng, num_items=2)
    settings = sr.RasterizerSettings(height=13, width=17, sigma=1e-3, near=2.0, far=9.0)
    count = measure.count_fragments(sr.from_numpy(corners.numpy()), settings)
    assert count == dense_count(corners.numpy(), settings)


def test_fragments_are_many():
    corners, _ = TINY.face_arrays()
    count = measure.count_fragments(sr.from_numpy(corners), TINY.settings())
    assert TINY.size**2 < count < TINY.size**2 * TINY.faces


@pytest.mark.parametrize("faces", [1_000, 5_856, 100_000])
def test_meshes_have_about_as_many_faces_as_wanted(faces):
    assert Case(faces=faces).make_mesh().num_faces == pytest.approx(faces, rel=0.05)
    assert Case(mesh="sphere", faces=1280).make_mesh().num_faces == 1280


@pytest.mark.parametrize("silhouette", [False, True])
def test_dense_rasterizer_draws_what_ours_does(silhouette):
    case = dataclasses.replace(TINY, views=2, silhouette=silhouette)
    corners, colors = (torch.tensor(array, dtype=torch.float64) for array in case.face_arrays())
    colors = colors.expand(2, -1, -1, -1).contiguous()
    settings = case.settings(perspective_correct=False)
    ours = measure.draw(corners, colors, settings, silhouette=silhouette)
    if silhouette:
        dense = reference.rasterize_silhouette(corners, settings)
    else:
        dense = reference.rasterize(corners, colors, settings)
    torch.testing.assert_close(ours, dense, rtol=0, atol=1e-10)


def test_measuring_alone():
    found = measure.measure_alone(Request(case=TINY, runs=2))
    assert found.faces == 80
    assert len(found.forward) == len(found.backward) == 2
    assert min(found.forward + found.backward) > 0
    assert found.fragments > 0
    assert 0 < found.start_bytes < found.peak_bytes < found.start_bytes + 2**30


def test_measuring_what_can_not_be_drawn():
    with pytest.raises(RuntimeError, match="height must be at least 1, got 0"):
        measure.measure_alone(Request(case=dataclasses.replace(TINY, size=0)))


def test_things_are_timed_in_turn():
    order = []

    def steps(name):
        return lambda i: order.append((name, i)) or (0.0, float(i))

    first, _ = measure.interleave(3, steps("a"), steps("b"))
    assert order[2 * measure.WARM_UPS :] == [(n, i) for i in range(3) for n in "ab"]
    assert [backward for _, backward in first] == [0.0, 1.0, 2.0]


def test_bench(tiny_cases, fake_limit, tmp_path, capsys):
    path = tmp_path / "bench.json"
    files = sorted(fake_limit.iterdir())
    arguments = ("bench", "--runs", 1, "--limit", fake_limit, "--json", path, "--against", "torch")
    assert run(*arguments) == 0
    assert sorted(fake_limit.iterdir()) == files
    text = capsys.readouterr().out
    assert "machine" in text
    assert "backend" in text
    report = json.loads(path.read_text())
    assert [case["silhouette"] for case in report["cases"]] == [False, True]
    assert report["cases"][0]["fragments"] == 7
    assert "500.00" in text
    assert set(report["comparisons"]) == {"limit", "torch"}
    for comparison in report["comparisons"]["torch"]:
        assert comparison["difference"] < 1e-4
    for comparison in report["comparisons"]["limit"]:
        assert comparison["difference"] > 0.1  # half grey is what the fake draws
        assert len(comparison["ours"]) == len(comparison["other"]) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(["--against", "pytorch3d"], "pytorch3d can't be imported"), (["--limit"], "no AVX-512")],
)
def test_bench_goes_on_without_what_is_missing(
    arguments, reason, tiny_cases, fake_limit, monkeypatch, capsys
):
    monkeypatch.setattr(anchors, "has_avx512", lambda: False)
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    monkeypatch.setattr(anchors.importlib.util, "find_spec", lambda name: None)
    arguments = [*arguments, str(fake_limit)] if arguments == ["--limit"] else arguments
    assert run("bench", "--runs", 1, *arguments) == 0
    text = capsys.readouterr().out
    assert "fragments" in text
    assert reason in " ".join(text.split())


def test_limit_that_does_not_build(fake_limit):
    fake_limit.chmod(0o755)
    (fake_limit / "build.sh").write_text("echo no compiler >&2; exit 1")
    with pytest.raises(RuntimeError, match="no compiler"), anchors.built_limit(fake_limit):
        pass


def test_limit_must_be_a_folder_with_the_rasterizer(tmp_path, tiny_cases, capsys):
    assert run("bench", "--runs", 1, "--limit", tmp_path) == 1
    assert "limit must be a folder with build.sh" in capsys.readouterr().err


def test_bench_refuses_no_runs(capsys):
    assert run("bench", "--runs", 0) == 1
    assert "runs must be at least 1" in capsys.readouterr().err


def test_scaling(tmp_path, monkeypatch, capsys):
    def measure_here(request):
        assert request.runs == 2
        pixels = request.case.views * request.case.size**2
        return measurement(pixels, pixels * 1e-6, 1000 + 10 * pixels + 7 * request.case.faces)

    monkeypatch.setattr(scaling, "measure_alone", measure_here)
    assert run("scaling", tmp_path / "out", "--quick", "--runs", 2) == 0
    picture = iio.imread(tmp_path / "out" / "scaling.png")
    assert picture.std() > 0
    report = json.loads((tmp_path / "out" / "scaling.json").read_text())
    assert set(report["sweeps"]) == {"faces", "size", "views", "sigma"}
    assert [case["size"] for case in report["sweeps"]["size"]] == [16, 32]
    text = " ".join(capsys.readouterr().out.split())
    assert "16 GiB hold about" in text
    assert "3000" in text  # nanoseconds per fragment: 1 microsecond forward and 2 backward


def test_largest_scene_is_extended_from_the_last_two_points():
    curves = [
        [(10, measurement(1, 1, 500)), (20, measurement(1, 1, 700))],
        [(2, measurement(1, 1, 500)), (4, measurement(1, 1, 620))],
        [(1, measurement(1, 1, 500)), (2, measurement(1, 1, 500))],
        [(1e-5, measurement(1, 1, 500)), (1e-4, measurement(1, 1, 600))],
    ]
    faces, size = scaling.largest_scenes(curves, memory=2700)
    assert "about 120 of faces" in faces  # 20 bytes for each after 20 with 700
    assert "20 bytes for each more" in faces
    assert f"about {round((16 + 2080 / 10) ** 0.5)} of" in size
    assert "10 bytes for each pixel" in size
