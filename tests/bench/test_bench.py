"""Measuring and comparing: what is counted, compared and written; never how fast."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import scenes
import torch

import taichi_softras as sr
from taichi_softras import reference
from taichi_softras.bench import cases, gpu, measuring
from taichi_softras.bench.baselines import cpp, deodr, pytorch3d
from taichi_softras.bench.cases import Case
from taichi_softras.bench.kernels import rates
from taichi_softras.bench.measuring import Measurement, Request
from taichi_softras.bench.roofline import Floor, Rates, floor_of, measure_rates
from taichi_softras.cli import bench, main

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
    found = Rates(bytes_per_second=2**20, operations_per_second=1e6)
    monkeypatch.setattr(bench, "measure_rates", lambda: found)
    for name in ("CASES", "CPP_CASES", "SMALL_CASES", "MESH_CASES"):
        monkeypatch.setattr(cases, name, (TINY, dataclasses.replace(TINY, silhouette=True)))


@pytest.fixture
def fake_limit(tmp_path, monkeypatch):
    """A folder like the C++ rasterizer's, which may not be written to."""
    folder = tmp_path / "limit"
    folder.mkdir()
    (folder / "build.sh").write_text('cd "$(dirname "$0")" && cp limit.cpp built')
    (folder / "limit.cpp").write_text("anything")
    (folder / "limit.py").write_text(FAKE_LIMIT)
    monkeypatch.setattr(cpp, "has_avx512", lambda: True)
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
    count = measuring.count_fragments(sr.from_numpy(corners.numpy()), settings)
    assert count == dense_count(corners.numpy(), settings)


def test_fragments_are_many():
    corners, _ = TINY.face_arrays()
    count = measuring.count_fragments(sr.from_numpy(corners), TINY.settings())
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
    ours = measuring.draw(corners, colors, settings, silhouette=silhouette)
    if silhouette:
        dense = reference.rasterize_silhouette(corners, settings)
    else:
        dense = reference.rasterize(corners, colors, settings)
    torch.testing.assert_close(ours, dense, rtol=0, atol=1e-10)


def test_measuring_alone():
    found = measuring.measure_alone(Request(case=TINY, runs=2))
    assert found.faces == 80
    assert len(found.forward) == len(found.backward) == 2
    assert min(found.forward + found.backward) > 0
    assert found.fragments > 0
    assert 0 < found.start_bytes < found.peak_bytes < found.start_bytes + 2**30


def test_measuring_what_can_not_be_drawn():
    with pytest.raises(RuntimeError, match="height must be at least 1, got 0"):
        measuring.measure_alone(Request(case=dataclasses.replace(TINY, size=0)))


