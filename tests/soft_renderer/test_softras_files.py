"""The drop-in's OBJ files: order, textures, colours, and what is refused."""

import math

import pytest
import torch
from softras_shapes import icosphere

import taichi_softras.soft_renderer as sr
import taichi_softras.soft_renderer.functional as srf
from taichi_softras.soft_renderer.functional.obj_files import texel_centers


def test_load_obj_keeps_the_file_s_order(painted):
    vertices, faces = srf.load_obj(painted)
    assert vertices.tolist() == [[0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0], [0, 0, 4]]
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4], [0, 1, 4]]
    assert (vertices.dtype, faces.dtype) == (torch.float32, torch.int32)


def test_load_obj_cuts_polygons_into_fans(tmp_path):
    (tmp_path / "mesh.obj").write_text("v 0 0 0\n" * 5 + "f 1 2 3 4 5\n")
    assert srf.load_obj(tmp_path / "mesh.obj")[1].tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]


def test_load_obj_normalises(painted):
    vertices, _ = srf.load_obj(painted, normalization=True)
    assert vertices.amin(0).tolist() == [-0.5, -0.25, -1]
    assert vertices.amax(0).tolist() == [0.5, 0.25, 1]


def test_load_obj_samples_textures(painted):
    mesh = sr.Mesh.from_obj(painted, load_texture=True, texture_res=3)
    assert mesh.textures.shape == (1, 4, 9, 3)
    assert mesh.texture_res == 3
    corners = torch.tensor([[[0.0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]])
    expected = torch.tensor(texel_centers(3)).float() @ corners
    torch.testing.assert_close(mesh.textures[0, :2, :, :2], expected)
    torch.testing.assert_close(mesh.textures[0, :2, :, 2], torch.full((2, 9), 0.2))
    assert mesh.textures[0, 2].tolist() == [[1, 0.5, 0]] * 9
    assert (mesh.textures[0, 3] == 1).all()


@pytest.mark.parametrize(("option", "place"), [("-boost 2", (2 / 3, 1 / 3)), ("-clamp on", (1, 0))])
def test_textures_repeat_or_end(painted, option, place):
    text = painted.read_text().replace("vt 1 0\n", "vt 4 0\n").replace("vt 1 1 ", "vt 4 -2 ")
    painted.write_text(text)
    library = painted.with_name("paint one.mtl")
    library.write_text(library.read_text().replace("-boost 2", option))
    textures = srf.load_obj(painted, load_texture=True, texture_res=1)[2]
    # The middle of the first face is at u = 8 / 3 and v = -2 / 3.
    torch.testing.assert_close(textures[0, 0, :2], torch.tensor(place).float(), rtol=0, atol=1e-5)


def test_load_obj_reads_colours_of_vertices(painted):
    mesh = sr.Mesh.from_obj(painted, load_texture=True, texture_type="vertex")
    white = [1, 1, 1]
    assert mesh.textures[0].tolist() == [[1, 0, 0], [0, 1, 0], white, [0, 0, 1], white]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "which has no faces"),
        ("v 0 0 0\nf 1 1 2\n", "vertices up to 1"),
        ("v 0 0 0\nf 1 1 0\n", "vertices from 1"),
        ("v 0 0\nf 1 1 1\n", "readable as OBJ"),
        ("v 0 0 nan\nf 1 1 1\n", "finite"),
        ("v 0 0 zero\nf 1 1 1\n", "zero"),
        ("v 0 0 0\nf 1 1 1.5\n", "1.5"),
    ],
)
def test_files_that_hold_no_mesh_are_refused(tmp_path, text, message):
    (tmp_path / "mesh.obj").write_text(text)
    with pytest.raises(ValueError, match=message):
        srf.load_obj(tmp_path / "mesh.obj")


def test_missing_files(painted):
    with pytest.raises(FileNotFoundError, match=r"none\.obj"):
        srf.load_obj(painted.with_name("none.obj"))
    (painted.parent / "board.png").unlink()
    with pytest.warns(UserWarning, match=r"there is no texture 'board\.png': drawn without"):
        textures = srf.load_obj(painted, load_texture=True)[2]
    assert (textures[:2] == 0).all()  # the material's colour, in place of its image


@pytest.mark.parametrize("texture_res", [1, 2, 5])
def test_surface_textures_survive_a_file(tmp_path, texture_res, rng):
    vertices, faces = icosphere(dtype=torch.float32)
    shades = torch.randint(256, (1, 20, texture_res**2, 3), generator=rng) / 255
    mesh = sr.Mesh(vertices, faces, shades)
    mesh.save_obj(tmp_path / "mesh.obj", save_texture=True, texture_res_out=16 * texture_res)
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".mtl", ".obj", ".png"]
    read = sr.Mesh.from_obj(tmp_path / "mesh.obj", load_texture=True, texture_res=texture_res)
    assert (read.vertices == mesh.vertices).all()
    assert (read.faces == mesh.faces).all()
    torch.testing.assert_close(read.textures, mesh.textures, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_colours_of_vertices_survive_a_file(tmp_path, dtype, rng):
    vertices, faces = icosphere(dtype=dtype)
    colors = torch.rand(vertices.shape, generator=rng, dtype=dtype)
    mesh = sr.Mesh(vertices / 3, faces, colors.requires_grad_(), texture_type="vertex")
    mesh.save_obj(tmp_path / "mesh.obj", save_texture=True)
    read = sr.Mesh.from_obj(tmp_path / "mesh.obj", load_texture=True, texture_type="vertex")
    assert (read.vertices == mesh.vertices.float()).all()
    assert (read.textures == colors.float()).all()


def test_save_obj_refuses_what_does_not_fit(tmp_path):
    vertices, faces = icosphere(2)
    with pytest.raises(ValueError, match="alone"):
        sr.Mesh(vertices, faces).save_obj(tmp_path / "mesh.obj")
    with pytest.raises(ValueError, match=r"end in \.obj"):
        srf.save_obj(tmp_path / "mesh.ply", vertices[0], faces[0])
    with pytest.raises(ValueError, match="finite"):
        srf.save_obj(tmp_path / "mesh.obj", vertices[0] * math.nan, faces[0])
    with pytest.raises(ValueError, match=r"vertices must have shape \(V, 3\)"):
        srf.save_obj(tmp_path / "mesh.obj", vertices, faces[0])
    with pytest.raises(ValueError, match="texture_res must be at least 4"):
        srf.save_obj(tmp_path / "mesh.obj", vertices[0], faces[0], texture_res=3)
    assert not list(tmp_path.iterdir())
