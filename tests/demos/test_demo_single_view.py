"""Single-view reconstruction, from a data set to a mesh file, on a few shapes made here."""

import doctest
import importlib
import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from experiments import run_experiment

import taichi_softras as sr

ROOT = Path(__file__).parents[2]


def demo(name):
    """Import one of the experiment's modules."""
    return importlib.import_module(f"demos.paper.single_view.{name}")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set of two classes, boxes and balls of several proportions."""
    folder = tmp_path_factory.mktemp("data")
    build_dataset = demo("build_dataset")
    rng = np.random.default_rng(0)
    for name, mesh in (("box", sr.cube()), ("ball", sr.icosphere(1))):
        meshes = [
            mesh.with_vertices(mesh.vertices * rng.uniform(0.3, 1, 3)).normalized()
            for _ in range(6)
        ]
        images = np.stack([build_dataset.draw(mesh) for mesh in meshes])
        voxels = np.stack([sr.voxelize(m.vertices[None], m.faces)[0] for m in meshes])
        splits = np.array([0, 0, 0, 1, 1, 2])
        build_dataset.write_class(folder, name, images, voxels, splits)
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A folder of training, after four steps in one process."""
    output = tmp_path_factory.mktemp("run")
    demo("train").main(training(data, output))
    return output


def training(data, output):
    """Arguments of a short training."""
    return ["--data", str(data), "--output", str(output), "--quick", "--dtype", "float64"]


