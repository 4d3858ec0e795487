"""Programs written for SoftRas, with no line changed."""

import sys

import numpy as np
import pytest
import torch

import taichi_softras as native
import taichi_softras.soft_renderer as sr
import taichi_softras.soft_renderer.functional as srf

RENDERING = """
import numpy as np
import soft_renderer as sr

mesh = sr.Mesh.from_obj(source, load_texture=True, texture_res=5, texture_type="surface")
renderer = sr.SoftRenderer(camera_mode="look_at", image_size=32)

pictures = []
for azimuth in (0, 120):
    mesh.reset_()
    renderer.transform.set_eyes_from_angles(2.732, 30, azimuth)
    images = renderer.render_mesh(mesh)
    pictures.append((255 * images.detach().cpu().numpy()[0].transpose((1, 2, 0))).astype(np.uint8))

renderer.transform.set_eyes_from_angles(2.732, 30, 45)
for power in np.arange(-4, -2, 1.0):
    mesh.reset_()
    renderer.set_gamma(10**power)
    renderer.set_sigma(10 ** (power - 1))
    images = renderer.render_mesh(mesh)
    pictures.append((255 * images.detach().cpu().numpy()[0].transpose((1, 2, 0))).astype(np.uint8))

mesh.reset_()
mesh.save_obj(target, save_texture=True)
"""


DEFORMING = """
import torch
import torch.nn as nn
import soft_renderer as sr
import soft_renderer.functional as srf


class Model(nn.Module):
    def __init__(self, template):
        super().__init__()
        self.template_mesh = sr.Mesh.from_obj(template)
        self.register_buffer("vertices", self.template_mesh.vertices * 0.5)
        self.register_buffer("faces", self.template_mesh.faces)
        self.displace = nn.Parameter(torch.zeros_like(self.template_mesh.vertices))
        self.laplacian_loss = sr.LaplacianLoss(self.vertices[0].cpu(), self.faces[0].cpu())
        self.flatten_loss = sr.FlattenLoss(self.faces[0].cpu())

    def forward(self, batch_size):
        vertices = self.vertices + torch.tanh(self.displace)
        losses = self.laplacian_loss(vertices).mean(), self.flatten_loss(vertices).mean()
        vertices, faces = (x.repeat(batch_size, 1, 1) for x in (vertices, self.faces))
        return sr.Mesh(vertices, faces), *losses


distances, elevations = torch.full((4,), 2.732), torch.full((4,), 30.0)
azimuths = torch.tensor([0.0, 90.0, 180.0, 270.0])
renderer = sr.SoftRenderer(
    image_size=32, sigma_val=1e-4, aggr_func_rgb="hard", camera_mode="look_at", viewing_angle=15
)
renderer.transform.set_eyes(srf.get_points_from_angles(distances, elevations, azimuths))
model = Model(source)
wanted = sr.Mesh(model.vertices * torch.tensor([1.0, 1.5, 0.7]), model.faces)
with torch.no_grad():
    images_gt = renderer.render_mesh(sr.Mesh(wanted.vertices.repeat(4, 1, 1), wanted.faces))

transform, lighting, rasterizer = renderer.transform, sr.Lighting(), renderer.rasterizer
optimizer = torch.optim.Adam(model.parameters(), 0.02, betas=(0.5, 0.99))
history = []
for step in range(8):
    mesh, laplacian_loss, flatten_loss = model(4)
    images_pred = rasterizer(transform(lighting(mesh)))
    predicted, given = images_pred[:, 3], images_gt[:, 3]
    overlap = (predicted * given).sum((1, 2))
    union = (predicted + given - predicted * given).sum((1, 2)) + 1e-6
    loss = 1 - (overlap / union).mean() + 0.03 * laplacian_loss + 0.0003 * flatten_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append(loss.item())
    if step == 4:
        renderer.set_sigma(3e-5)

corners = srf.face_vertices(mesh.vertices, mesh.faces).data * (32 - 1) / 32 + 0.5
voxels = srf.voxelization(corners, 32, False).cpu().numpy().transpose(0, 2, 1, 3)[:, :, :, ::-1]
model(1)[0].save_obj(target, save_texture=False)
"""


@pytest.fixture
def as_soft_renderer(monkeypatch):
    """Have ``import soft_renderer`` find the drop-in, as a program that was not changed needs."""
    monkeypatch.setitem(sys.modules, "soft_renderer", sr)
    monkeypatch.delitem(sys.modules, "soft_renderer.functional", raising=False)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("soft_renderer."):
            del sys.modules[name]


def run(program, **names):
    exec(compile(program, "program.py", "exec"), names)
    return names


def test_program_that_renders(as_soft_renderer, painted, tmp_path):
    names = run(RENDERING, source=painted, target=tmp_path / "saved.obj")
    pictures = np.stack(names["pictures"])
    assert pictures.shape == (4, 32, 32, 4)
    assert (pictures[..., 3].max((1, 2)) > 250).all()
    assert (pictures.std((1, 2)).max(1) > 20).all()
    saved = sr.Mesh.from_obj(tmp_path / "saved.obj", load_texture=True, texture_res=5)
    assert saved.textures.shape == (1, 4, 25, 3)
    assert (saved.vertices == names["mesh"].vertices).all()


def test_program_that_deforms(as_soft_renderer, tmp_path):
    native.write_mesh(native.icosphere(2), tmp_path / "sphere.obj")
    names = run(DEFORMING, source=tmp_path / "sphere.obj", target=tmp_path / "saved.obj")
    history = names["history"]
    assert history[-1] < 0.8 * history[0]
    saved = srf.load_obj(tmp_path / "saved.obj")[0]
    torch.testing.assert_close(saved, names["model"](1)[0].vertices[0].detach())
    assert 0.02 < names["voxels"].mean() < 0.5


def test_functional_can_be_imported_by_its_old_name(as_soft_renderer):
    names = run("import soft_renderer.functional as srf\nfrom soft_renderer import Mesh")
    # Each name of the module wraps the same function: see `arrays.uncompiled`.
    assert names["srf"].soft_rasterize.__wrapped__ is srf.soft_rasterize.__wrapped__
    assert names["Mesh"] is sr.Mesh
