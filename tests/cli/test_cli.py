import gc

import imageio.v3 as iio
import numpy as np
import pytest

import taichi_softras as sr
from taichi_softras.cli import gradients, main
from taichi_softras.files.pictures import composite, to_bytes, write_animation


@pytest.fixture
def mesh_path(tmp_path):
    path = tmp_path / "a cube.obj"
    red = np.tile([0.9, 0.1, 0.1], (8, 1))
    sr.write_mesh(sr.cube().with_colors(red), path)
    return path


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def test_render_draws_the_mesh_in_the_middle(mesh_path, tmp_path, capsys):
    output = tmp_path / "cube.png"
    assert run("render", mesh_path, "-o", output, "--height", 24, "--width", 40) == 0
    picture = iio.imread(output)
    assert picture.shape == (24, 40, 3)
    assert (picture[0, 0] == 255).all()
    red, green, blue = picture[12, 20].astype(int)
    assert red > 80
    assert max(green, blue) < red / 4
    assert "8 vertices, 12 faces" in capsys.readouterr().out


def test_render_softens_with_sigma(mesh_path, tmp_path):
    for name, sigma in (("hard", 1e-6), ("soft", 1e-2)):
        arguments = ("--show", "silhouette", "--height", 32, "--width", 32, "--sigma", sigma)
        assert run("render", mesh_path, "-o", tmp_path / f"{name}.png", *arguments) == 0
    hard, soft = (iio.imread(tmp_path / f"{name}.png") for name in ("hard", "soft"))
    grey = [((picture > 20) & (picture < 235)).mean() for picture in (hard, soft)]
    assert hard.shape == (32, 32)
    assert grey[1] > 3 * grey[0]


def test_render_writes_alpha(mesh_path, tmp_path):
    output = tmp_path / "cube.png"
    assert (
        run("render", mesh_path, "-o", output, "--transparent", "--height", 16, "--width", 16) == 0
    )
    picture = iio.imread(output)
    assert picture.shape == (16, 16, 4)
    assert picture[0, 0, 3] == 0
    assert picture[8, 8, 3] == 255


# imageio's FFmpeg plugin leaves the pipes to its process to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_render_turns_the_mesh(suffix, mesh_path, tmp_path):
    output = tmp_path / f"cube.{suffix}"
    size = ("--height", 32, "--width", 48, "--frames", 5)
    assert run("render", mesh_path, "-o", output, *size) == 0
    frames = iio.imread(output)
    assert frames.shape[:3] == (5, 32, 48)
    assert np.abs(frames[0].astype(int) - frames[1]).max() > 50
    assert list(tmp_path.glob(".*")) == []  # no temporary file is left
    gc.collect()


def test_eye_is_where_the_camera_is(mesh_path, tmp_path):
    # From straight in front, the lit cube is a square.
    output = tmp_path / "cube.png"
    size = ("--size", 32, "--show", "silhouette", "--supersampling", 1)
    assert run("render", mesh_path, "-o", output, "--eye", 0, 0, 4, *size) == 0
    covered = iio.imread(output) > 127
    rows, cols = covered.any(axis=1).sum(), covered.any(axis=0).sum()
    assert rows == cols
    assert covered.sum() == rows * cols


def test_render_makes_shapes_by_name(tmp_path, capsys):
    output = tmp_path / "out.png"
    assert run("render", "teapot", "-o", output, "--size", 24) == 0
    assert iio.imread(output).shape == (24, 24, 3)
    assert f"teapot: {sr.teapot().num_vertices} vertices" in capsys.readouterr().out


def test_a_file_comes_before_the_shape_of_its_name(mesh_path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "teapot").mkdir()
    assert run("render", "teapot", "-o", tmp_path / "out.png", "--size", 8) == 1
    assert "teapot" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        (("--size", 20), (20, 20, 3)),
        (("--size", 20, "--width", 32), (20, 32, 3)),
        (("--height", 12, "--width", 32), (12, 32, 3)),
    ],
)
def test_size_is_that_of_both_sides_unless_one_is_given(options, shape, mesh_path, tmp_path):
    assert run("render", mesh_path, "-o", tmp_path / "out.png", *options) == 0
    assert iio.imread(tmp_path / "out.png").shape == shape