def checkpoint(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def assert_same_training(found, expected, *, rtol):
    """Compare weights, statistics of batches, and the means of gradients that Adam keeps."""
    assert found["step"] == expected["step"] == 4
    for name, value in expected["model"].items():
        torch.testing.assert_close(found["model"][name], value, rtol=rtol, atol=1e-12, msg=name)
    for name, state in expected["optimizer"]["state"].items():
        mean = found["optimizer"]["state"][name]["exp_avg"]
        assert (mean - state["exp_avg"]).norm() <= rtol * state["exp_avg"].norm(), name


def test_two_processes_train_as_one(data, trained, tmp_path):
    # Batches are normalised over both processes, and gradients averaged.
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
    run_experiment("single_view.train", *training(data, tmp_path), launcher=launcher)
    assert_same_training(checkpoint(tmp_path), checkpoint(trained), rtol=1e-9)


def test_training_goes_on_from_a_checkpoint(data, tmp_path):
    train, dataset = demo("train"), demo("dataset")
    recipe = train.Recipe(steps=4, batch=4)
    objects = dataset.load(data, "train")

    def advance(trainer):
        batch = dataset.draw_batch(objects, recipe.batch, recipe.seed, trainer.step, mirror=True)
        return trainer.advance(batch)

    first = train.Trainer(recipe, "cpu")
    for _ in range(2):
        advance(first)
    first.save(tmp_path / "half.pt", 0.25)
    second = train.Trainer(recipe, "cpu")
    assert second.load(tmp_path / "half.pt") == 0.25
    for _ in range(2):
        assert advance(second) == advance(first)
    for found, expected in zip(second.model.parameters(), first.model.parameters()):
        assert torch.equal(found, expected)
    other = train.Trainer(train.Recipe(steps=5, batch=4), "cpu")
    with pytest.raises(ValueError, match=r"same recipe, got one with \{.steps.: 4\}"):
        other.load(tmp_path / "half.pt")


def test_training_lowers_the_loss(data):
    train, dataset = demo("train"), demo("dataset")
    trainer = train.Trainer(train.Recipe(steps=30, batch=4, learning_rate=3e-4), "cpu")
    batch = dataset.draw_batch(dataset.load(data, "train"), 4, 0, 0, mirror=False)
    losses = [trainer.advance(batch) for _ in range(30)]
    assert losses[-1]["silhouette"] < 0.7 * losses[0]["silhouette"]
    for found in losses:
        parts = found["silhouette"] + 5e-3 * found["laplacian"] + 5e-4 * found["flattening"]
        assert found["loss"] == pytest.approx(parts, rel=1e-5)


def test_evaluation_and_reconstruction(data, trained, tmp_path, capsys):
    demo("evaluate").main(["--data", str(data), "--run", str(trained), "--quick"])
    assert "network" in capsys.readouterr().out
    scores = json.loads((trained / "evaluation_test.json").read_text())
    for method in ("class mean", "retrieval", "network"):
        low, high = scores[method]["mean of classes"][1:]
        mean = np.mean([scores[method][name][0] for name in ("ball", "box")])
        assert scores[method]["mean of classes"][0] == pytest.approx(mean)
        assert 0 < low <= mean <= high < 1
    picture = tmp_path / "photo.png"
    with np.load(data / "box_test_images.npz") as content:
        iio.imwrite(picture, content["arr_0"][0, 3].transpose(1, 2, 0))
    output = tmp_path / "mesh.obj"
    demo("reconstruct").main([str(picture), "-o", str(output), "--run", str(trained)])
    mesh = sr.read_mesh(output)
    assert (mesh.num_vertices, mesh.num_faces) == (642, 1280)
    assert np.abs(mesh.vertices).max() <= 0.5


def test_pictures_of_training(data, trained):
    demo("show").main(["--data", str(data), "--run", str(trained)])
    picture = iio.imread(trained / "reconstructions.png")
    # A row for each class: the picture, then three sides of the mesh, then two of the truth.
    assert picture.shape == (2 * 128, 6 * 128, 3)
    for tile in np.split(picture, 6, axis=1):
        assert (tile < 200).all(axis=2).mean() > 0.03
    courses = demo("show").read_course(trained)
    assert courses["silhouette"][:, 0].tolist() == [1, 2, 3, 4]
    assert courses["voxel_iou"][:, 0].tolist() == [4]
    assert iio.imread(trained / "curve.png").ndim == 3


def test_wrong_folders_are_refused_in_a_line(data, tmp_path, capsys):
    run = str(tmp_path / "run")
    for program, arguments, words in (
        ("train", ["--data", str(tmp_path), "--output", run], "_train_images.npz files"),
        ("train", ["--data", str(data), "--output", run, "--batch", "0"], "at least 1"),
        ("evaluate", ["--data", str(data), "--run", str(tmp_path)], "best.pt"),
    ):
        with pytest.raises(SystemExit) as stopped:
            demo(program).main(arguments)
        assert stopped.value.code == 1
        message = capsys.readouterr().err
        assert words in message
        assert len(message.splitlines()) == 1


def test_views_show_the_voxels(data):
    # The two come from different code; their frames must be one, in files and in memory.
    dataset = demo("dataset")
    objects = dataset.load(data, "train")
    cells = (np.indices((32, 32, 32)).reshape(3, -1).T + 0.5) / 32 - 0.5
    for number in range(len(objects)):
        points = cells[objects.voxels[number].ravel()].astype(np.float32)
        camera = sr.LookAtCamera(dataset.camera_eyes(), fov_degrees=dataset.FOV)
        ndc = sr.project(torch.from_numpy(points)[None], camera, 1.0).numpy()
        cols = ((ndc[..., 0] + 1) * 32).astype(int).clip(0, 63)
        rows = ((1 - ndc[..., 1]) * 32).astype(int).clip(0, 63)
        for view in range(0, 24, 5):
            alpha = objects.images[number, view, 3]
            assert (alpha[rows[view], cols[view]] > 127).mean() > 0.85
            drawn = np.zeros((64, 64), bool)
            drawn[rows[view], cols[view]] = True
            assert drawn[alpha > 127].mean() > 0.8


def test_mirrored_objects_are_seen_from_the_other_side(data):
    dataset = demo("dataset")
    objects = dataset.load(data, "train")
    # Boxes and balls are their own mirror images: the picture that is claimed must be there.
    batch = dataset.draw_batch(objects, 64, seed=0, step=0, mirror=True)
    plain = dataset.draw_batch(objects, 64, seed=0, step=0, mirror=False)
    flipped = (batch.views != plain.views).any(axis=0)
    assert 16 < flipped.sum() < 48
    assert (batch.views[0] != batch.views[1]).all()
    silhouettes = torch.from_numpy(objects.images[:, :, 3] / np.float32(255))
    for k in range(2):
        for image, view in zip(batch.images[k], batch.views[k]):
            error = (silhouettes[:, view] - image[3]).abs().mean(dim=(1, 2)).min()
            assert error < 0.01


def test_reconstructor_keeps_the_sphere_in_the_box():
    model = demo("model")
    network = model.Reconstructor().eval()
    with torch.no_grad():
        for layer in (network.centroid, network.displacement):
            layer.weight.mul_(50)
        vertices = network(torch.rand(3, 4, 64, 64))
        assert vertices.abs().max() <= 0.5
        network.displacement.weight.zero_()
        network.displacement.bias.zero_()
        network.centroid.weight.zero_()
        network.centroid.bias.zero_()
        sphere = network(torch.rand(1, 4, 64, 64))[0]
    # Without displacement it is the sphere, half as large, round the origin.
    torch.testing.assert_close(sphere, torch.tensor(model.SPHERE.vertices) / 2)


def test_variants_stay_together():
    build_dataset = demo("build_dataset")
    grid = np.zeros((5, 8, 8, 8), bool)
    grid[0, :4] = grid[1, :4] = grid[2, :4] = True
    grid[1, 0, 0, 0] = False
    grid[3, 4:] = True
    grid[4, 6:] = True  # half of the one before: not alike
    groups = build_dataset.group_variants(grid)
    assert len({*groups[:3]}) == 1
    assert len({*groups}) == 3
    groups = np.repeat(np.arange(50), 2)
    splits = build_dataset.split_groups(groups, seed=0)
    assert (splits[::2] == splits[1::2]).all()
    assert np.bincount(splits).tolist() == [70, 10, 20]


def test_examples_of_the_documentation_run():
    assert doctest.testmod(demo("sources")).failed == 0


def test_names_have_classes():
    class_of = demo("sources").class_of
    for name, expected in {
        "Armchair": "chair",
        "Bedside table": "cabinet",
        "Table fan": None,
        "Coffee table": "table",
        "Desk lamp": "lamp",
        "Birthday cake": None,
        "Wine bottle": "vessel",
        "City bus": "car",
        "Convertible sofa BZ": "sofa",
    }.items():
        assert class_of(name) == expected, name


@pytest.mark.parametrize("option", ["--save-every", "--evaluate-every"])
def test_intervals_of_training_are_refused_before_it(option, capsys):
    with pytest.raises(SystemExit):
        demo("train").main([option, "0"])
    assert f"{option} must be at least 1, got 0" in capsys.readouterr().err


def test_packages_are_fetched_once_or_refused_in_words(tmp_path, monkeypatch):
    sources = demo("sources")
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(RuntimeError, match="apt-get and dpkg must be installed"):
        sources.fetch("some-package", tmp_path / "cache")
    # Stand-ins, of which dpkg unpacks what apt-get has downloaded.
    for name, script in (
        ("apt-get", '[ "$2" = some-package ] && echo content > some-package_1.deb'),
        ("dpkg", '/bin/mkdir "$3" && /bin/cp "$2" "$3/file"'),
    ):
        (tools / name).write_text(f"#!/bin/sh\n{script} || {{ echo E: no such >&2; exit 100; }}\n")
        (tools / name).chmod(0o755)
    root = sources.fetch("some-package", tmp_path / "cache")
    assert (root / "file").read_text() == "content\n"
    (root / "file").write_text("kept")
    assert sources.fetch("some-package", tmp_path / "cache") == root
    assert (root / "file").read_text() == "kept"
    with pytest.raises(RuntimeError, match="apt-get download other failed: E: no such"):
        sources.fetch("other", tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["some-package"]


def test_photos_are_framed_like_the_data():
    reconstruct = demo("reconstruct")
    photo = np.full((90, 200, 3), 250, np.uint8)
    photo[20:50, 100:160] = (200, 30, 60)
    image = reconstruct.prepare(photo)
    assert image.shape == (4, 64, 64)
    rows, cols = np.nonzero(image[3] > 127)
    assert (rows.min() + rows.max(), cols.min() + cols.max()) == (63, 63)
    assert np.ptp(cols) + 1 == reconstruct.OBJECT_SIZE
    assert np.ptp(rows) + 1 == reconstruct.OBJECT_SIZE // 2
    np.testing.assert_array_equal(image[:3, 32, 32], (200, 30, 60))
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="plain background"):
        reconstruct.prepare(noise)
    with pytest.raises(ValueError, match="transparent"):
        reconstruct.prepare(np.zeros((64, 64, 4), np.uint8))


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*there is no texture")  # some models lack theirs
def test_models_become_a_data_set(tmp_path):
    folder = Path("/usr/share/sweethome3d/furniture")
    if not folder.is_dir():
        pytest.skip("the package sweethome3d-furniture is not installed")
    aircraft = Path("/usr/share/games/flightgear/AI/Aircraft")
    given = ["--furniture", str(folder), "--aircraft", str(aircraft)]
    demo("build_dataset").main([*given, "--output", str(tmp_path), "--quick"])
    names = json.loads((tmp_path / "names.json").read_text())
    objects = demo("dataset").load(tmp_path, "train")
    assert set(objects.class_names) == set(names)
    assert len(objects) == sum(len(splits["train"]) for splits in names.values())
    assert objects.voxels.any(axis=(1, 2, 3)).all()
    assert (objects.images[:, :, 3] > 127).any(axis=(2, 3)).all()
