"""Cameras are found from photographs alone, by structure from motion, or it is said why not."""

import os
import shutil
import sys

import imageio.v3 as iio
import numpy as np
import pytest

import taichi_softras as sr
from demos.paper.captured.alignment import camera_errors

pytest.importorskip("pycolmap")
COUNT, HEIGHT, WIDTH = 12, 240, 320
CAMERA = sr.LookAtCamera(sr.orbit_eyes(2.5, 25.0, np.arange(COUNT) * 18.0), fov_degrees=40.0)
BALL = sr.icosphere(4)


def noisy(mesh):
    rng = np.random.default_rng(0)
    return mesh.with_colors(rng.uniform(size=mesh.vertices.shape).astype(np.float32))


def joined(*meshes):
    starts = np.cumsum([0, *(mesh.num_vertices for mesh in meshes)])
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts)])
    return sr.Mesh(np.concatenate([mesh.vertices for mesh in meshes]), faces)


def draw(mesh, camera):
    arrays = mesh.to_taichi()
    settings = sr.RasterizerSettings(
        height=HEIGHT, width=WIDTH, near=0.5, far=6.0, sigma=1e-7, color="hard", supersampling=2
    )
    return (sr.render(*arrays, camera, settings).to_numpy() * 255 + 0.5).astype(np.uint8)


@pytest.fixture(scope="module")
def pictures():
    """A ball on a ground, noise on both, and the ball alone."""
    ground = sr.plane(3.0, segments=90)
    flat = ground.vertices[:, [0, 2, 1]] * (1, 1, -1) - (0, 0.5, 0)
    scene = noisy(joined(ground.with_vertices(flat.astype(np.float32)), BALL))
    return draw(scene, CAMERA)[..., :3], draw(BALL, CAMERA)[..., 3]


def write(folder, pictures, masks=None):
    for name, images in (("images", pictures), ("masks", masks)):
        if images is not None:
            (folder / name).mkdir(parents=True)
            for i, image in enumerate(images):
                iio.imwrite(folder / name / f"{i:02}.png", image)
    return folder


@pytest.fixture(scope="module")
def folder(pictures, tmp_path_factory):
    return write(tmp_path_factory.mktemp("motion") / "photos", *pictures)


def errors_of(captures, chosen=slice(None)):
    rotation, translation, *_ = map(np.asarray, sr.camera_to_opencv(CAMERA, HEIGHT, WIDTH)[:2])
    eyes = -np.einsum("nji,nj->ni", rotation, translation)
    return camera_errors((captures.rotations, captures.eyes), (rotation[chosen], eyes[chosen]))


