import json
import os
import sys
import zipfile

import imageio.v3 as iio
import numpy as np
import pytest
from experiments import run_experiment

import taichi_softras as sr
from demos.paper.deform.__main__ import main
from demos.paper.deform.fitting import PlannedFit, carry_out, recorded_steps
from demos.paper.deform.measures import Judge, carve_hull, mask_iou, voxelize
from demos.paper.deform.targets import draw_masks, read_targets


@pytest.fixture
def furniture(tmp_path, monkeypatch):
    """Two small archives, with a cube, and two models of one name."""
    for collection, names in (("one", ("box", "pot")), ("two", ("pot",))):
        with zipfile.ZipFile(tmp_path / f"{collection}.sh3f", "w") as archive:
            for name in names:
                sr.write_mesh(sr.cube(), tmp_path / "mesh.obj")
                archive.write(tmp_path / "mesh.obj", f"{collection}/{name}/{name}.obj")
    monkeypatch.setenv("SOFTRAS_FURNITURE", str(tmp_path))


@pytest.fixture(scope="module")
def block(tmp_path_factory):
    """A mesh file."""
    path = tmp_path_factory.mktemp("meshes") / "block.ply"
    sr.write_mesh(sr.cube(), path)
    return path


def test_program_fits_without_importing_pytorch(block, tmp_path):
    output = tmp_path / "new" / "folder"
    # A PyTorch that ends the program which imports it.
    (tmp_path / "torch.py").write_text("raise SystemExit('PyTorch was imported')")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    printed = run_experiment("deform", "--quick", "--output", output, block, PYTHONPATH=path)
    (fit,) = json.loads((output / "deform.json").read_text())["fits"]
    for name in ("held_out_iou", "voxel_iou"):
        assert 1 - fit[name] < 0.6 * (1 - fit["start"][name])
    assert fit["chamfer"] < 0.6 * fit["start"]["chamfer"]
    assert f"{fit['held_out_iou']:.3f}" in printed
    assert sr.read_mesh(output / "block-sphere-taichi-6-32.ply").num_faces == fit["faces"]
    assert fit["crossing"] == 0
    assert iio.imread(output / "deform.png").ndim == 3
    # Spheres turn into blocks below masks that are black on white.
    frames = iio.imread(output / "deform.gif")
    mask, first, last = frames[0, :48], frames[0, 48:], frames[-1, 48:]
    assert mask[0, 24].tolist() == [255] * 3
    assert mask[24, 24].tolist() == [0] * 3
    assert (first != last).any()


def test_frameworks_fit_equally_well(block):
    (target,) = read_targets([block], []).values()
    judge = Judge(target, sr.icosphere(1))
    by_taichi, by_torch = (
        carry_out(
            PlannedFit("block", framework, 6, 32, "cut", 1, 30), target, judge, 2, lambda: None
        )[0]
        for framework in ("taichi", "torch")
    )
    # The steps are the same but for rounding.
    np.testing.assert_allclose(by_taichi["losses"][:5], by_torch["losses"][:5], rtol=1e-3)
    for name in ("held_out_iou", "voxel_iou"):
        assert abs(by_taichi[name] - by_torch[name]) < 0.02


@pytest.mark.parametrize("method", ["hull", "hull-vertices", "hull-once"])
def test_hulls_become_the_target(method, block):
    (target,) = read_targets([block], []).values()
    judge = Judge(target, sr.icosphere(1))
    run = PlannedFit("block", "taichi", 6, 32, method, 1, 10)
    result, recorded = carry_out(run, target, judge, 2, lambda: None)
    assert result["held_out_iou"] > 0.85
    # The hull of all pixels that masks touch has lost nothing, and holds more.
    assert np.ptp(recorded[0].vertices, axis=0).min() > np.ptp(target.vertices, axis=0).max()
    lengths = run.options.remeshing_lengths
    assert len(lengths) == (1 if method == "hull-once" else 3)
    assert lengths[max(lengths)] == pytest.approx(2.5 * 1.25 / 32)


def test_furniture_is_found_by_name(furniture):
    targets = read_targets([], ["box", "two/pot"])
    assert list(targets) == ["box", "pot"]
    assert targets["box"].num_faces == sr.cube().num_faces


@pytest.mark.parametrize(
    ("name", "message"), [("pot", "one/pot, two/pot"), ("chair", "fits none"), ("ox", "fits none")]
)
def test_furniture_must_be_one_model(name, message, furniture):
    with pytest.raises(ValueError, match=message):
        read_targets([], [name])


def test_meshes_must_have_different_names(furniture, block):
    with pytest.raises(ValueError, match="block twice"):
        read_targets([block, block], ["box"])


def test_furniture_needs_archives(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTRAS_FURNITURE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="sweethome3d-furniture"):
        read_targets([], ["box"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such.obj"], "no_such.obj"),
        (["--steps", "0"], "steps must be at least 1, got 0"),
        (["--views", "24", "0"], "views must be at least 1, got 0"),
        (["--size", "-3"], "size must be at least 1, got -3"),
    ],
)
def test_bad_arguments_are_refused_in_a_line(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        main([*arguments, "--output", str(tmp_path / "out")])
    assert error.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_mask_iou_is_the_mean_over_images():
    masks = np.array([[[1, 1, 0, 0]], [[1, 0, 0, 0]], [[0, 0, 0, 0]]], dtype=float)
    others = np.array([[[0, 1, 1, 0]], [[1, 0, 0, 0]], [[0, 0, 0, 0]]], dtype=float)
    assert mask_iou(masks, others) == pytest.approx((1 / 3 + 1 + 1) / 3)


def test_hull_of_a_sphere_is_a_sphere():
    sphere = sr.icosphere(3, radius=0.3)
    sphere = sphere.with_vertices(sphere.vertices + np.float32([0.15, 0.1, -0.2]))
    # Framed as a mesh round the origin is, of which the sphere is the part at one side.
    camera = sr.surround_mesh(sr.icosphere(0, radius=0.57), 12)
    hull = carve_hull(draw_masks(sphere, camera, 64, 1), camera)
    voxels = voxelize(sphere)
    assert hull.shape == voxels.shape
    assert (hull | ~voxels).mean() > 0.99  # nothing of it is carved off
    assert sr.voxel_iou(hull, voxels)[0] > 0.7


def test_voxels_count_what_reaches_out_of_the_box():
    wide = sr.icosphere(3, radius=0.55)
    assert voxelize(wide).mean() > 0.6


def test_recorded_steps_begin_close_together():
    assert recorded_steps(100, 4) == {0, 11, 44, 99}
    assert recorded_steps(2, 36) == {0, 1}
