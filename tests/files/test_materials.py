"""Materials of meshes, and the maps that are made of them."""

import numpy as np
import pytest
from textured_meshes import CORNERS, QUAD, UVS, random_image, sphere

import taichi_softras as sr
from taichi_softras.meshes.materials import nearest_texels


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Materials


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((7,), TypeError, "name must be a str, got int"),
        (("", (1, 2)), ValueError, r"color must be 3 finite numbers, got \(1, 2\)"),
        (("", (1, 2, np.nan)), ValueError, "color must be 3 finite numbers"),
        (("", "red"), ValueError, "color must be 3 finite numbers, got 'red'"),
        (("", (1, 1, 1), np.zeros((2, 2, 3), np.uint8)), TypeError, "image must be float32 or"),
        (("", (1, 1, 1), np.zeros((2, 2))), ValueError, r"shape \(H, W, 3\).*got \(2, 2\)"),
        (("", (1, 1, 1), np.zeros((2, 2, 4))), ValueError, r"got \(2, 2, 4\)"),
        (("", (1, 1, 1), np.zeros((0, 2, 3))), ValueError, r"got \(0, 2, 3\)"),
        (("", (1, 1, 1), np.full((1, 1, 3), np.nan)), ValueError, "image must be finite"),
        (("", (1, 1, 1), None, "tile"), ValueError, r"wrap must be one of .* got 'tile'"),
        (("", (1, 1, 1), None, ("clamp",)), ValueError, r"or two of these, got \('clamp',\)"),
        (("", (1, 1, 1), None, ("clamp", 1)), ValueError, r"or two of these, got \('clamp', 1\)"),
    ],
)
def test_refusals_of_a_material(arguments, error, message):
    with pytest.raises(error, match=message):
        sr.Material(*arguments)


def test_the_image_is_copied_unless_nobody_can_write_to_it():
    image = np.zeros((2, 2, 3), np.float32)
    first = sr.Material(image=image)
    image[:] = 1
    assert not first.image.any()
    assert not first.image.flags.writeable
    assert sr.Material(image=first.image).image is first.image
    view = image[:1]
    view.flags.writeable = False
    second = sr.Material(image=view)
    image[:] = 0.5
    np.testing.assert_array_equal(second.image, 1)


def test_nearest_texels():
    image = np.arange(12.0).reshape(2, 2, 3)
    uvs = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [0.4, 0.6], [-0.2, 2.9], [7, -3]])
    expected = {
        "repeat": [6, 9, 0, 3, 0, 3, 6],
        "clamp": [6, 9, 0, 3, 0, 0, 9],
        "mirror": [6, 9, 0, 3, 0, 0, 3],
        ("clamp", "repeat"): [6, 9, 0, 3, 0, 0, 9],
        ("repeat", "clamp"): [6, 9, 0, 3, 0, 3, 6],
    }
    for wrap, reds in expected.items():
        np.testing.assert_array_equal(nearest_texels(image, uvs, wrap)[:, 0], reds)


# Meshes with materials


def test_fields_are_kept(rng):
    mesh = sphere(rng)
    for other in (
        mesh.normalized(),
        mesh.with_vertices(mesh.vertices * 2),
        mesh.with_colors(mesh.colors * 0),
        mesh.with_colors(None),
    ):
        np.testing.assert_array_equal(other.face_uvs, mesh.face_uvs)
        np.testing.assert_array_equal(other.face_materials, mesh.face_materials)
        assert all(a is b for a, b in zip(other.materials, mesh.materials, strict=True))
    assert mesh.face_materials.dtype == np.int32
    assert isinstance(mesh.materials, tuple)
    double = mesh.with_vertices(mesh.vertices.astype(np.float64))
    assert double.face_uvs.dtype == double.texture_maps().texels.dtype == np.float64
    for array in (mesh.face_uvs, mesh.face_materials):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert len(mesh.to_taichi()) == len(mesh.to_torch()) == 3


PLAIN = sr.Material("plain")


