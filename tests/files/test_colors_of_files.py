"""Colours of vertices, faces, materials and textures, format by format."""

from contextlib import nullcontext

import numpy as np
import pytest
import trimesh
from PIL import Image
from small_meshes import BLUE, CORNERS, GREEN, RED, assert_grey, triangles, written
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from taichi_softras.files.mesh_files import read_mesh


# Reading: colours
def test_obj_vertex_colors(tmp_path):
    text = "v 0 0 0 1 0 0\nv 1 0 0 0 0.1 0\nv 0 1 0 0 0 1\nf 1 2 3\n"
    mesh = read_mesh(written(tmp_path / "a.obj", text))
    np.testing.assert_array_equal(mesh.colors, np.float32([RED, GREEN * 0.1, BLUE]))


def test_obj_vertex_colors_of_8_bits(tmp_path):
    text = "v 0 0 0 255 0 0\nv 1 0 0 0 51 0\nv 0 1 0 0 0 1\nf 1 2 3\n"
    mesh = read_mesh(written(tmp_path / "a.obj", text))
    np.testing.assert_allclose(mesh.colors, [RED, GREEN * 0.2, BLUE / 255], rtol=1e-6)


SQUARE_OBJ = (
    "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
    "vt 0.25 0.25\nvt 0.75 0.25\nvt 0.75 0.75\nvt 0.25 0.75\n"
    "usemtl one\nf 1/1 2/2 3/3\nusemtl two\nf 1/1 3/3 4/4\n"
)


def test_obj_materials_color_their_faces(tmp_path):
    # The file is in Latin-1, as old ones are.
    mtl = "# couleur orang\xe9e\nnewmtl one\nKd 1 0.2 0\nnewmtl two\nKd 0.4 0.4 0.4\n"
    (tmp_path / "a.mtl").write_bytes(mtl.encode("latin-1"))
    mesh = read_mesh(written(tmp_path / "a.obj", SQUARE_OBJ))
    assert mesh.num_faces == 2
    np.testing.assert_array_equal(mesh.faces[0], [0, 1, 2])  # in the order of the file
    np.testing.assert_allclose(mesh.colors[mesh.faces[0]], [[1, 0.2, 0]] * 3, atol=1e-6)
    np.testing.assert_allclose(mesh.colors[mesh.faces[1]], [[0.4] * 3] * 3, atol=1e-6)


def test_obj_texture_is_sampled_at_the_vertices(tmp_path):
    # Eight pixels a side, a quarter of them each red, green, blue and white, row 0 on top.
    pixels = np.array([[RED, GREEN], [BLUE, [1, 1, 1]]]) * 255
    quarters = pixels.repeat(4, axis=0).repeat(4, axis=1).astype(np.uint8)
    Image.fromarray(quarters).save(tmp_path / "a.png")
    (tmp_path / "a.mtl").write_text(
        "newmtl one\nKd 0 0 0\nmap_Kd a.png\nnewmtl two\nmap_Kd a.png\n"
    )
    mesh = read_mesh(written(tmp_path / "a.obj", SQUARE_OBJ))
    colors = {tuple(v[:2]): tuple(c) for v, c in zip(mesh.vertices, mesh.colors)}
    assert colors == {(0, 0): (0, 0, 1), (1, 0): (1, 1, 1), (1, 1): (0, 1, 0), (0, 1): (1, 0, 0)}


def test_a_texture_seam_splits_a_vertex_only_where_colors_differ(tmp_path):
    Image.fromarray(np.uint8([[[255, 0, 0]] * 4 + [[0, 255, 0]] * 4] * 8)).save(tmp_path / "a.png")
    (tmp_path / "a.mtl").write_text("newmtl one\nmap_Kd a.png\n")
    text = (
        "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0.1 0.5\nvt 0.2 0.5\nvt 0.9 0.5\n"
        "usemtl one\nf 1/1 2/1 3/1\nf 1/2 3/3 4/2\n"
    )
    mesh = read_mesh(written(tmp_path / "a.obj", text))
    assert mesh.num_vertices == 5
    np.testing.assert_array_equal(mesh.colors[mesh.faces], [[RED] * 3, [RED, GREEN, RED]])


@pytest.mark.parametrize(
    ("mtl", "warning"),
    [
        (None, r"no material file 'a\.mtl'"),
        ("", None),
        ("newmtl one\nNs 3\n", None),
        ("newmtl one\nmap_Kd no.png\n", r"no texture 'no\.png'"),
    ],
)
def test_obj_without_its_materials_is_grey(tmp_path, mtl, warning):
    if mtl is not None:
        (tmp_path / "a.mtl").write_text(mtl)
    with pytest.warns(UserWarning, match=warning) if warning else nullcontext():
        mesh = read_mesh(written(tmp_path / "a.obj", SQUARE_OBJ))
    assert mesh.num_faces == 2
    assert_grey(mesh)


@pytest.mark.parametrize("image", [None, b"", b"not an image", "cut"])
def test_obj_without_its_texture_has_the_color_of_its_material(tmp_path, image):
    if image == "cut":
        noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "a.png")
        image = (tmp_path / "a.png").read_bytes()[:3000]
    if image is not None:
        (tmp_path / "a.png").write_bytes(image)
    (tmp_path / "a.mtl").write_text("newmtl one\nKd 0 0 1\nmap_Kd a.png\nnewmtl two\nKd 0 0 1\n")
    with pytest.warns(UserWarning, match=r"texture 'a\.png'.*: drawn without"):
        mesh = read_mesh(written(tmp_path / "a.obj", SQUARE_OBJ))
    np.testing.assert_array_equal(mesh.colors, [BLUE] * mesh.num_vertices)


