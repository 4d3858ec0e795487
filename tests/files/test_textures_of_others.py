"""Textures and materials in files by others."""

import json
import struct

import numpy as np
import pytest
import trimesh
from PIL import Image
from textured_meshes import (
    BLUE,
    CORNERS,
    GREEN,
    QUAD,
    RED,
    UVS,
    save_png,
    written,
)
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

import taichi_softras as sr

SEAM_OBJ = (
    "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 9 9 9\n"
    "vt 0 0.5\nvt 1 0.5\nvn 0 0 1\nvn 1 0 0\n"
    "usemtl one\nf 1/1/1 2/1/1 3/1/1\nf 1/2/2 3/1/2 4/2/2\n"
)


# OBJ files by others


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
