"""Folders of every kind give the pictures and the cameras that were put into them."""

import json

import folders
import imageio.v3 as iio
import numpy as np
import pytest

import taichi_softras as sr

WRITERS = {
    "middlebury": folders.write_middlebury,
    "ngp": folders.write_ngp,
    "ngp, per frame": lambda scene, folder: folders.write_ngp(scene, folder, per_frame=True),
    "idr": folders.write_idr,
    "colmap, binary": folders.write_colmap,
    "colmap, text": lambda scene, folder: folders.write_colmap(scene, folder, text=True),
}


@pytest.fixture
def scene():
    return folders.make_scene()


def assert_same_cameras(captures, scene):
    scales = captures.projections[:, 2, :3]  # unit rows, as those of a rotation
    np.testing.assert_allclose(np.linalg.norm(scales, axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(captures.projections, scene.projections, atol=1e-7)


@pytest.mark.parametrize("kind", WRITERS)
def test_gives_what_was_written(kind, scene, tmp_path):
    WRITERS[kind](scene, tmp_path)
    captures = sr.read_captures(tmp_path)
    assert [name.removeprefix("images/") for name in captures.names] == [
        f"{name}.png" for name in folders.NAMES
    ]
    assert (captures.pictures == scene.pictures).all()
    assert captures.known.all()
    assert_same_cameras(captures, scene)


@pytest.mark.parametrize("kind", WRITERS)
def test_masks_lie_beside(kind, scene, tmp_path):
    WRITERS[kind](scene, tmp_path)
    folders.write_masks(scene, tmp_path / "masks", ".png.png" if "colmap" in kind else ".png")
    assert (sr.read_captures(tmp_path).masks == scene.masks).all()


def test_blender_names_have_no_suffix_and_the_lens_is_an_angle(scene, tmp_path):
    folders.write_pictures(scene, tmp_path / "train", alpha=True)
    frames = [
        {"file_path": f"./train/{name}", "transform_matrix": folders.to_world(scene, i)}
        for i, name in enumerate(folders.NAMES)
    ]
    content = {"camera_angle_x": 2 * np.arctan(folders.WIDTH / 2 / 40), "frames": frames}
    (tmp_path / "transforms_train.json").write_text(json.dumps(content))
    (tmp_path / "transforms_test.json").write_text("{}")
    captures = sr.read_captures(tmp_path)
    assert (captures.masks == scene.masks).all()
    middle = [[40, 0, (folders.WIDTH - 1) / 2], [0, 40, (folders.HEIGHT - 1) / 2], [0, 0, 1]]
    np.testing.assert_allclose(captures.matrices, [middle] * 3, atol=1e-9)
    np.testing.assert_allclose(captures.rotations, scene.rotations, atol=1e-12)


def test_alpha_of_255_everywhere_is_no_mask(scene, tmp_path):
    scene.masks[:] = 255
    folders.write_ngp(scene, tmp_path, alpha=True)
    assert sr.read_captures(tmp_path).masks is None


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("SIMPLE_PINHOLE", (40, 15, 12.75)),
        ("SIMPLE_RADIAL", (40, 15, 12.75, 0)),
        ("RADIAL", (40, 15, 12.75, 0, 0)),
        ("OPENCV", (40, 40, 15, 12.75, 0, 0, 0, 0)),
        ("FULL_OPENCV", (40, 40, 15, 12.75, *[0] * 8)),
    ],
)
def test_models_of_colmap_without_distortion_are_pinholes(model, params, scene, tmp_path):
    scene.matrix[1, 1] = 40
    folders.write_colmap(scene, tmp_path, model=model, params=params)
    captures = sr.read_captures(tmp_path)
    assert_same_cameras(captures, scene)
    assert (captures.pictures == scene.pictures).all()


def test_other_models_of_colmap_are_refused(scene, tmp_path):
    folders.write_colmap(scene, tmp_path, model="FOV", params=(40, 40, 15, 12, 0.1))
    with pytest.raises(ValueError, match=r"'a_0.png' must be one of SIMPLE_PINHOLE, .* got FOV"):
        sr.read_captures(tmp_path)


def test_pictures_smaller_than_their_cameras_have_smaller_cameras(scene, tmp_path):
    folders.write_ngp(scene, tmp_path)
    captures = sr.read_captures(tmp_path, longest=16)
    assert captures.pictures.shape == (3, 12, 16, 3)
    wanted = scene.pictures.astype(float).reshape(3, 12, 2, 16, 2, 3).mean(axis=(2, 4))
    assert np.abs(captures.pictures - wanted).max() <= 1  # rounded twice, along x and along y
    # The middle of the first pixel is the corner of what were four.
    np.testing.assert_allclose(
        captures.matrices[0], [[20, 0, 7.0], [0, 21, 5.875], [0, 0, 1]], atol=1e-12
    )


