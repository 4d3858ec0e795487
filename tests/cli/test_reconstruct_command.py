"""The commands that make meshes of photographs: files they write, and what they refuse."""

import json
from dataclasses import replace

import imageio.v3 as iio
import numpy as np
import photographed
import pytest

import taichi_softras as sr
from taichi_softras.cli import main
from taichi_softras.cli.reconstruct import PhotoOptions, held_out_of, settings_of

MESH = photographed.colorful(sr.icosphere(3), strength=0.3)
FILES = {"mesh.glb", "mesh.obj", "report.html", "report.json", "turntable.gif"}
QUICK = ("--pace", 0.04, "--finest", 0.2, "--resolution", 24, "--texture", 64)


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def write_folder(captures, folder):
    """instant-ngp's folder, with alpha."""
    folder.mkdir()
    frames = []
    for i, name in enumerate(captures.names):
        pixels = np.dstack([captures.pictures[i], captures.masks[i]])
        iio.imwrite(folder / name, pixels)
        matrix = np.eye(4)
        matrix[:3, :3] = captures.rotations[i].T * (1, -1, -1)
        matrix[:3, 3] = captures.eyes[i]
        lens = captures.matrices[i]
        frames.append(
            {
                "file_path": name,
                "transform_matrix": matrix.tolist(),
                "fl_x": lens[0, 0],
                "fl_y": lens[1, 1],
                "cx": lens[0, 2] + 0.5,
                "cy": lens[1, 2] + 0.5,
            }
        )
    (folder / "transforms.json").write_text(json.dumps({"frames": frames}))
    return folder


@pytest.fixture(scope="module")
def captures():
    return photographed.photograph(MESH, 10, height=36, width=48)


@pytest.fixture
def folder(captures, tmp_path):
    return write_folder(captures, tmp_path / "photos")


def test_reconstruct_writes_a_mesh_and_a_report(folder, tmp_path, capsys):
    output = tmp_path / "out"
    sr.write_mesh(MESH, tmp_path / "truth.ply")
    more = ("--hold-out", 0.2, "--truth", tmp_path / "truth.ply")
    assert run("reconstruct", folder, "-o", output, *QUICK, *more) == 0
    assert {path.name for path in output.iterdir()} >= {*FILES, "checkpoint.npz", "mesh_0.png"}
    mesh = sr.read_mesh(output / "mesh.glb", textures=True)
    assert mesh.materials[0].image.shape == (64, 64, 3)
    assert np.linalg.norm(mesh.vertices, axis=1).mean() == pytest.approx(0.5, abs=0.03)
    report = json.loads((output / "report.json").read_text())
    names = [photo["name"] for photo in report["held out"]["photographs"]]
    assert names == ["4.png", "9.png"]
    assert len(report["fitted"]["photographs"]) == 8
    assert report["held out"]["mean"]["iou"] > 0.9
    assert report["faces"] == mesh.num_faces
    assert 0.005 < report["chamfer distance to the truth"] < 0.1
    assert report["settings"]["options"]["finest"] == 0.2
    page = (output / "report.html").read_text()
    assert "4.png" in page
    assert str(tmp_path) not in page + json.dumps(report)
    assert "2 photographs held out: IoU 0.9" in capsys.readouterr().out


def test_reconstruct_goes_on_after_an_interruption(folder, tmp_path, capsys, monkeypatch):
    output = tmp_path / "out"
    assert run("reconstruct", folder, "-o", output, *QUICK, "--resume") == 1
    assert "there must be a checkpoint to resume" in capsys.readouterr().err
    assert not output.exists()
    from taichi_softras.cli import reconstruct as command

    whole = command.reconstruct

    def interrupted(*args, on_step, **kwargs):
        def stop(progress):
            on_step(progress)
            if progress.number == 1:
                raise KeyboardInterrupt

        return whole(*args, on_step=stop, **kwargs)

    monkeypatch.setattr(command, "reconstruct", interrupted)
    assert run("reconstruct", folder, "-o", output, *QUICK) == 130
    printed = capsys.readouterr()
    assert "as it was; --resume goes on" in printed.out
    assert sr.read_mesh(output / "mesh.glb").num_faces > 100
    monkeypatch.setattr(command, "reconstruct", whole)
    assert run("reconstruct", folder, "-o", output, *QUICK, "--resume") == 0
    assert sr.read_mesh(output / "mesh.glb", textures=True).materials


def test_bake_gives_a_mesh_its_texture(folder, captures, tmp_path):
    sr.write_mesh(MESH.with_colors(None), tmp_path / "grey.ply")
    output = tmp_path / "out"
    assert run("bake", tmp_path / "grey.ply", folder, "-o", output, "--texture", 128) == 0
    assert {path.name for path in output.iterdir()} >= FILES
    baked = sr.read_mesh(output / "mesh.obj", textures=True)
    assert baked.num_faces == MESH.num_faces
    assert min(a.psnr for a in sr.measure_agreement(baked, captures)) > 24


def black(captures):
    return replace(captures, masks=0 * captures.masks)


