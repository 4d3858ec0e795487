import dataclasses
import json
import struct

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

import taichi_softras as sr
from taichi_softras.meshes.materials import nearest_texels

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=np.float32)
UVS = CORNERS[:, :2] * 0.5 + 0.25
RED, GREEN, BLUE = np.eye(3)
QUAD = [[0, 1, 2], [0, 2, 3]]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def random_image(rng, height, width):
    """Texels that 8 bits hold."""
    return rng.integers(0, 256, (height, width, 3)).astype(np.float32) / np.float32(255)


def sphere(rng, num_materials=3):
    """A closed mesh with texture coordinates that differ at every corner."""
    shape = sr.icosphere(1)
    shared = sr.Material(image=random_image(rng, 4, 6)).image  # which nobody can write to
    materials = [
        sr.Material("oak, dark", image=shared),
        sr.Material("red", (1, 0.25, 0)),
        sr.Material("name with  spaces #2", image=random_image(rng, 5, 3), wrap="clamp"),
        sr.Material("tinted", (1, 0, 1), image=shared),
        sr.Material("turned", image=shared, wrap=("mirror", "clamp")),
    ][:num_materials]
    return sr.Mesh(
        shape.vertices,
        shape.faces,
        face_uvs=rng.normal(size=(shape.num_faces, 3, 2)).astype(np.float32),
        face_materials=np.arange(shape.num_faces) % num_materials,
        materials=materials,
    )


def written(path, text):
    path.write_text(text)
    return path


def save_png(path, image):
    Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(path)


def drawn(mesh):
    """What a mesh looks like, whatever the order of its faces: sorted rows of corners."""
    maps = mesh.texture_maps()
    first, height, width, wrap = maps.maps[maps.face_maps].T
    # Of each map the first, the last and the mean texel stand for the image.
    texels = [maps.texels[start : start + h * w] for start, h, w in zip(first, height, width)]
    looks = [[*t[0], *t[-1], *t.mean(axis=0), h, w] for t, h, w in zip(texels, height, width)]
    uvs = np.where((height * width > 1)[:, None, None], maps.face_uvs, 0)
    corners = np.concatenate((mesh.vertices[mesh.faces], uvs), axis=-1)
    rows = np.hstack((corners.reshape(len(corners), -1), looks, wrap[:, None] * 1.0))
    return rows[np.lexsort(np.round(rows, 4).T)]


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


# OBJ files by others


SEAM_OBJ = (
    "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 9 9 9\n"
    "vt 0 0.5\nvt 1 0.5\nvn 0 0 1\nvn 1 0 0\n"
    "usemtl one\nf 1/1/1 2/1/1 3/1/1\nf 1/2/2 3/1/2 4/2/2\n"
)


def test_seams_do_not_split_vertices_nor_do_creases_if_so_wished(tmp_path):
    save_png(tmp_path / "a.png", np.array([[RED, BLUE]]))
    (tmp_path / "a.mtl").write_text("newmtl one\nKd 0 0 0\nmap_Kd a.png\n")
    path = written(tmp_path / "a.obj", SEAM_OBJ)
    mesh = sr.read_mesh(path, textures=True, creases=False)
    np.testing.assert_array_equal(mesh.vertices, [*CORNERS, [9, 9, 9]])
    np.testing.assert_array_equal(mesh.faces, QUAD)
    np.testing.assert_array_equal(mesh.face_uvs[..., 0], [[0, 0, 0], [1, 0, 1]])
    expected = [(RED + BLUE) / 2, RED, RED, BLUE, [0.7] * 3]
    np.testing.assert_allclose(mesh.colors, expected, rtol=1e-6)
    (material,) = mesh.materials
    assert (material.name, material.color, material.wrap) == ("one", (1, 1, 1), "repeat")
    np.testing.assert_array_equal(material.image, [[RED, BLUE]])
    split = sr.read_mesh(path)
    np.testing.assert_array_equal(split.vertices[:5], mesh.vertices)
    np.testing.assert_array_equal(split.vertices[5:], CORNERS[[0, 2]])
    assert (split.face_uvs, split.face_materials, split.materials) == (None, None, ())
    creased = sr.read_mesh(path, textures=True)
    np.testing.assert_array_equal(creased.vertices, split.vertices)
    np.testing.assert_array_equal(creased.vertices[creased.faces], CORNERS[QUAD])
    np.testing.assert_array_equal(creased.face_uvs, mesh.face_uvs)
    assert len(set(creased.faces.reshape(-1).tolist())) == 6


