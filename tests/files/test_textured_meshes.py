"""Meshes with materials, written and read again."""

import dataclasses
import json
import struct

import numpy as np
import pytest
import trimesh
from textured_meshes import BLUE, CORNERS, GREEN, QUAD, RED, UVS, drawn, random_image, sphere

import taichi_softras as sr


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Round trips


@pytest.mark.parametrize("name", ["a.obj", "my chair (2).obj"])
def test_obj_round_trip_is_exact(tmp_path, rng, name):
    mesh = sphere(rng)
    sr.write_mesh(mesh, tmp_path / name)
    found = sr.read_mesh(tmp_path / name, textures=True)
    for field in ("vertices", "faces", "face_uvs", "face_materials"):
        np.testing.assert_array_equal(getattr(found, field), getattr(mesh, field))
    names = [material.name for material in found.materials]
    assert names == ["oak, dark", "red", "name with spaces #2"]
    for new, old in zip(found.materials, mesh.materials):
        assert (new.color, new.wrap) == (old.color, old.wrap)
        assert (new.image is None) == (old.image is None)
        if old.image is not None:
            np.testing.assert_array_equal(new.image, old.image)
    stem = name[:-4]
    files = {name, f"{stem}.mtl", f"{stem}_0.png", f"{stem}_1.png"}
    assert {path.name for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize("suffix", [".obj", ".glb"])
def test_round_trip_of_what_is_drawn(tmp_path, rng, suffix):
    mesh = sphere(rng, 4)
    sr.write_mesh(mesh, tmp_path / f"a{suffix}")
    found = sr.read_mesh(tmp_path / f"a{suffix}", textures=True)
    assert found.num_vertices == mesh.num_vertices  # seams are closed again
    np.testing.assert_allclose(drawn(found), drawn(mesh), rtol=0, atol=2e-6)


@pytest.mark.parametrize("wrap", ["mirror", ("mirror", "repeat"), ("repeat", "mirror")])
def test_obj_has_mirrored_images_beside_their_mirror_images(tmp_path, rng, wrap):
    material = sr.Material("a", image=random_image(rng, 3, 4), wrap=wrap)
    uvs = rng.uniform(-3, 3, (2, 3, 2)).astype(np.float32)
    fields = {"face_uvs": uvs, "face_materials": [0, 0], "materials": [material]}
    mesh = sr.Mesh(CORNERS, QUAD, **fields)
    sr.write_mesh(mesh, tmp_path / "a.obj")
    found = sr.read_mesh(tmp_path / "a.obj", textures=True)
    pictures = [
        sr.render(
            *shape.to_taichi()[:2],
            sr.UVTexture.from_maps(shape.texture_maps(), shape.to_taichi()[0]),
            sr.LookAtCamera((0.5, 0.5, 2), (0.5, 0.5, 0)),
            sr.RasterizerSettings(height=32, width=32),
        ).to_numpy()
        for shape in (mesh, found)
    ]
    np.testing.assert_allclose(pictures[1], pictures[0], atol=2e-5)


def test_obj_clamps_along_both_axes_or_neither(tmp_path, rng):
    """Where an image is not left along one axis, that may wrap as it likes."""
    image = random_image(rng, 2, 2)
    for uv, wrap, written in [
        ((0.5, 2), ("clamp", "repeat"), "repeat"),
        ((2, 0.5), ("clamp", "repeat"), "clamp"),
        ((2, 0.5), ("repeat", "clamp"), "repeat"),
    ]:
        material = sr.Material(image=image, wrap=wrap)
        uvs = np.full((2, 3, 2), uv)
        fields = {"face_uvs": uvs, "face_materials": [0, 0], "materials": [material]}
        sr.write_mesh(sr.Mesh(CORNERS, QUAD, **fields), tmp_path / "a.obj")
        assert sr.read_mesh(tmp_path / "a.obj", textures=True).materials[0].wrap == written
    fields["face_uvs"] = [[[2, 2]] * 3] * 2
    message = "material '' must wrap along both axes alike to become OBJ, got .*: GLB can have it"
    with pytest.raises(ValueError, match=message):
        sr.write_mesh(sr.Mesh(CORNERS, QUAD, **fields), tmp_path / "a.obj")


def test_glb_keeps_the_shape_of_a_mesh_far_away(tmp_path):
    far = sr.icosphere(1).vertices + np.array([500000.25, 4600000.5, 100])
    mesh = dataclasses.replace(sr.icosphere(1), vertices=far, colors=None)
    sr.write_mesh(mesh, tmp_path / "a.glb")
    found = sr.read_mesh(tmp_path / "a.glb")
    assert found.vertices.dtype == np.float64
    np.testing.assert_allclose(found.vertices, mesh.vertices, rtol=0, atol=1e-6)


def test_glb_keeps_materials(tmp_path, rng):
    mesh = sphere(rng, 5)
    sr.write_mesh(mesh, tmp_path / "a.glb")
    found = sr.read_mesh(tmp_path / "a.glb", textures=True)
    for new, old in zip(found.materials, mesh.materials, strict=True):
        assert (new.name, new.wrap) == (" ".join(old.name.split()), old.wrap)
        assert new.color == old.color  # not rounded to 8 bits
        if old.image is not None:
            np.testing.assert_array_equal(new.image, old.image)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.glb"]


def test_glb_keeps_vertices_that_only_their_normals_tell_apart(tmp_path):
    # A cube of six squares has eight corners with three normals each, a welded one does not.
    shape = sr.cube()
    split = sr.Mesh(
        shape.vertices[shape.faces].reshape(-1, 3),
        np.arange(36).reshape(12, 3),
        face_materials=np.arange(12) % 2,
        materials=[sr.Material("a", RED), sr.Material("b", BLUE)],
    )
    sr.write_mesh(split, tmp_path / "a.glb")
    assert sr.read_mesh(tmp_path / "a.glb", textures=True).num_vertices == 24
    welded = dataclasses.replace(split, vertices=shape.vertices, faces=shape.faces, colors=None)
    sr.write_mesh(welded, tmp_path / "b.glb")
    assert sr.read_mesh(tmp_path / "b.glb", textures=True).num_vertices == 8


def test_glb_round_trip_of_vertex_colors(tmp_path, rng):
    mesh = sr.icosphere(1).with_colors(rng.integers(0, 256, (42, 3)) / 255)
    sr.write_mesh(mesh, tmp_path / "a.glb")
    for textures in (False, True):
        found = sr.read_mesh(tmp_path / "a.glb", textures=textures)
        np.testing.assert_array_equal(found.vertices, mesh.vertices)
        np.testing.assert_array_equal(found.faces, mesh.faces)
        np.testing.assert_allclose(found.colors, mesh.colors, rtol=0, atol=1e-6)
        assert (found.face_uvs, found.face_materials, found.materials) == (None, None, ())


def test_glb_is_well_formed(tmp_path, rng):
    sr.write_mesh(sphere(rng, 4), tmp_path / "a.glb")
    content = (tmp_path / "a.glb").read_bytes()
    magic, version, size, length, kind = struct.unpack("<4s3I4s", content[:20])
    assert (magic, version, size, kind) == (b"glTF", 2, len(content), b"JSON")
    tree = json.loads(content[20 : 20 + length])
    start = 20 + length
    buffer_size, buffer_kind = struct.unpack("<I4s", content[start : start + 8])
    assert (start % 4, buffer_size % 4, buffer_kind) == (0, 0, b"BIN\0")
    assert start + 8 + buffer_size == len(content)
    assert tree["buffers"] == [{"byteLength": buffer_size}]
    assert len(tree["images"]) == 2  # one is shared
    assert len(tree["textures"]) == 2
    for view in tree["bufferViews"]:
        assert view["byteOffset"] % 4 == 0
        assert view["byteOffset"] + view["byteLength"] <= buffer_size
    for primitive in tree["meshes"][0]["primitives"]:
        assert set(primitive["attributes"]) == {"POSITION", "NORMAL", "TEXCOORD_0"}
        accessor = tree["accessors"][primitive["attributes"]["NORMAL"]]
        view = tree["bufferViews"][accessor["bufferView"]]
        normals = np.frombuffer(
            content, "<f4", accessor["count"] * 3, start + 8 + view["byteOffset"]
        )
        np.testing.assert_allclose(np.linalg.norm(normals.reshape(-1, 3), axis=1), 1, rtol=1e-6)


def test_glb_in_the_eyes_of_trimesh(tmp_path):
    image = np.array([[RED, GREEN], [BLUE, [1, 1, 1]]], np.float32)
    mesh = sr.Mesh(
        CORNERS,
        QUAD,
        face_uvs=UVS[QUAD],
        face_materials=[0, 0],
        materials=[sr.Material("m", image=image)],
    )
    sr.write_mesh(mesh, tmp_path / "a.glb")
    (found,) = trimesh.load(tmp_path / "a.glb", process=False).geometry.values()
    np.testing.assert_array_equal(found.vertices[found.faces], CORNERS[QUAD])
    np.testing.assert_array_equal(found.visual.uv[found.faces], UVS[QUAD])
    np.testing.assert_array_equal(
        np.asarray(found.visual.material.baseColorTexture), np.uint8(image * 255)
    )


def test_texture_coordinates_without_materials_are_kept(tmp_path, rng):
    mesh = sr.Mesh(CORNERS, QUAD, face_uvs=rng.random((2, 3, 2)))
    sr.write_mesh(mesh, tmp_path / "a.obj")
    found = sr.read_mesh(tmp_path / "a.obj", textures=True)
    np.testing.assert_array_equal(found.face_uvs, mesh.face_uvs)
    np.testing.assert_array_equal(found.faces, mesh.faces)
    assert found.materials == ()


def test_names_are_made_different(tmp_path):
    names = ["", "a", "a", "a 2", "b\nc", "material"]
    materials = [sr.Material(name, (number / 8, 0, 0)) for number, name in enumerate(names)]
    faces = [[0, 1, 2]] * len(names)
    mesh = sr.Mesh(CORNERS, faces, face_materials=range(6), materials=materials)
    for file in ("a.obj", "a.glb"):
        sr.write_mesh(mesh, tmp_path / file)
        found = sr.read_mesh(tmp_path / file, textures=True)
        expected = ["material", "a", "a 2", "a 2 2", "b c", "material 2"]
        assert [material.name for material in found.materials] == expected
        assert [material.color for material in found.materials] == [m.color for m in materials]


def test_ply_has_the_colors_of_vertices_only(tmp_path, rng):
    mesh = sphere(rng).with_colors(rng.integers(0, 2, (42, 3)))
    sr.write_mesh(mesh, tmp_path / "a.ply")
    found = sr.read_mesh(tmp_path / "a.ply", textures=True)
    np.testing.assert_array_equal(found.colors, mesh.colors)
    np.testing.assert_array_equal(found.faces, mesh.faces)
    assert (found.face_uvs, found.materials) == (None, ())


def test_an_image_is_clipped_and_its_color_multiplied_in(tmp_path):
    image = np.array([[[2.0, -1, 0.5]]])
    material = sr.Material("m", (0.25, 1, 0.4), image=image)
    fields = {"face_uvs": np.zeros((2, 3, 2)), "face_materials": [0, 0], "materials": [material]}
    sr.write_mesh(sr.Mesh(CORNERS, QUAD, **fields), tmp_path / "a.obj")
    (found,) = sr.read_mesh(tmp_path / "a.obj", textures=True).materials
    np.testing.assert_allclose(found.image[0, 0], [0.5, 0, 0.2], rtol=0, atol=0.51 / 255)
    assert found.color == (1, 1, 1)


def test_refusals_of_writing(tmp_path, rng):
    with pytest.raises(ValueError, match="mesh must have faces to become GLB, got none"):
        sr.write_mesh(sr.Mesh(CORNERS, []), tmp_path / "a.glb")
    for name in (" a.obj", "a\nb.obj", "a .obj"):
        with pytest.raises(
            ValueError, match="name of an OBJ file with materials must be printable"
        ):
            sr.write_mesh(sphere(rng), tmp_path / name)
        sr.write_mesh(sr.cube(), tmp_path / name)


@pytest.mark.parametrize("failing", ["a.obj", "a.mtl", "a_0.png", "a_1.png"])
def test_a_failed_write_leaves_all_old_files(tmp_path, rng, monkeypatch, failing):
    sr.write_mesh(sphere(rng), tmp_path / "a.obj")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    order = ["a.obj", "a.mtl", "a_0.png", "a_1.png"]
    count = 0

    def write_some(self, content):
        nonlocal count
        count += 1
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        if order[count - 1] == failing:
            raise OSError("no space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", write_some)
    with pytest.raises(OSError, match="no space left"):
        sr.write_mesh(sphere(rng), tmp_path / "a.obj")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