def missing(captures):
    """Cameras that look past the object, each in another direction."""
    turns = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    pose = sr.Extrinsics(turns @ captures.rotations, captures.translations @ turns.T)
    return replace(captures, camera=sr.PosedCamera(pose, captures.camera.lens))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.select([0]), "at least 2 photographs, got 1"),
        (black, "masks must show something, got empty ones of 0.png, 1.png"),
        (missing, "masks and cameras must have some space in common"),
    ],
)
def test_photographs_that_make_no_mesh_are_refused(change, message, captures, tmp_path, capsys):
    folder = write_folder(change(captures), tmp_path / "photos")
    assert run("reconstruct", folder, "-o", tmp_path / "out", *QUICK) == 1
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*"))


def test_pictures_that_are_none_and_empty_folders_are_refused(folder, tmp_path, capsys):
    (folder / "3.png").write_text("no picture")
    assert run("reconstruct", folder, "-o", tmp_path / "out") == 1
    assert "3.png' can't be read" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run("reconstruct", tmp_path / "empty", "-o", tmp_path / "out") == 1
    assert "folder must have cameras" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_large_photographs_are_scaled_down(folder):
    assert PhotoOptions(longest=24).read(folder).pictures.shape == (10, 18, 24, 3)


NAMES = ("a/r_0.png", "a/r_1.png", "b/r_1.png", "a/r_3.png", "a/r_4.png")


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ((), []),
        (("0.4",), [1, 3]),
        (("0.2",), [4]),
        (("a/r_1.png", "r_3"), [1, 3]),
        (("r_0.png", "r_0"), [0]),
    ],
)
def test_hold_out(wanted, chosen):
    assert held_out_of(NAMES, wanted) == chosen


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (("r_1",), "'r_1', of which there are 2"),
        (("r_9",), "'r_9', of which there are 0"),
        (("1.5",), "share above 0 and under 1"),
        (("r_0", "r_3", "r_4", "a/r_1.png"), "must leave 2 photographs at least, got 4 of 5"),
    ],
)
def test_hold_out_refuses(wanted, message):
    with pytest.raises(ValueError, match=message):
        held_out_of(NAMES, wanted)


def test_cameras_are_found_once(captures, tmp_path, capsys, monkeypatch):
    pytest.importorskip("pycolmap")
    from taichi_softras.cli import motion
    from taichi_softras.cli import reconstruct as command

    folder = write_folder(captures, tmp_path / "photos")
    known = sr.read_captures(folder)
    found = []

    def estimate(folder, model, options, **_):
        """Stands for the minutes that it takes: `test_motion` has the real one."""
        found.append(options)
        if options.seed == 9:
            raise ValueError("cameras were found for 0 of 10 pictures")
        write_model(known, model)

    monkeypatch.setattr(motion, "estimate_cameras", estimate)
    monkeypatch.setattr(command, "reconstruct", lambda *_, **__: MESH)
    (folder / "transforms.json").unlink()
    output = tmp_path / "out"
    assert run("reconstruct", folder, "-o", output, *QUICK, "--sfm", "--cameras.seed", 9) == 1
    assert not output.exists()
    assert run("reconstruct", folder, "-o", output, *QUICK, "--sfm") == 0
    assert "cameras of 10 photographs are in" in capsys.readouterr().out
    assert {path.name for path in output.iterdir()} >= FILES
    model = output / "sparse"
    for options, count in ((motion.MotionOptions(), 2), (motion.MotionOptions(lens="OPENCV"), 3)):
        again = motion.find_cameras(folder, output, options, None, lambda *_: None)
        assert again == model
        assert len(found) == count
    options = PhotoOptions(model=model)
    np.testing.assert_allclose(options.read(folder).rotations, known.rotations, atol=1e-12)
    assert settings_of(options)["model"] == "sparse"  # no path
    more = ("--sfm", "--model", model)
    assert run("reconstruct", folder, "-o", tmp_path / "other", *QUICK, *more) == 1
    assert "from --sfm or from --model, got both" in capsys.readouterr().err


def test_masks_are_wanted_before_cameras_are_found(captures, tmp_path, capsys):
    folder = write_folder(captures, tmp_path / "photos")
    iio.imwrite(folder / "3.png", captures.pictures[3])
    assert run("reconstruct", folder, "-o", tmp_path / "out", "--sfm") == 1
    printed = capsys.readouterr().err
    assert "photographs must have masks" in printed
    assert printed.endswith("got none for 3.png\n")
    assert not (tmp_path / "out").exists()


def write_model(captures, model):
    import pycolmap

    model.mkdir(exist_ok=True)
    found = pycolmap.Reconstruction()
    _, height, width = captures.known.shape
    (fx, _, cx), (_, fy, cy), _ = captures.matrices[0]
    lens = {"model": "PINHOLE", "params": (fx, fy, cx + 0.5, cy + 0.5)}
    camera = pycolmap.Camera(camera_id=1, width=width, height=height, **lens)
    found.add_camera_with_trivial_rig(camera)
    for i, name in enumerate(captures.names):
        rotation = pycolmap.Rotation3d(captures.rotations[i])
        pose = pycolmap.Rigid3d(rotation, captures.translations[i])
        image = pycolmap.Image(image_id=i + 1, camera_id=1, name=name)
        found.add_image_with_trivial_frame(image, pose)
    found.write_binary(str(model))