def test_materials_with_and_without_a_texture(tmp_path):
    save_png(tmp_path / "wood 1.png", np.array([[RED]]))
    (tmp_path / "my materials.mtl").write_text(
        "newmtl unused\nKd 1 1 1\nnewmtl oak wood\nKd 0 1 0\nmap_Kd -s 1 1 1 -clamp on wood 1.png\n"
        "newmtl glass\nKd 0 0 0.5\nd 0.1\nnewmtl missing\nKd 1 1 0\nmap_Kd no.png\nnewmtl empty\n"
    )
    vertices = "v 0 0 0\nv 1 0 0\nv 1 1 0\nvt 0 0\n"
    text = (
        f"mtllib my materials.mtl\n{vertices}f 1 2 3\nusemtl glass\nf 1 2 3\nusemtl oak wood\n"
        "f 1/1 2/1 3/1\nf 1 2 3\nusemtl missing\nf 1/1 2/1 3/1\nusemtl empty\nf 1 2 3\n"
        "usemtl unknown\nf 1 2 3\n"
    )
    with pytest.warns(UserWarning, match=r"a\.obj': there is no texture 'no.png': drawn without"):
        mesh = sr.read_mesh(written(tmp_path / "a.obj", text), textures=True)
    found = [mesh.materials[number] for number in mesh.face_materials]
    names = ["", "glass", "oak wood", "oak wood", "missing", "", ""]
    assert [material.name for material in found] == names
    grey = [0.7] * 3
    colors = [grey, BLUE / 2, [1, 1, 1], GREEN, [1, 1, 0], grey, grey]
    np.testing.assert_allclose([material.color for material in found], colors, rtol=1e-12)
    has_image = [material.image is not None for material in found]
    assert has_image == [False, False, True, False, False, False, False]
    assert found[2].wrap == "clamp"
    assert len(mesh.materials) == 5


@pytest.mark.parametrize(
    "name",
    ["textures\\a.png", "C:\\Users\\x\\a.png", "/gone/a.png", '"a.png"', "./a.png", "-o 0 a.png"],
)
def test_textures_are_found_beside_the_file(tmp_path, name):
    save_png(tmp_path / "a.png", np.array([[GREEN]]))
    (tmp_path / "a.mtl").write_text(f"newmtl one\nmap_Kd {name}\n")
    mesh = sr.read_mesh(written(tmp_path / "a.obj", SEAM_OBJ), textures=True)
    np.testing.assert_array_equal(mesh.materials[0].image, [[GREEN]])


@pytest.mark.parametrize("line", ["mtllib b.mtl a.mtl", "mtllib b.mtl\nmtllib a.mtl"])
def test_several_libraries(tmp_path, line):
    (tmp_path / "b.mtl").write_text("newmtl two\nKd 0 1 0\n")
    (tmp_path / "a.mtl").write_text("newmtl one\nKd 1 0 0\n")
    text = SEAM_OBJ.replace("mtllib a.mtl", line) + "usemtl two\nf 1 2 3\n"
    mesh = sr.read_mesh(written(tmp_path / "a.obj", text), textures=True)
    colors = [mesh.materials[number].color for number in mesh.face_materials]
    np.testing.assert_array_equal(colors, [RED, RED, GREEN])