def test_things_are_timed_in_turn():
    order = []

    def steps(name):
        return lambda i: order.append((name, i)) or (0.0, float(i))

    first, _ = measuring.interleave(3, steps("a"), steps("b"))
    assert order[2 * measuring.WARM_UPS :] == [(n, i) for i in range(3) for n in "ab"]
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
    assert [row["case"]["silhouette"] for row in report["cases"]] == [False, True]
    assert report["cases"][0]["found"]["fragments"] == 7
    assert report["rates"] == {"bytes_per_second": 2**20, "operations_per_second": 1e6}
    assert "The least that image, loss and gradients take" in " ".join(text.split())
    assert "500.00" in text
    assert set(report["comparisons"]) == {"limit", "torch"}
    assert "Processor time" in " ".join(text.split())
    for comparison in report["comparisons"]["torch"]:
        assert len(comparison["our_cpu"]) == len(comparison["other_cpu"]) == 1
        assert min(comparison["our_cpu"] + comparison["other_cpu"]) > 0
        assert comparison["difference"] < 1e-4
    for comparison in report["comparisons"]["limit"]:
        assert comparison["difference"] > 0.1  # half grey is what the fake draws
        assert len(comparison["ours"]) == len(comparison["other"]) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--against", "pytorch3d"], "pytorch3d can't be imported"),
        (["--against", "deodr"], "deodr can't be imported"),
        (["--limit"], "no AVX-512"),
    ],
)
def test_bench_goes_on_without_what_is_missing(
    arguments, reason, tiny_cases, fake_limit, monkeypatch, capsys
):
    monkeypatch.setattr(cpp, "has_avx512", lambda: False)
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    monkeypatch.setattr(pytorch3d.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(deodr.importlib.util, "find_spec", lambda name: None)
    arguments = [*arguments, str(fake_limit)] if arguments == ["--limit"] else arguments
    assert run("bench", "--runs", 1, *arguments) == 0
    text = capsys.readouterr().out
    assert "fragments" in text
    assert reason in " ".join(text.split())


def test_deodr_draws_the_same_mesh():
    """One face a pixel and hard edges: the images agree but there."""
    pytest.importorskip("deodr")
    case = Case(mesh="teapot", faces=240, size=64, sigma=1e-5)
    comparison = deodr.Deodr().compare(case, 2)
    assert comparison.difference < 0.03
    assert len(comparison.other) == len(comparison.other_cpu) == 2
    # Turned faces and mirrored images do not.
    baseline = deodr.Deodr()
    inputs, images = baseline.inputs(case), []
    baseline.make_step(case, inputs, images)(0)
    alpha = images[0][..., 3]
    ours = baseline.our_function(case, case.settings())(*inputs[0])[..., 3].detach()
    assert (ours - alpha).abs().mean() < 0.2 * (ours - alpha.flip(2)).abs().mean()


def test_what_differs_from_deodr_is_said(tiny_cases, monkeypatch, capsys):
    pytest.importorskip("deodr")
    sphere = (dataclasses.replace(TINY, sigma=1e-5),)
    monkeypatch.setattr(cases, "MESH_CASES", sphere)
    assert run("bench", "--runs", 1, "--against", "deodr") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "What differs in the work done: DEODR draws one face a pixel" in text


def test_what_runs_on_a_cpu_alone_is_not_compared_on_a_gpu(
    tiny_cases, fake_limit, monkeypatch, capsys
):
    monkeypatch.setattr(bench, "start_taichi", lambda arch: None)
    monkeypatch.setattr(cpp, "has_avx512", lambda: False)
    arguments = ("--arch", "cuda", "--limit", fake_limit, "--against", "deodr")
    assert run("bench", "--runs", 1, *arguments) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Not compared with the limit in C++: it runs on the CPU alone" in text
    assert "Not compared with deodr: DEODR runs on the CPU alone" in text


def test_floors_are_what_arrays_and_fragments_come_to():
    case = Case(mesh="sphere", faces=80, size=16, views=2)
    found = measurement(1000, 0.5, 2**20)  # of one face
    floor = floor_of(case, found)
    corners, image = 2 * 9, 2 * 16 * 16 * 4
    assert floor.bytes == 4 * (3 * (corners + 9) + 5 * image + image // 2)
    assert floor.operations == 1000 * (96 + 150)
    silhouette = floor_of(dataclasses.replace(case, silhouette=True), found)
    assert silhouette.bytes == 4 * (3 * corners + (5 * image + image // 2) // 4)
    assert silhouette.operations < floor.operations
    slow = Rates(bytes_per_second=100.0, operations_per_second=1000.0)
    assert Floor(bytes=50, operations=4000).seconds(slow) == (0.5, 4.0)


def test_rates_are_those_of_a_machine():
    """Wide bounds, which a unit that is wrong would miss; the kernels do what they say."""
    found = measure_rates(1)
    assert 1e8 < found.bytes_per_second < 1e14
    assert 1e8 < found.operations_per_second < 1e15
    source = np.arange(5, dtype=np.float32)
    target, results = np.zeros_like(source), np.zeros(2, np.float32)
    rates.copy(source, target)
    assert target.tolist() == source.tolist()
    rates.multiply_add(0.5, 1, results)
    chains = np.arange(rates.CHAINS)
    assert results.tolist() == [(0.5 * (chains + i) + 0.25).sum() for i in range(2)]


class FakeDriver:
    """A CUDA driver of a GPU with 1,000 bytes, of which 250 are in use."""

    def __init__(self):
        self.contexts = 0

    def cuInit(self, flags):  # noqa: N802
        return 0

    def cuDeviceGet(self, device, number):  # noqa: N802
        return number

    def cuDeviceGetName(self, name, size, device):  # noqa: N802
        name.value = b"A GPU"
        return 0

    def cuDevicePrimaryCtxRetain(self, context, device):  # noqa: N802
        self.contexts += 1
        return 0

    def cuDevicePrimaryCtxRelease_v2(self, device):  # noqa: N802
        self.contexts -= 1
        return 0

    def cuCtxPushCurrent_v2(self, context):  # noqa: N802
        return 0

    def cuCtxPopCurrent_v2(self, context):  # noqa: N802
        return 0

    def cuMemGetInfo_v2(self, free, total):  # noqa: N802
        free._obj.value, total._obj.value = 750, 1000
        return 0


def test_the_driver_is_asked_for_name_and_memory(monkeypatch):
    driver = FakeDriver()
    monkeypatch.setattr(gpu.ctypes, "CDLL", lambda name: driver)
    assert gpu.device_name() == "A GPU"
    assert gpu.memory_in_use() == 250
    assert driver.contexts == 0
    driver.cuMemGetInfo_v2 = lambda free, total: 2
    with pytest.raises(RuntimeError, match="cuMemGetInfo_v2 failed, with status 2"):
        gpu.memory_in_use()
    assert driver.contexts == 0


def test_memory_of_a_gpu_is_what_counts_there():
    found = dataclasses.replace(measurement(7, 0.5, 2**20), device_bytes=123)
    assert found.memory_bytes == 123


def test_no_driver_is_said(monkeypatch):
    def fail(name):
        raise OSError(name)

    monkeypatch.setattr(gpu.ctypes, "CDLL", fail)
    with pytest.raises(RuntimeError, match="no CUDA driver was found"):
        gpu.device_name()


def test_limit_that_does_not_build(fake_limit):
    fake_limit.chmod(0o755)
    (fake_limit / "build.sh").write_text("echo no compiler >&2; exit 1")
    with pytest.raises(RuntimeError, match="no compiler"), cpp.built_from(fake_limit):
        pass


def test_limit_must_be_a_folder_with_the_rasterizer(tmp_path, tiny_cases, capsys):
    assert run("bench", "--runs", 1, "--limit", tmp_path) == 1
    assert "limit must be a folder with build.sh" in capsys.readouterr().err


def test_bench_refuses_no_runs(capsys):
    assert run("bench", "--runs", 0) == 1
    assert "runs must be at least 1" in capsys.readouterr().err