TEXTURED = sr.Material("oak", image=np.zeros((1, 1, 3), np.float32))


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"face_uvs": UVS}, ValueError, r"face_uvs must have shape \(2, 3, 2\), got \(4, 2\)"),
        ({"face_uvs": np.full((2, 3, 2), np.nan)}, ValueError, "face_uvs must be finite, got"),
        ({"face_uvs": [["a", "b"]] * 3}, TypeError, "face_uvs must be numbers"),
        ({"face_materials": [0, 0]}, ValueError, "given both or neither, got 0 materials"),
        ({"materials": (PLAIN,)}, ValueError, "given both or neither, got 1 materials"),
        ({"face_materials": [0, 1], "materials": (PLAIN,)}, ValueError, "of the 1 materials"),
        ({"face_materials": [0, -1], "materials": (PLAIN,)}, ValueError, "got -1 to 0"),
        ({"face_materials": [0.0, 0], "materials": (PLAIN,)}, TypeError, "must be integers"),
        ({"face_materials": [0], "materials": (PLAIN,)}, ValueError, r"shape \(2,\), got \(1,\)"),
        ({"face_materials": [0, 0], "materials": ("x",)}, TypeError, "must be Materials, got str"),
        ({"face_materials": [0, 0], "materials": (TEXTURED,)}, ValueError, "face_uvs .* 'oak'"),
    ],
)
def test_refusals_of_a_textured_mesh(fields, error, message):
    with pytest.raises(error, match=message):
        sr.Mesh(CORNERS, QUAD, **fields)


def test_texture_maps(rng):
    tall, wide = random_image(rng, 3, 2), random_image(rng, 1, 4)
    materials = (
        sr.Material("a", (0.5, 1, 0), image=tall),
        sr.Material("b", (0, 0.25, 1)),
        sr.Material("c", image=wide, wrap="clamp"),
    )
    uvs = rng.random((4, 3, 2)).astype(np.float32)
    faces = [[0, 1, 2]] * 4
    mesh = sr.Mesh(CORNERS, faces, face_uvs=uvs, face_materials=[2, 0, 1, 0], materials=materials)
    found = mesh.texture_maps()
    np.testing.assert_array_equal(found.maps, [[0, 3, 2, 0], [6, 1, 1, 0], [7, 1, 4, 1]])
    np.testing.assert_array_equal(found.face_maps, [2, 0, 1, 0])
    np.testing.assert_array_equal(found.face_uvs, uvs)
    expected = [*(tall * [0.5, 1, 0]).reshape(-1, 3), [0, 0.25, 1], *wide.reshape(-1, 3)]
    np.testing.assert_allclose(found.texels, expected, rtol=1e-6)
    assert found.texels.dtype == np.float32
    assert found.maps.dtype == found.face_maps.dtype == np.int32


def test_equal_materials_share_a_map(rng):
    image = sr.Material(image=random_image(rng, 2, 2)).image
    materials = [
        sr.Material("a", image=image),
        sr.Material("b", image=image),
        sr.Material("c", image=image, wrap="clamp"),
        sr.Material("d", (0, 0, 0), image=image),
    ]
    uvs = np.zeros((4, 3, 2))
    faces = [[0, 1, 2]] * 4
    mesh = sr.Mesh(CORNERS, faces, face_uvs=uvs, face_materials=range(4), materials=materials)
    np.testing.assert_array_equal(mesh.texture_maps().face_maps, [0, 0, 1, 2])
    assert len(mesh.texture_maps().texels) == 12


def test_each_way_to_wrap_has_its_number():
    ways = ["repeat", "clamp", "mirror", ("repeat", "clamp"), ("clamp", "repeat")]
    materials = [sr.Material(wrap=wrap) for wrap in ways]
    mesh = sr.Mesh(CORNERS, [[0, 1, 2]] * 5, face_materials=range(5), materials=materials)
    np.testing.assert_array_equal(mesh.texture_maps().maps[:, 3], [0, 1, 2, 4, 6])


def test_texture_maps_need_materials():
    with pytest.raises(ValueError, match="mesh must have materials, got none"):
        sr.Mesh(CORNERS, QUAD).texture_maps()
    mesh = sr.Mesh(CORNERS, QUAD, face_materials=[0, 0], materials=[PLAIN])
    np.testing.assert_array_equal(mesh.texture_maps().face_uvs, np.zeros((2, 3, 2)))