@pytest.mark.parametrize("content", [b"not an image", b"", None])
def test_an_obj_without_its_texture_keeps_its_coordinates(tmp_path, content):
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    (tmp_path / "a.mtl").write_text("newmtl one\nKd 0 0 1\nmap_Kd a.png\n")
    reason = "there is no texture" if content is None else "it is no image of a kind that Pillow"
    with pytest.warns(UserWarning, match=rf"{reason}.*drawn without"):
        mesh = sr.read_mesh(written(tmp_path / "a.obj", SEAM_OBJ), textures=True)
    assert [(m.name, m.color, m.image) for m in mesh.materials] == [("one", (0, 0, 1), None)]
    assert mesh.face_uvs[1, 0, 0] == 1


def test_no_material_file_is_no_materials(tmp_path):
    with pytest.warns(UserWarning, match="there is no material file 'a.mtl': drawn without"):
        mesh = sr.read_mesh(written(tmp_path / "a.obj", SEAM_OBJ), textures=True)
    assert (mesh.face_materials, mesh.materials) == (None, ())
    np.testing.assert_array_equal(mesh.colors, np.float32(0.7))


def test_obj_vertex_colors_beside_materials(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl one\nKd 0 0 1\n")
    text = (
        "mtllib a.mtl\nv 0 0 0 1 0 0\nv 1 0 0 1 0 0\nv 1 1 0 0 1 0\nv 0 1 0\n"
        "f 1 2 3\nusemtl one\nf 1 3 4\n"
    )
    path = written(tmp_path / "a.obj", text)
    mesh = sr.read_mesh(path, textures=True)
    # The fourth vertex is not painted, so there the material counts.
    np.testing.assert_allclose(mesh.colors, [RED, RED, GREEN, BLUE])
    colors = [mesh.materials[number].color for number in mesh.face_materials]
    np.testing.assert_allclose(colors, [(RED + RED + GREEN) / 3, BLUE])
    np.testing.assert_array_equal(sr.read_mesh(path).colors, [RED, RED, GREEN, BLUE])


UGLY_OBJ = {
    "CRLF": SEAM_OBJ.replace("\n", "\r\n"),
    "CR": SEAM_OBJ.replace("\n", "\r"),
    "tabs": SEAM_OBJ.replace(" ", "\t"),
    "byte order mark": "\ufeff" + SEAM_OBJ,
    "comments": "# v 1 2\n" + SEAM_OBJ.replace("9 9 9", "9 9 9 # far") + "#",
    "continued lines": SEAM_OBJ.replace("1/1/1 2", "1/1/1 \\\n2"),
    "points, lines and curves": SEAM_OBJ + "p 1\nl 1 2\nf 1 2\ncstype bezier\n",
    "parts without faces": SEAM_OBJ + "o empty\ng\nusemtl two\n",
    "weights": SEAM_OBJ.replace("9 9 9", "9 9 9 1"),
    "three coordinates": SEAM_OBJ.replace("vt 0 0.5", "vt 0 0.5 0"),
    "indices from the end": SEAM_OBJ.replace("f 1/1/1 2/1/1 3/1/1", "f -5/-2/-2 -4/1/1 3/-2/-2"),
}


@pytest.mark.parametrize("text", UGLY_OBJ.values(), ids=UGLY_OBJ)
def test_ugly_obj(tmp_path, text):
    (tmp_path / "a.obj").write_bytes(SEAM_OBJ.encode())
    (tmp_path / "a.mtl").write_text("newmtl one\nKd 1 0 0\n")
    expected = sr.read_mesh(tmp_path / "a.obj", textures=True)
    assert expected.num_faces == 2
    (tmp_path / "a.obj").write_bytes(text.encode())
    found = sr.read_mesh(tmp_path / "a.obj", textures=True)
    for field in ("vertices", "faces", "face_uvs", "colors", "face_materials"):
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))


