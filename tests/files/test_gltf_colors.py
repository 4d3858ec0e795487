"""Colours, textures and how they are placed in glTF files."""

import numpy as np
import pytest
from gltf_maker import QUARTERS, SQUARE, SQUARE_UVS, GltfMaker, png

import taichi_softras as sr


@pytest.fixture(params=[".gltf", ".glb"])
def read(request, tmp_path):
    def read(maker, **options):
        path = maker.write(tmp_path / f"a{request.param}")
        return sr.read_mesh(path, textures=True, **options)

    return read


RED, GREEN, BLUE, YELLOW = QUARTERS.reshape(-1, 3) / 255


UPRIGHT = [BLUE, YELLOW, GREEN, RED]
"""Colours of the square's corners where it shows the image upright."""


def uvs_of(mesh):
    """Texture coordinates by vertex, v up: every corner of a vertex has the same here."""
    found = np.full((mesh.num_vertices, 2), np.nan)
    found[mesh.faces] = mesh.face_uvs
    np.testing.assert_array_equal(found[mesh.faces], mesh.face_uvs)
    return found


# --- Colours ------------------------------------------------------------------------------------


def test_what_says_no_color_is_white(read):
    bare = read(GltfMaker().square())
    np.testing.assert_array_equal(bare.colors, 1)
    maker = GltfMaker(materials=[{"pbrMetallicRoughness": {}}]).square(primitive={"material": 0})
    (material,) = read(maker).materials
    assert material.color == (1, 1, 1)


@pytest.mark.parametrize("required", [False, True])
def test_diffuse_color_of_specular_glossiness(read, required):
    name = "KHR_materials_pbrSpecularGlossiness"
    maker = GltfMaker().square(TEXCOORD_0=SQUARE_UVS).textured()
    glossy = {"diffuseFactor": [1, 0, 0, 1]}
    (material,) = maker.tree["materials"]
    material["extensions"] = {name: glossy}
    maker.tree["extensionsRequired"] = [name] if required else []
    (found,) = read(maker).materials
    assert (found.color, found.image) == ((1, 0, 0), None)
    glossy["diffuseTexture"] = material.pop("pbrMetallicRoughness")["baseColorTexture"]
    (found,) = read(maker).materials
    assert found.color == (1, 0, 0)
    np.testing.assert_array_equal(found.image * 255, QUARTERS)


def test_the_second_texture_coordinates(read):
    """All of the square in the blue quarter."""
    quarter = SQUARE_UVS * [0.25, 0.25] + [0, 0.75]
    maker = GltfMaker().square(TEXCOORD_0=SQUARE_UVS, TEXCOORD_1=quarter.astype(np.float32))
    mesh = read(maker.textured({"texCoord": 1}))
    np.testing.assert_allclose(uvs_of(mesh), SQUARE[:, :2] / 8 + 0.125, atol=1e-7)
    np.testing.assert_array_equal(mesh.colors, [BLUE] * 4)


def test_texture_transforms(read):
    """Scaled, turned counter-clockwise as one sees the image, moved, in this order."""
    moved = {"offset": [0.125, 0.25], "rotation": np.pi / 2, "scale": [0.5, 0.25]}
    info = {"extensions": {"KHR_texture_transform": moved}}
    maker = GltfMaker(extensionsRequired=["KHR_texture_transform"])
    mesh = read(maker.square(TEXCOORD_0=SQUARE_UVS).textured(info))
    scaled = SQUARE_UVS * [0.5, 0.25]
    # A quarter turn takes what is to the right upwards, which is to smaller v.
    turned = np.stack([scaled[:, 1] + 0.125, 0.25 - scaled[:, 0]], axis=1)
    np.testing.assert_allclose(uvs_of(mesh), turned * [1, -1] + [0, 1], atol=1e-7)


def test_a_texture_transform_chooses_the_coordinates(read):
    info = {"texCoord": 0, "extensions": {"KHR_texture_transform": {"texCoord": 1}}}
    maker = GltfMaker().square(TEXCOORD_0=SQUARE_UVS * 0, TEXCOORD_1=SQUARE_UVS)
    np.testing.assert_array_equal(read(maker.textured(info)).colors, UPRIGHT)


WRAPS = {
    "nothing": ({}, "repeat"),
    "clamped along u": ({"wrapS": 33071}, ("clamp", "repeat")),
    "clamped along v": ({"wrapT": 33071}, ("repeat", "clamp")),
    "clamped": ({"wrapS": 33071, "wrapT": 33071}, "clamp"),
    "mirrored": ({"wrapS": 33648, "wrapT": 33648}, "mirror"),
    "mirrored along v": ({"wrapS": 10497, "wrapT": 33648}, ("repeat", "mirror")),
}


@pytest.mark.parametrize(("sampler", "wrap"), WRAPS.values(), ids=WRAPS)
def test_each_axis_wraps_by_itself(read, sampler, wrap):
    (material,) = read(
        GltfMaker().square(TEXCOORD_0=SQUARE_UVS).textured(sampler=sampler)
    ).materials
    assert material.wrap == wrap


@pytest.mark.parametrize("name", ["my%20tex.png", "my tex.png", "t%C3%A4x.png", "sub/100%25.png"])
def test_names_of_images_are_decoded(tmp_path, read, name):
    lies = {
        "my%20tex.png": "my tex.png",
        "t%C3%A4x.png": "täx.png",
        "sub/100%25.png": "sub/100%.png",
    }
    (tmp_path / "sub").mkdir()
    (tmp_path / lies.get(name, name)).write_bytes(png(QUARTERS))
    maker = GltfMaker().square(TEXCOORD_0=SQUARE_UVS).textured(image={"uri": name})
    np.testing.assert_array_equal(read(maker).colors, UPRIGHT)


def test_a_buffer_in_a_file(tmp_path):
    maker = GltfMaker().square()
    (tmp_path / "a b.bin").write_bytes(maker.content)
    maker.tree["buffers"] = [{"byteLength": len(maker.content), "uri": "a%20b.bin"}]
    mesh = sr.read_mesh(maker.write(tmp_path / "a.gltf"))
    np.testing.assert_array_equal(mesh.vertices, SQUARE)


MISSING = {
    "no file": ({"uri": "gone.png"}, "there is no texture 'gone.png'"),
    "no image": ({"uri": "data:image/png;base64,AAAA"}, "no image of a kind that Pillow reads"),
}


@pytest.mark.parametrize(("image", "reason"), MISSING.values(), ids=MISSING)
def test_a_missing_texture_is_said(read, image, reason):
    maker = GltfMaker().square(TEXCOORD_0=SQUARE_UVS).textured(image=image)
    with pytest.warns(UserWarning, match=rf"a\.gl.*{reason}.*: drawn without"):
        (material,) = read(maker).materials
    assert material.image is None
