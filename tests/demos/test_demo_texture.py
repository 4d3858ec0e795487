import json

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from experiments import run_experiment

import taichi_softras as sr
from demos.paper.texture.__main__ import main
from demos.paper.texture.colorings import (
    fill_unseen,
    make_maps,
    resize_maps,
    sample_palette,
    with_maps,
)
from demos.paper.texture.fitting import compare, draw_batches


def two_maps():
    """Two triangles, one with an image map that two materials share, one with a plain colour."""
    image = np.arange(4 * 6 * 3, dtype=np.float32).reshape(4, 6, 3) / 72
    image.flags.writeable = False
    return sr.Mesh(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0]],
        [[0, 1, 2], [0, 2, 1], [1, 2, 0]],
        face_uvs=np.zeros((3, 3, 2), np.float32),
        face_materials=[1, 2, 0],
        materials=(
            sr.Material("a", image=image),
            sr.Material("b", (0.25, 0.5, 0.75)),
            sr.Material("c", image=image),
        ),
    )


@pytest.mark.slow
def test_demo_recovers_colours_and_files_that_hold_them(tmp_path):
    without = {"SOFTRAS_FURNITURE": str(tmp_path)}  # which has none
    assert "checkered sphere" in run_experiment(
        "texture", "--quick", "--output", tmp_path, **without
    )
    results = json.loads((tmp_path / "results.json").read_text())
    found = {(c["name"], c["size"]): c for c in results["colorings"]}
    foreground = {key: np.mean(c["fitted"]["foreground"]) for key, c in found.items()}
    assert min(foreground.values()) > np.mean(results["grey"]["foreground"]) + 2
    assert foreground["UV", 32] > foreground["UV", 16] + 2
    assert foreground["UV", 32] > foreground["palette", 8] + 2
    # Mean colours at vertices see less of the map than colours that were fitted to pictures.
    own = found["vertex", None]["own"]["foreground"]
    assert foreground["vertex", None] > np.mean(own) + 4
    assert min(results["degrees_to_nearest_view"]) > 5
    for suffix in ("obj", "glb"):
        assert results["read_back"][f"recovered.{suffix}"] > 50
    recovered = sr.read_mesh(tmp_path / "recovered.obj", textures=True)
    assert recovered.materials[0].image.shape == (16, 32, 3)
    assert np.ptp(sr.read_mesh(tmp_path / "vertex_colors.ply").colors) > 0.5
    picture = iio.imread(tmp_path / "texture.png")
    assert picture.shape[:2] == (600, 1100)
    assert picture[..., :3].std() > 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "must be at least 1, got 0"),
        (["nowhere.obj"], "path must be that of a file that exists"),
        (["plain.off"], "mesh must have an image map"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments, message, tmp_path, capsys):
    (tmp_path / "plain.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    arguments = [str(tmp_path / x) if "." in x else x for x in arguments]
    with pytest.raises(SystemExit) as ended:
        main(["--output", str(tmp_path), *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_palette_holds_rare_colours():
    pixels = np.tile(np.float32([0.5, 0.5, 0.5]), (10_000, 1))
    pixels[7] = 1, 0, 0
    pixels[-1] = 0, 0, 1
    palette = sample_palette(pixels, 3)
    assert {tuple(color) for color in palette.tolist()} == {(0.5,) * 3, (1, 0, 0), (0, 0, 1)}
    assert sample_palette(pixels, 5).shape == (5, 3)  # more than there are


def test_shrunk_maps_are_means_and_lie_one_after_another():
    mesh = two_maps()
    small = resize_maps(mesh.texture_maps(), 3)
    assert small.maps.tolist() == [[0, 2, 3, 0], [6, 1, 1, 0]]
    image = mesh.materials[0].image
    assert small.texels[:6].reshape(2, 3, 3)[1, 2] == pytest.approx(image[2:, 4:].mean((0, 1)))
    assert small.texels[6] == pytest.approx([0.25, 0.5, 0.75])
    same = resize_maps(mesh.texture_maps(), 100)
    np.testing.assert_array_equal(same.texels, mesh.texture_maps().texels)


def test_unseen_texels_get_the_nearest_colour_of_their_own_map():
    texels = np.arange(8.0)[:, None].repeat(3, axis=1)
    seen = np.array([True, False, False, False, False, True, False, False])
    maps = np.array([[0, 2, 3, 0], [6, 1, 2, 0]])
    filled = fill_unseen(texels, seen, maps)
    assert filled[[0, 1, 2, 3, 4, 5]][:, 0].tolist() == [0, 0, 5, 0, 5, 5]
    assert filled[6:, 0].tolist() == [6, 7]  # nothing was seen of this map


def test_a_mesh_takes_maps_of_another_size():
    mesh = two_maps()
    coloring = make_maps(mesh, 2)
    texels = torch.linspace(0, 1, coloring.numbers.numel()).reshape(coloring.numbers.shape)
    recolored = with_maps(mesh, coloring.paint(texels))
    shared, plain, again = recolored.materials
    assert shared.image is again.image
    assert plain.image is None
    maps = recolored.texture_maps()
    np.testing.assert_allclose(maps.texels, texels[0, 0], rtol=1e-6)
    assert maps.face_maps.tolist() == mesh.texture_maps().face_maps.tolist()


def test_comparison_tells_foreground_from_all():
    target = torch.zeros(1, 2, 2, 4)
    target[0, 0, 0] = torch.tensor([0.5, 0.5, 0.5, 1.0])
    image = target.clone()
    image[0, 0, 0, :3] += 0.1
    image[0, 1, 1, :3] = 9  # where nothing is, colours do not count
    found = compare(image, target)
    assert found["foreground"] == pytest.approx([20.0], abs=1e-4)
    assert found["whole"] == pytest.approx([20.0 + 10 * np.log10(4)], abs=1e-4)
    assert compare(target, target)["whole"] == [100.0]


def test_every_picture_is_looked_at_before_one_comes_again():
    batches = draw_batches(5, 2)
    rounds = [[k for _ in range(3) for k in next(batches)] for _ in range(2)]
    assert [sorted(r) for r in rounds] == [list(range(5))] * 2
    assert rounds[0] != rounds[1]
