"""What `render` may be given: a mesh as it is, or arrays, of one item without their first size."""

import numpy as np
import pytest
import torch

import taichi_softras as sr
from taichi_softras.backend import ti

SETTINGS = sr.RasterizerSettings(height=8, width=12, sigma=1e-3)
CAMERA = sr.LookAtCamera(eye=(0.3, 1, 3))


def textured_square():
    square = sr.plane()
    image = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)
    return sr.Mesh(
        square.vertices,
        square.faces,
        face_uvs=(square.vertices[:, :2] + 0.5)[square.faces],
        face_materials=np.zeros(square.num_faces, dtype=np.int32),
        materials=(sr.Material("checks", image=image),),
    )


def test_a_mesh_is_drawn_as_its_arrays_are():
    mesh = sr.cube().with_colors(sr.cube().vertices + 0.5)
    expected = sr.render(*mesh.to_taichi(), CAMERA, SETTINGS, light=sr.Light()).to_numpy()
    image = sr.render(mesh, CAMERA, SETTINGS, light=sr.Light())
    np.testing.assert_array_equal(image.to_numpy(), expected)
    named = sr.render(mesh, camera=CAMERA, settings=SETTINGS, light=sr.Light())
    np.testing.assert_array_equal(named.to_numpy(), expected)
    alpha = sr.render_silhouette(mesh, CAMERA, settings=SETTINGS).to_numpy()
    np.testing.assert_allclose(alpha, expected[..., 3], atol=1e-6)


def test_a_mesh_is_drawn_with_its_materials():
    mesh = textured_square()
    vertices, faces, _ = mesh.to_torch()
    texture = mesh.texture("torch")
    assert isinstance(texture.texels, torch.Tensor)
    expected = sr.render(vertices, faces, texture, CAMERA, SETTINGS)
    assert expected[..., :3].std() > 0.05
    image = sr.render(mesh, CAMERA, SETTINGS, framework="torch")
    torch.testing.assert_close(image, expected, atol=0, rtol=0)
    drawn = sr.render(vertices, faces, mesh.texture("torch", dtype=torch.float32), CAMERA, SETTINGS)
    torch.testing.assert_close(drawn, expected, atol=0, rtol=0)


def test_a_mesh_is_drawn_in_the_framework_of_what_is_beside_it():
    eye = torch.tensor([[0.3, 1.0, 3.0]], requires_grad=True)
    image = sr.render(sr.cube(), sr.LookAtCamera(eye), SETTINGS)
    image.sum().backward()
    assert eye.grad.abs().max() > 0
    sigma = torch.tensor([1e-3])
    assert isinstance(sr.render_silhouette(sr.cube(), CAMERA, SETTINGS, sigma=sigma), torch.Tensor)
    assert isinstance(sr.render_silhouette(sr.cube(), CAMERA, SETTINGS), ti.Ndarray)


def test_a_mesh_keeps_its_precision():
    cube = sr.cube()
    mesh = sr.Mesh(cube.vertices.astype(np.float64), cube.faces)
    assert sr.render_silhouette(mesh, CAMERA, SETTINGS).dtype == ti.f64
    assert sr.render_silhouette(mesh, CAMERA, SETTINGS, framework="torch").dtype == torch.float64


@pytest.mark.parametrize("framework", ["torch", "taichi"])
def test_one_item_needs_no_first_dimension(framework):
    mesh = sr.cube().with_colors(sr.cube().vertices + 0.5)
    if framework == "torch":
        vertices, faces, colors = mesh.to_torch()
        flat = vertices[0].clone().requires_grad_(), faces, colors[0]
    else:
        vertices, faces, colors = mesh.to_taichi()
        flat = sr.from_numpy(mesh.vertices, needs_grad=True), faces, sr.from_numpy(mesh.colors)
    expected = sr.render(vertices, faces, colors, CAMERA, SETTINGS, attributes=colors)
    if framework == "torch":
        image = sr.render(*flat, CAMERA, SETTINGS, attributes=flat[2])
        torch.testing.assert_close(image.detach(), expected)
        image.sum().backward()
        assert flat[0].grad.shape == (8, 3)
        assert flat[0].grad.abs().max() > 0
    else:
        loss = ti.ndarray(ti.f32, 1, needs_grad=True)
        target = sr.from_numpy(np.zeros((1, 8, 12, 7), np.float32))
        with ti.ad.Tape(loss=loss):
            image = sr.render(*flat, CAMERA, SETTINGS, attributes=flat[2])
            sr.add_to_loss(loss, sr.image_loss(image, target))
        np.testing.assert_allclose(image.to_numpy(), expected.to_numpy(), atol=1e-6)
        assert np.abs(flat[0].grad.to_numpy()).max() > 0