@pytest.mark.parametrize(
    ("color", "rgb"),
    [
        (("white",), (255, 255, 255)),
        (("Navy",), (0, 0, 128)),
        (("#ff8000",), (255, 128, 0)),
        ((0.2, 0, 1), (51, 0, 255)),
    ],
)
def test_backgrounds_have_names(color, rgb, mesh_path, tmp_path):
    output = tmp_path / "out.png"
    assert run("render", mesh_path, "-o", output, "--size", 16, "--background", *color) == 0
    assert iio.imread(output)[0, 0].tolist() == list(rgb)


def test_edges_are_anti_aliased(mesh_path, tmp_path):
    greys = []
    for samples in ((), ("--supersampling", 1)):
        arguments = ("--size", 64, "--show", "silhouette", "--coverage", "hard", *samples)
        assert run("render", mesh_path, "-o", tmp_path / "out.png", *arguments) == 0
        greys.append(np.unique(iio.imread(tmp_path / "out.png")).tolist())
    assert greys == [[0, 64, 128, 191, 255], [0, 255]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no-such.obj", "-o", "out.png"), "no-such.obj"),
        (
            ("teapott", "-o", "out.png"),
            "a file, or one of teapot, sphere, torus, cube, got 'teapott'",
        ),
        (("MESH", "-o", "out.png", "--size", "0"), "size must be at least 1, got 0"),
        (
            ("MESH", "-o", "out.png", "--background", "whit"),
            "a colour must be a name such as white",
        ),
        (("MESH", "-o", "out.png", "--background", "2", "0", "0"), "must be from 0 to 1, got 2.0"),
        (("MESH", "-o", "out.png", "--highlights", "2"), "highlights must be from 0 to 1, got 2"),
        (("MESH", "-o", "out.bmp"), "must end in one of .png, .jpg, .jpeg, .gif, .mp4"),
        (("MESH", "-o", "missing/out.png"), "folder of the output does not exist"),
        (("MESH", "-o", "out.png", "--height", "0"), "height must be at least 1, got 0"),
        (("MESH", "-o", "out.png", "--sigma", "-1"), "sigma must be above 0, got -1.0"),
        (("MESH", "-o", "out.png", "--gamma", "nan"), "gamma must be finite, got nan"),
        (("MESH", "-o", "out.png", "--fov", "180"), "fov must be above 0 and under 180"),
        (("MESH", "-o", "out.png", "--elevation", "90"), "elevation must be above -90"),
        (("MESH", "-o", "out.png", "--distance", "0"), "distance must be above 0"),
        (("MESH", "-o", "out.png", "--eye", "0", "0", "0"), "eye and at must differ"),
        (("MESH", "-o", "out.gif", "--frames", "0"), "frames must be at least 1, got 0"),
        (("MESH", "-o", "out.jpg", "--transparent"), "must be a .png"),
        (("MESH", "-o", "out.mp4", "--height", "33", "--frames", "1"), "even height and width"),
    ],
)
def test_render_refuses(arguments, message, mesh_path, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [str(mesh_path) if part == "MESH" else part for part in arguments]
    before = sorted(tmp_path.iterdir())
    try:
        status = run("render", *arguments)
    except SystemExit as error:  # the parser found an option out of range
        status = error.code
    assert status in (1, 2)
    assert message in " ".join(capsys.readouterr().err.replace("│", "").split())
    assert sorted(tmp_path.iterdir()) == before


def test_wrong_usage_exits_with_2(capsys):
    with pytest.raises(SystemExit) as error:
        run("render", "--no-such-option")
    assert error.value.code == 2
    capsys.readouterr()


def test_fit_moves_the_sphere_towards_the_mesh(mesh_path, tmp_path, capsys):
    output = tmp_path / "out"
    arguments = ("--steps", 30, "--views", 6, "--size", 32, "--subdivisions", 2)
    assert run("fit", mesh_path, "-o", output, *arguments) == 0
    first, last = (float(x) for x in capsys.readouterr().out.split("\n")[-5].split()[1:4:2])
    assert last < 0.6 * first
    fitted = sr.read_mesh(output / "fitted.obj")
    assert fitted.num_vertices == sr.icosphere(2).num_vertices
    # A cube reaches farther along its diagonals than along its axes; the sphere did not.
    directions = fitted.vertices / np.linalg.norm(fitted.vertices, axis=1, keepdims=True)
    sharpness = np.abs(directions).min(axis=1)
    reach = np.linalg.norm(fitted.vertices, axis=1)
    assert (
        reach[sharpness > 0.45].mean() > 1.15 * reach[np.abs(directions).max(axis=1) > 0.97].mean()
    )
    assert iio.imread(output / "fit.png").shape == (256, 768, 3)
    assert iio.imread(output / "loss.png").ndim == 3


def test_fit_from_the_hull_keeps_the_hole_of_a_torus(tmp_path):
    arguments = ("--start", "hull", "--size", 48, "--views", 9, "--steps", 4, "--smoothness", 5)
    lengths = ("--remeshings", 1, "--finest", 0.08, "--learning-rate", 0.05)
    upright = sr.torus().with_vertices(sr.torus().vertices[:, [0, 2, 1]])  # seen through by some
    sr.write_mesh(upright, tmp_path / "upright.ply")
    assert run("fit", tmp_path / "upright.ply", "-o", tmp_path, *arguments, *lengths) == 0
    fitted = sr.read_mesh(tmp_path / "fitted.obj", creases=False)
    sides = np.sort(fitted.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges = len(np.unique(sides, axis=0))
    assert fitted.num_vertices - edges + fitted.num_faces == 0


def test_fit_writes_nothing_when_interrupted(mesh_path, tmp_path, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("taichi_softras.fitting.descent.silhouette_loss", interrupt)
    assert run("fit", mesh_path, "-o", tmp_path / "out", "--steps", 2, "--size", 8) == 130
    assert list((tmp_path / "out").iterdir()) == []
    assert "interrupted" in capsys.readouterr().err


def test_demo_writes_everything(tmp_path, capsys):
    size = ("--picture-size", 16, "--frames", 2)
    fit = ("--steps", 2, "--views", 2, "--size", 16, "--subdivisions", 1)
    assert run("demo", "-o", tmp_path / "out", *size, *fit) == 0
    capsys.readouterr()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["fit.png", "fitted.obj", "loss.png", "softness.png", "teapot.gif"]
    assert iio.imread(tmp_path / "out" / "softness.png").shape == (32, 64, 3)


def test_info_names_versions_and_backend(capsys):
    assert run("info") == 0
    text = capsys.readouterr().out
    for word in (sr.__version__, "taichi", "numpy", "backend", "compiled kernels"):
        assert word in text


@pytest.mark.parametrize("interpolation", ["nearest", "clipped"])
def test_gradients_are_exact(interpolation):
    rng = np.random.default_rng(1)
    errors = gradients.compare_gradients(3, rng, interpolation=interpolation)
    assert set(errors) == set(gradients.INPUTS)
    for name, row in errors.items():
        assert max(row) < 1e-6, name


def test_gradients_prints_a_row_per_input(capsys):
    assert run("gradients", "--scenes", 1, "--interpolation", "clipped") == 0
    text = capsys.readouterr().out
    assert all(name in text for name in gradients.INPUTS)


def test_composite_lays_colour_over_the_background():
    image = np.array([[[1.0, 0.0, 0.0, 0.25]]])
    assert composite(image, (0.0, 0.0, 1.0)).tolist() == [[[0.25, 0.0, 0.75]]]


def test_bytes_are_rounded_and_clipped():
    assert to_bytes(np.array([-1.0, 0.0, 0.499, 1.0, 2.0])).tolist() == [0, 0, 127, 255, 255]


def test_failed_animation_leaves_the_old_file(tmp_path):
    path = tmp_path / "old.gif"
    path.write_bytes(b"old")
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the encoder makes of it
        write_animation(path, [np.zeros((4, 4, 3)), np.zeros((4, 4, 3, 1))], 10.0)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