def test_polygons_keep_their_corners_coordinates(tmp_path):
    text = (
        "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv -1 0.5 0\nvt 0 0\nvt 1 0\nvt 1 1\n"
        "vt 0 1\nvt 0.5 0.5\nf 1/1 2/2 3/3 4/4 5/5\nf 2/2 3/3 4/4\n"
    )
    mesh = sr.read_mesh(written(tmp_path / "a.obj", text), textures=True)
    uvs = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]])
    assert mesh.num_faces == 4
    np.testing.assert_array_equal(mesh.face_uvs, uvs[mesh.faces])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("vt 1 0.5", "vt nan 0.5", "texture coordinates must be finite"),
        ("vt 1 0.5", "vt inf 0.5", "texture coordinates must be finite"),
        ("v 9 9 9", "v 9 9 9 nan 0 0", "colours of vertices must be finite"),
        ("v 9 9 9", "v 9 9 nan", "vertices must be finite"),
        ("v 9 9 9", "v 9 9", "v must have 3 numbers, got 2"),
        ("f 1/1/1", "f 99999999999999999999999/1/1", "must have a whole number up to"),
        ("f 1/1/1", "f 6/1/1", "a face must have vertices up to 5, got 6"),
        ("f 1/1/1", "f -6/1/1", "vertices from 1, or from -5 on, got '-6/1/1'"),
        ("f 1/1/1", "f x/1/1", "must have a whole number, got 'x'"),
    ],
)
@pytest.mark.parametrize("textures", [False, True])
def test_refusals_of_reading_obj(tmp_path, old, new, message, textures):
    assert old in SEAM_OBJ
    path = written(tmp_path / "a.obj", SEAM_OBJ.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        sr.read_mesh(path, textures=textures)


@pytest.mark.parametrize("corner", ["1/9/1", "1/-9/1", "1/0/1"])
def test_texture_coordinates_that_are_not_there_are_done_without(tmp_path, corner):
    save_png(tmp_path / "a.png", np.array([[RED]]))
    (tmp_path / "a.mtl").write_text("newmtl one\nKd 0 0 1\nmap_Kd a.png\n")
    text = SEAM_OBJ.replace("f 1/1/1", f"f {corner}")
    mesh = sr.read_mesh(written(tmp_path / "a.obj", text), textures=True)
    found = [mesh.materials[number] for number in mesh.face_materials]
    assert [material.image is None for material in found] == [True, False]
    assert found[0].color == (0, 0, 1)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "I;16", "1", "CMYK"])
def test_images_of_every_kind(tmp_path, mode):
    grey = np.array([[0, 255], [255, 0]], np.uint8)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(grey).convert(mode)
    image.save(tmp_path / "a.tiff")
    (tmp_path / "a.mtl").write_text("newmtl one\nmap_Kd a.tiff\n")
    mesh = sr.read_mesh(written(tmp_path / "a.obj", SEAM_OBJ), textures=True)
    np.testing.assert_array_equal(mesh.materials[0].image, np.dstack([grey / 255] * 3))


# Other files


def test_ply_face_colors_become_materials(tmp_path):
    shape = trimesh.Trimesh(CORNERS, [*QUAD, [0, 1, 3]], process=False)
    shape.visual.face_colors = [[255, 0, 0, 255], [0, 0, 51, 255], [255, 0, 0, 255]]
    shape.export(tmp_path / "a.ply")
    mesh = sr.read_mesh(tmp_path / "a.ply", textures=True)
    np.testing.assert_array_equal(mesh.vertices, CORNERS)
    np.testing.assert_array_equal(mesh.face_materials, [0, 1, 0])
    np.testing.assert_allclose([m.color for m in mesh.materials], [RED, BLUE * 0.2])


