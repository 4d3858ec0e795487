"""How time and memory grow: what is measured, extended and written; never how fast."""

import json

import imageio.v3 as iio

from taichi_softras.bench import scaling
from taichi_softras.bench.measuring import Measurement
from taichi_softras.cli import main


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def measurement(fragments, seconds, peak):
    return Measurement(
        faces=1,
        fragments=fragments,
        forward=[seconds] * 3,
        backward=[2 * seconds] * 3,
        start_bytes=100,
        peak_bytes=peak,
    )


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
    assert [row["case"]["size"] for row in report["sweeps"]["size"]] == [16, 32]
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