def test_one_texture_needs_no_first_dimension():
    mesh = textured_square()
    vertices, faces, _ = mesh.to_torch()
    texels = torch.rand(4, 6, 3)
    expected = sr.render(
        vertices, faces, sr.UVTexture(torch.tensor(mesh.face_uvs)[None], texels[None]),
        CAMERA, SETTINGS,
    )  # fmt: skip
    texture = sr.UVTexture(torch.tensor(mesh.face_uvs), texels)
    torch.testing.assert_close(sr.render(vertices[0], faces, texture, CAMERA, SETTINGS), expected)
    surface = torch.rand(len(faces), 4, 3)
    torch.testing.assert_close(
        sr.render(vertices, faces, sr.SurfaceTexture(surface), CAMERA, SETTINGS),
        sr.render(vertices, faces, sr.SurfaceTexture(surface[None]), CAMERA, SETTINGS),
    )


def test_losses_take_one_mesh_without_a_first_dimension():
    vertices, faces, _ = sr.icosphere(1).to_torch()
    topology = sr.mesh_topology(faces, vertices[0])
    for loss in (sr.laplacian_loss, sr.flattening_loss, sr.normal_consistency_loss):
        torch.testing.assert_close(loss(vertices[0], topology), loss(vertices, topology))
    torch.testing.assert_close(
        sr.chamfer_distance(vertices[0], 2 * vertices), sr.chamfer_distance(vertices, 2 * vertices)
    )
    assert sr.depth_range(vertices[0], CAMERA) == sr.depth_range(vertices, CAMERA)


def test_what_is_missing_is_named():
    vertices, faces, colors = sr.cube().to_torch()
    with pytest.raises(TypeError, match="settings must be given: either vertices, faces, colors"):
        sr.render(vertices, faces, colors, CAMERA)
    with pytest.raises(TypeError, match="camera must be a Camera, got RasterizerSettings"):
        sr.render_silhouette(vertices, faces, SETTINGS, CAMERA)
    with pytest.raises(TypeError, match="settings must be RasterizerSettings, got int"):
        sr.render(sr.cube(), CAMERA, 64)
    with pytest.raises(TypeError, match="a camera and settings, got 1 more"):
        sr.render(sr.cube(), CAMERA)
    with pytest.raises(TypeError, match="a camera and settings, got 3 more"):
        sr.render(sr.cube(), faces, CAMERA, settings=SETTINGS)
    with pytest.raises(ValueError, match="framework is for a Mesh"):
        sr.render(vertices, faces, colors, CAMERA, SETTINGS, framework="torch")
    with pytest.raises(ValueError, match="framework must be one of"):
        sr.render(sr.cube(), CAMERA, SETTINGS, framework="jax")
    with pytest.raises(ValueError, match="mesh must have materials, got none"):
        sr.cube().texture("torch")


def test_what_lacks_its_first_dimension_is_told():
    vertices, faces, _ = sr.cube().to_torch()
    with pytest.raises(
        ValueError, match=r"vertices must .* got \(8, 3\): vertices lacks .*for one, \(1, 8, 3\)"
    ):
        sr.vertex_normals(vertices[0], faces)


def test_vectors_and_fields_are_refused_by_name():
    _, faces, colors = sr.cube().to_taichi()
    vectors = ti.Vector.ndarray(3, ti.f32, (1, 8))
    with pytest.raises(
        TypeError, match=r"vertices must be .* of vectors .*make its shape \(1, 8, 3"
    ):
        sr.render(vectors, faces, colors, CAMERA, SETTINGS)
    field = ti.Vector.field(3, ti.f32, (1, 8))
    with pytest.raises(
        TypeError, match=r"vertices must be .* a Taichi field: .* shape \(1, 8, 3\),"
    ):
        sr.render(field, faces, colors, CAMERA, SETTINGS)