def test_ply_texture(tmp_path):
    save_png(tmp_path / "a.png", np.array([[RED, BLUE]]))
    text = (
        "ply\nformat ascii 1.0\ncomment TextureFile a.png\nelement vertex 6\nproperty float x\n"
        "property float y\nproperty float z\nproperty float s\nproperty float t\nelement face 2\n"
        "property list uchar int vertex_indices\nend_header\n"
        "0 0 0 0 0\n1 0 0 0 0\n1 1 0 0 0\n0 0 0 1 0\n1 1 0 1 0\n0 1 0 1 0\n3 0 1 2\n3 3 4 5\n"
    )
    path = written(tmp_path / "a.ply", text)
    mesh = sr.read_mesh(path, textures=True)
    assert mesh.num_vertices == 4  # the seam is closed
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], CORNERS[QUAD])
    np.testing.assert_array_equal(mesh.face_uvs[..., 0], [[0] * 3, [1] * 3])
    np.testing.assert_array_equal(mesh.materials[0].image, [[RED, BLUE]])
    assert sr.read_mesh(path).num_vertices == 6


def textured(uvs, **material):
    visual = TextureVisuals(uv=uvs, material=PBRMaterial(**material))
    return trimesh.Trimesh(CORNERS[:3], [[0, 1, 2]], visual=visual, process=False)


def test_glb_scene(tmp_path):
    image = Image.fromarray(np.uint8([[[255, 0, 0], [0, 0, 255]]]))
    first = textured(UVS[:3], baseColorTexture=image, baseColorFactor=[51, 255, 255, 255])
    second = textured(UVS[:3], baseColorFactor=[0, 255, 0, 255])
    scene = trimesh.Scene([first])
    scene.add_geometry(second, transform=trimesh.transformations.translation_matrix([5, 0, 0]))
    scene.add_geometry(first, transform=np.diag([-1.0, 1, 1, 1]))
    scene.export(tmp_path / "a.glb")
    mesh = sr.read_mesh(tmp_path / "a.glb", textures=True)
    for corners, uvs, number in zip(
        mesh.vertices[mesh.faces], mesh.face_uvs, mesh.face_materials, strict=True
    ):
        place = corners * np.where(corners.min() < 0, [-1, 1, 1], 1) - [5 * (number == 1), 0, 0]
        np.testing.assert_allclose(uvs, place[:, :2] * 0.5 + 0.25, atol=1e-6)
    np.testing.assert_allclose(mesh.materials[0].color, [0.2, 1, 1])
    assert mesh.materials[0].image.shape == (1, 2, 3)
    np.testing.assert_array_equal(mesh.materials[1].color, GREEN)
    # A mirror turns the order of the corners, not the side that is seen.
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_gltf_says_how_a_texture_wraps(tmp_path):
    image = np.zeros((1, 2, 3), np.float32)
    materials = [sr.Material(wrap, image=image, wrap=wrap) for wrap in ("clamp", "repeat")]
    fields = {"face_uvs": UVS[QUAD], "face_materials": [0, 1], "materials": materials}
    sr.write_mesh(sr.Mesh(CORNERS, QUAD, **fields), tmp_path / "a.glb")
    content = (tmp_path / "a.glb").read_bytes()
    found = sr.read_mesh(tmp_path / "a.glb", textures=True)
    assert [material.wrap for material in found.materials] == ["clamp", "repeat"]
    # The same in two files, and with a sampler that says nothing.
    length = struct.unpack("<I", content[12:16])[0]
    tree = json.loads(content[20 : 20 + length])
    tree["buffers"][0]["uri"] = "a.bin"
    tree["samplers"][0] = {}
    (tmp_path / "a.bin").write_bytes(content[28 + length :])
    found = sr.read_mesh(written(tmp_path / "a.gltf", json.dumps(tree)), textures=True)
    assert [material.wrap for material in found.materials] == ["repeat", "repeat"]
    assert [material.name for material in found.materials] == ["clamp", "repeat"]


def test_glb_refuses_texture_coordinates_that_are_not_finite(tmp_path):
    image = Image.new("RGB", (4, 4))
    textured(UVS[:3] * [np.nan, 1], baseColorTexture=image).export(tmp_path / "a.glb")
    with pytest.raises(ValueError, match="texture coordinates must be finite"):
        sr.read_mesh(tmp_path / "a.glb")