def test_ply_face_colors_split_shared_vertices(tmp_path):
    path = tmp_path / "a.ply"
    shape = trimesh.Trimesh(CORNERS, [[0, 1, 2], [0, 2, 3]], process=False)
    shape.visual.face_colors = [[255, 0, 0, 255], [0, 0, 255, 255]]
    shape.export(path)
    mesh = read_mesh(path)
    assert mesh.num_vertices == 6
    np.testing.assert_array_equal(triangles(mesh), CORNERS[shape.faces])
    np.testing.assert_array_equal(mesh.colors[mesh.faces], [[RED] * 3, [BLUE] * 3])
    shape.visual.face_colors = [[255, 0, 0, 255]] * 2
    shape.export(path)
    np.testing.assert_array_equal(read_mesh(path).faces, shape.faces)


def test_ply_whose_texture_is_missing_is_grey(tmp_path, caplog):
    path = written(
        tmp_path / "a.ply",
        "ply\nformat ascii 1.0\ncomment TextureFile no.png\nelement vertex 3\nproperty float x\n"
        "property float y\nproperty float z\nproperty float s\nproperty float t\nelement face 1\n"
        "property list uchar int vertex_indices\nend_header\n"
        "0 0 0 0 0\n1 0 0 1 0\n0 1 0 0 1\n3 0 1 2\n",
    )
    with pytest.warns(UserWarning, match=r"there is no texture 'no\.png'"):
        assert_grey(read_mesh(path))
    assert not caplog.records


# Reading: scenes
def test_glb_vertex_colors(tmp_path):
    path = tmp_path / "a.glb"
    shape = trimesh.Trimesh(CORNERS[:3], [[0, 1, 2]], process=False)
    shape.visual.vertex_colors = [[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 51, 255]]
    shape.export(path)
    np.testing.assert_allclose(read_mesh(path).colors, [RED, GREEN, BLUE * 0.2], rtol=1e-6)


def textured(image, factor):
    material = PBRMaterial(baseColorFactor=factor, baseColorTexture=image)
    uv = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]
    visual = TextureVisuals(uv=uv, material=material)
    return trimesh.Trimesh(CORNERS[:3], [[0, 1, 2]], visual=visual, process=False)


def test_glb_materials(tmp_path):
    path = tmp_path / "a.glb"
    textured(None, [0, 255, 51, 255]).export(path)
    np.testing.assert_allclose(read_mesh(path).colors, [[0, 1, 0.2]] * 3, rtol=1e-6)
    textured(None, None).export(path)
    np.testing.assert_array_equal(read_mesh(path).colors, 1)
    textured(Image.new("RGB", (4, 4), (255, 255, 0)), [51, 255, 255, 255]).export(path)
    np.testing.assert_allclose(read_mesh(path).colors, [[0.2, 1, 0]] * 3, rtol=1e-6)


def test_glb_vertex_colors_are_multiplied_with_the_material(tmp_path):
    path = tmp_path / "a.glb"
    shape = textured(None, [255, 51, 255, 255])
    shape.visual.vertex_attributes["color"] = np.uint8([[255, 255, 0, 255]] * 3)
    shape.export(path)
    np.testing.assert_allclose(read_mesh(path).colors, [[1, 0.2, 0]] * 3, rtol=1e-6)


def test_glb_scene_is_flattened(tmp_path):
    path = tmp_path / "a.glb"
    shape = trimesh.creation.box()
    scene = trimesh.Scene()
    turn = trimesh.transformations.rotation_matrix(np.pi / 2, [0, 0, 1])
    scene.add_geometry(shape, transform=np.diag([2.0, 4, 6, 1]), node_name="parent")
    child = trimesh.transformations.translation_matrix([10, 0, 0]) @ turn
    scene.add_geometry(shape, transform=child, parent_node_name="parent")
    mirror = trimesh.transformations.translation_matrix([0, 0, 50]) @ np.diag([-1.0, 1, 1, 1])
    scene.add_geometry(shape, transform=mirror)
    scene.export(path)
    mesh = read_mesh(path)
    assert (mesh.num_vertices, mesh.num_faces) == (24, 36)
    boxes = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).split()
    found = sorted((tuple(np.round(box.bounds.reshape(-1), 5)), box.volume) for box in boxes)
    # The parent's scale applies to what its child moved and turned.
    expected = [
        ((-1, -2, -3, 1, 2, 3), 48),
        ((-0.5, -0.5, 49.5, 0.5, 0.5, 50.5), 1),
        ((19, -2, -3, 21, 2, 3), 48),
    ]
    for (bounds, volume), (expected_bounds, expected_volume) in zip(found, sorted(expected)):
        np.testing.assert_allclose(bounds, expected_bounds, atol=1e-5)
        assert volume == pytest.approx(expected_volume)  # above 0: no box is inside out


def test_scene_keeps_the_colors_of_its_parts(tmp_path):
    first, second = textured(None, [255, 0, 0, 255]), textured(None, [0, 0, 255, 255])
    second.apply_translation([5, 0, 0])
    trimesh.Scene([first, second]).export(tmp_path / "a.glb")
    mesh = read_mesh(tmp_path / "a.glb")
    np.testing.assert_array_equal(mesh.colors, np.where(mesh.vertices[:, :1] < 3, RED, BLUE))
