"""What notebooks and shells show: short words, meshes as they look, images side by side."""

import io
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest
import torch

import taichi_softras as sr

K = [[500, 0, 320], [0, 500, 240], [0, 0, 1]]


CAMERA_WORDS = "at=(0, 0, 0), up=(0, 1, 0), fov_degrees=30)"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (sr.icosphere(3), "Mesh(642 vertices, 1,280 faces)"),
        (sr.LookAtCamera(eye=(0, 1.5, 3)), f"LookAtCamera(eye=(0, 1.5, 3), {CAMERA_WORDS}"),
        (sr.LookAtCamera(torch.zeros(8, 3)), f"LookAtCamera(eye=tensor 8 x 3, {CAMERA_WORDS}"),
        (
            sr.Intrinsics(K, 480, 640),
            "Intrinsics(matrix=1 x 3 x 3 numbers, height=480, width=640, distortion=None)",
        ),
        (
            sr.Material("red", (1, 0, 0)),
            "Material(name='red', color=(1.0, 0.0, 0.0), image=None, wrap='repeat')",
        ),
        (
            sr.SurfaceTexture(torch.zeros(1, 12, 4, 3)),
            "SurfaceTexture(texels=tensor 1 x 12 x 4 x 3)",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_things_are_told_in_a_line(value, words):
    assert repr(value) == words


def test_a_mesh_shows_itself():
    red = sr.icosphere(1).with_colors(np.tile([1.0, 0, 0], (42, 1)))
    picture = iio.imread(io.BytesIO(red._repr_png_()))
    assert picture.shape == (256, 256, 4)
    middle, corner = picture[128, 128], picture[0, 0]
    assert middle[3] == 255
    assert middle[0] > 100 > 10 > middle[1]
    assert corner[3] == 0
    page = red._repr_html_()
    assert "data:image/png;base64,iVBOR" in page
    assert "Mesh(42 vertices, 80 faces)" in page


def test_a_mesh_without_faces_has_no_picture():
    bare = sr.Mesh([[0, 0, 0]], np.zeros((0, 3), np.int32))
    assert bare._repr_png_() is None
    assert (
        bare._repr_html_() == "<figure><figcaption>Mesh(1 vertices, 0 faces)</figcaption></figure>"
    )


@pytest.mark.parametrize(
    "images",
    [
        np.full((2, 6, 5), 0.5),
        torch.full((2, 6, 5, 1), 0.5),
        sr.from_numpy(np.full((2, 6, 5, 3), 0.5, np.float32)),
        [np.full((6, 5, 3), 0.5), np.full((6, 5), 128, np.uint8)],
    ],
    ids=["masks", "torch", "taichi", "list"],
)
def test_images_stand_side_by_side(images):
    sheet = sr.show(images, columns=2)
    assert repr(sheet) == "Sheet(2 images, 14 x 6 pixels)"
    assert (sheet.pixels[:, :5] == 128).all()
    assert (sheet.pixels[:, 5:9] == 255).all()
    assert (sheet.pixels[:, 9:] == 128).all()
    assert (iio.imread(io.BytesIO(sheet._repr_png_())) == sheet.pixels).all()


def test_images_stand_in_rows_with_captions(tmp_path):
    sheet = sr.show([np.zeros((8, 30)), np.zeros((4, 30)), sr.cube()], ["a", "b", "c"])
    assert sheet.pixels.shape == (2 * (256 + 18) + 4, 2 * 256 + 4, 3)
    strip = sheet.pixels[8:26, :30]
    assert strip.min() < 100  # letters
    assert strip.mean() > 200  # on white
    sheet.save(tmp_path / "sheet.png")
    assert (iio.imread(tmp_path / "sheet.png") == sheet.pixels).all()
    with pytest.raises(ValueError, match="output must end in one of"):
        sheet.save(tmp_path / "sheet.txt")


def test_captions_are_not_cut():
    short, long = (sr.show(np.zeros((8, 10)), [text]).pixels for text in ("a", "a long caption"))
    assert short.shape[1] == 10
    assert long.shape[1] > 60
    assert (long[8:, [0, -1]] > 100).all()  # no letter reaches out
    middle = long[0] == 0
    assert middle.all(axis=1).sum() == 10
    assert abs(np.flatnonzero(middle.all(axis=1)).mean() - long.shape[1] / 2) <= 1


def test_alpha_is_laid_over_white():
    image = np.zeros((1, 2, 2, 4))
    image[0, 0, 0] = (1, 0, 0, 1)
    image[0, 1, 1] = (1, 0, 0, 0.5)
    sheet = sr.show(image)
    assert sheet.pixels[0, 0].tolist() == [255, 0, 0]
    assert sheet.pixels[1, 0].tolist() == [255, 255, 255]
    assert sheet.pixels[1, 1].tolist() == [255, 128, 128]
    assert (sr.show((image * 255).astype(np.uint8)).pixels[0, 0] == (255, 0, 0)).all()


def test_what_is_no_image_is_refused_by_name():
    with pytest.raises(ValueError, match="images must be at least one"):
        sr.show([])
    with pytest.raises(TypeError, match=r"images\[1\] must be numbers, got str"):
        sr.show([np.zeros((2, 2)), "picture"])
    with pytest.raises(ValueError, match=r"images must have shape .* got \(1, 4, 4, 5\)"):
        sr.show(np.zeros((1, 4, 4, 5)))
    with pytest.raises(ValueError, match="captions must be one for each image, 1, got 2"):
        sr.show(np.zeros((4, 4)), ["a", "b"])


def test_steps_are_tracked(capsys):
    assert list(sr.track(range(3), "fitting")) == [0, 1, 2]
    assert list(sr.track(iter([5, 6]), total=2)) == [5, 6]
    assert "fitting" in capsys.readouterr().err


def test_importing_takes_no_progress_bar_along():
    code = "import sys, taichi_softras; print('rich.progress' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