def test_pictures_of_several_sizes_are_filled_up_with_what_is_unknown(scene, tmp_path):
    folders.write_middlebury(scene, tmp_path)
    iio.imwrite(tmp_path / "a_1.png", scene.pictures[1, :20, :30])
    captures = sr.read_captures(tmp_path)
    assert captures.known[[0, 2]].all()
    assert captures.known[1, :20, :30].all()
    assert captures.known[1].sum() == 20 * 30
    assert_same_cameras(captures, scene)


def test_pictures_without_a_camera_are_named(scene, tmp_path):
    folders.write_ngp(scene, tmp_path)
    iio.imwrite(tmp_path / "images" / "stray.png", scene.pictures[0])
    with pytest.warns(UserWarning, match=r"without a camera are left out: stray\.png"):
        assert len(sr.read_captures(tmp_path)) == 3


def change_json(folder, change):
    content = json.loads((folder / "transforms.json").read_text())
    change(content)
    (folder / "transforms.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["frames"][1].pop("transform_matrix"), r"transform_matrix .*a_1"),
        (lambda c: c["frames"][1].update(transform_matrix=[[1, 2]]), "4 x 4 numbers"),
        (lambda c: c["frames"][1].update(transform_matrix=np.ones((4, 4)).tolist()), "rotation"),
        (lambda c: c["frames"][1].update(file_path="./images/b.png"), "no picture './images/b.png"),
        (lambda c: c["frames"].append(c["frames"][0]), r"one camera each.*a_0"),
        (lambda c: c.update(frames=[]), "got none"),
        (lambda c: c.update(frames=3), "list of frames"),
        (lambda c: c.pop("fl_x") + c.pop("fl_y"), "fl_x or a camera_angle_x"),
        (lambda c: c.update(fl_x=-1.0), "focal lengths above 0"),
        (lambda c: c.update(fl_x="far"), "fl_x .*must be one numbers|fl_x .* must be"),
        (lambda c: c.update(camera_model="EQUIRECTANGULAR"), "camera_model .*EQUIRECTANGULAR"),
        (lambda c: c.update(w=64), r"'images/a_0.png' must have the shape .* 64 x 24"),
    ],
)
def test_refuses_transforms_that_are_not_right(change, message, scene, tmp_path):
    folders.write_ngp(scene, tmp_path)
    change_json(tmp_path, change)
    with pytest.raises(ValueError, match=message):
        sr.read_captures(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("3\n", "4\n", r"scene_par\.txt must begin with the number of its pictures, 3, got '4'"),
        ("a_1.png ", "a_9.png ", r"no picture 'a_9\.png', which scene_par\.txt names"),
        ("a_1.png ", "a_1.png one ", "'a_1.png' in scene_par.txt must have a number, got 'one'"),
        ("a_1.png ", "a_1.png 1.0 ", "must have 21 numbers, got 22"),
    ],
)
def test_refuses_middlebury_files_that_are_not_right(old, new, message, scene, tmp_path):
    folders.write_middlebury(scene, tmp_path)
    path = tmp_path / "scene_par.txt"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        sr.read_captures(tmp_path)


def test_refuses_what_does_not_fit_together(scene, tmp_path):
    folders.write_idr(scene, tmp_path)
    (tmp_path / "image" / "a_2.png").unlink()
    with pytest.raises(ValueError, match="as many cameras as there are pictures, got 3 for 2"):
        sr.read_captures(tmp_path)


def test_refuses_masks_of_another_size_or_of_some_only(scene, tmp_path):
    folders.write_ngp(scene, tmp_path)
    folders.write_masks(scene, tmp_path / "masks")
    iio.imwrite(tmp_path / "masks" / "a_1.png", scene.masks[1, :20])
    with pytest.raises(ValueError, match=r"mask of picture 'images/a_1.png' .* 32 x 24 .* 32 x 20"):
        sr.read_captures(tmp_path)
    (tmp_path / "masks" / "a_1.png").unlink()
    with pytest.raises(ValueError, match=r"got none for 'images/a_1.png'"):
        sr.read_captures(tmp_path)


def test_refuses_folders_without_cameras_and_pictures_that_are_none(scene, tmp_path):
    with pytest.raises(FileNotFoundError, match="folder must be one that exists"):
        sr.read_captures(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="folder must have cameras"):
        sr.read_captures(tmp_path)
    folders.write_ngp(scene, tmp_path)
    (tmp_path / "images" / "a_1.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"a_1.png' can't be read: it is no image"):
        sr.read_captures(tmp_path)


def test_refuses_models_of_colmap_that_are_damaged(scene, tmp_path):
    folders.write_colmap(scene, tmp_path, text=True)
    (tmp_path / "images" / "a_1.png").unlink()
    with pytest.raises(ValueError, match=r"no picture 'a_1.png'"):
        sr.read_captures(tmp_path)
    (tmp_path / "sparse" / "0" / "images.txt").write_text("1 a b c\n\n")
    with pytest.raises(ValueError, match="damaged"):
        sr.read_captures(tmp_path)