def test_cameras_are_those_of_the_drawings(folder, tmp_path, capfd):
    told = []
    model = tmp_path / "sparse"
    model.mkdir()
    (model / "notes.txt").write_text("mine")
    (model / "points3D.txt").write_text("of another model")
    assert sr.estimate_cameras(folder, model, on_stage=lambda *a: told.append(a)) == COUNT
    assert capfd.readouterr() == ("", "")
    assert told[0] == ("features", 0, COUNT)
    assert told[-1] == ("cameras", COUNT, COUNT)
    captures = sr.read_captures(folder, model=model)
    assert captures.names == tuple(f"{i:02}.png" for i in range(COUNT))
    turned, moved = errors_of(captures)
    assert turned.max() < 0.5
    assert moved.max() < 0.01
    focal = sr.camera_to_opencv(CAMERA, HEIGHT, WIDTH)[2][0, 0, 0]
    assert captures.matrices[:, 0, 0] == pytest.approx(focal, rel=0.02)
    # The frame: y up, cameras at a distance of 1 from the middle of what is seen.
    assert np.degrees(np.arcsin(captures.eyes[:, 1].mean())) == pytest.approx(25, abs=8)
    assert np.linalg.norm(captures.eyes, axis=1).mean() == pytest.approx(1, abs=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["sparse"]

    again = tmp_path / "again"
    sr.estimate_cameras(folder, again, sr.MotionOptions(threads=1))
    assert {path.name for path in again.iterdir()} | {"notes.txt"} == set(os.listdir(model))
    assert (model / "notes.txt").read_text() == "mine"
    for path in again.iterdir():
        assert path.read_bytes() == (model / path.name).read_bytes(), path.name


def test_an_object_that_is_turned_needs_masks(pictures, tmp_path):
    drawn, masks = pictures
    ball = draw(noisy(BALL), CAMERA)[..., :3]
    still = np.where((masks > 127)[..., None], ball, drawn[:1])  # the ground doesn't move
    folder = write(tmp_path / "photos", still, masks)
    sr.estimate_cameras(folder, tmp_path / "sparse", sr.MotionOptions(turntable=True))
    turned, moved = errors_of(sr.read_captures(folder, model=tmp_path / "sparse"))
    assert turned.max() < 4  # not 198: the ball has few pixels
    assert moved.max() < 0.1
    shutil.rmtree(folder / "masks")
    with pytest.raises(ValueError, match=r"turntable needs masks, got none of 00\.png, 01\.png"):
        sr.estimate_cameras(folder, tmp_path / "sparse", sr.MotionOptions(turntable=True))


def test_pictures_that_show_something_else_are_named(pictures, tmp_path):
    drawn = pictures[0][:7].copy()
    drawn[6] = np.random.default_rng(1).integers(0, 256, drawn[6].shape)
    folder = write(tmp_path / "photos", drawn)
    assert sr.estimate_cameras(folder, tmp_path / "sparse") == 6
    with pytest.warns(UserWarning, match=r"without a camera are left out: 06\.png"):
        captures = sr.read_captures(folder, model=tmp_path / "sparse")
    assert errors_of(captures, range(6))[0].max() < 1.0


def test_groups_that_show_nothing_in_common_are_counted(pictures, tmp_path):
    drawn = pictures[0]
    other = draw(noisy(sr.torus(0.6, 0.3)), CAMERA)[:5, ..., :3]
    folder = write(tmp_path / "photos", np.concatenate([drawn[:7], other]))
    with pytest.warns(UserWarning, match="of the pictures, 5 show nothing .* group, of 7, is"):
        assert sr.estimate_cameras(folder, tmp_path / "sparse") == 7


def refused(folder, message, options=None, error=ValueError):
    model = folder.parent / "sparse"
    with pytest.raises(error, match=message):
        sr.estimate_cameras(folder, model, options)
    assert not model.exists()


def test_says_why_no_cameras_are_found(pictures, tmp_path):
    plain = np.full((4, HEIGHT, WIDTH, 3), 90, np.uint8)
    folder = write(tmp_path / "plain" / "photos", plain)
    refused(folder, r"found for 0 of 4 pictures, of at least 3: too few features.*'00.png' \(0\)")
    unlike = np.random.default_rng(0).integers(0, 256, plain.shape).astype(np.uint8)
    folder = write(tmp_path / "unlike" / "photos", unlike)
    refused(folder, "found for 0 of 4 pictures, .* too few show the same places")
    folder = write(tmp_path / "few" / "photos", pictures[0][:5])
    refused(folder, "at least 6 pictures to find cameras of, got 5", sr.MotionOptions(fewest=6))
    iio.imwrite(folder / "images" / "02.png", pictures[0][2, :200])
    refused(folder, "of one size, got '00.png' of 320 x 240 pixels and '02.png' of 320 x 200")
    whole = (folder / "images" / "01.png").read_bytes()
    iio.imwrite(folder / "images" / "02.png", pictures[0][2])
    (folder / "images" / "02.png").write_bytes(whole[: len(whole) // 2])
    refused(folder, r"02\.png' can't be read: it is damaged")
    (folder / "images" / "02.png").write_text("no picture")
    refused(folder, r"02\.png' can't be read: it is no image")
    refused(tmp_path / "nowhere", "folder must be one that exists", error=FileNotFoundError)


def test_says_what_is_not_installed(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(RuntimeError, match="structure from motion needs pycolmap: pip install"):
        sr.estimate_cameras(folder, tmp_path / "sparse")
    with pytest.raises(ValueError, match="model must be a sparse model of COLMAP's, got"):
        sr.read_captures(folder, model=tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lens": "FOV"}, ValueError, "lens must be 'SIMPLE_PINHOLE'.*|lens must be one of"),
        ({"one_lens": 1}, TypeError, "one_lens must be True or False"),
        ({"features": 10}, ValueError, "features must be at least 64, got 10"),
        ({"fewest": 1}, ValueError, "fewest must be at least 2, got 1"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
    ],
)
def test_refuses_options(options, error, message):
    with pytest.raises(error, match=message):
        sr.MotionOptions(**options)
