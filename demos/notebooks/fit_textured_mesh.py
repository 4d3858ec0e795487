# %% [markdown]
# # Fit a mesh and its colours to pictures
#
# A sphere becomes a cow: its shape and its colours are found from sixteen pictures whose cameras
# are known. It is PyTorch3D's tutorial *Fit a mesh with texture via rendering*, with a cow of our
# own.

# %%
import os

import numpy as np
import torch

import taichi_softras as sr

QUICK = "SOFTRAS_QUICK" in os.environ  # fewer steps and smaller pictures: how the tests run it
SIZE = 32 if QUICK else 96  # pixels along a side of a picture
VIEWS = 8 if QUICK else 16
STEPS = (10, 6) if QUICK else (80, 120)  # with coarse faces, and with fine ones

# %% [markdown]
# ## The cow
#
# Any file would do: `sr.read_mesh("cow.obj", textures=True)`. So that nothing has to be fetched,
# this cow is made of ellipsoids, each a `Mesh` of its own at first. Texture coordinates belong to
# the corners of faces, (F, 3, 2); here they are longitude and latitude.

# %%
PARTS = (  # material, middle, half axes
    ("hide", (0.00, 0.05, 0.00), (0.52, 0.30, 0.27)),
    ("hide", (0.48, 0.24, 0.00), (0.20, 0.21, 0.15)),
    ("hide", (0.64, 0.32, 0.00), (0.21, 0.16, 0.15)),
    ("pink", (0.80, 0.25, 0.00), (0.11, 0.11, 0.12)),
    ("pink", (-0.2, -0.21, 0.00), (0.13, 0.10, 0.12)),
    ("dark", (-0.54, 0.02, 0.00), (0.05, 0.26, 0.05)),
    *(("hide", (x, -0.34, z), (0.10, 0.32, 0.09)) for x in (-0.33, 0.33) for z in (-0.15, 0.15)),
    *(("dark", (x, -0.63, z), (0.11, 0.06, 0.10)) for x in (-0.33, 0.33) for z in (-0.15, 0.15)),
    *(("dark", (0.55, 0.39, z), (0.05, 0.05, 0.13)) for z in (-0.19, 0.19)),
    *(("horn", (0.63, 0.51, z), (0.04, 0.12, 0.04)) for z in (-0.09, 0.09)),
)


def spotted(height: int = 64, width: int = 128) -> np.ndarray:
    """Draw brown spots on cream, (H, W, 3): where a product of waves is high."""
    v, u = 2 * np.pi * np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
    waves = np.sin(2 * u + np.cos(v)) * np.sin(2.5 * v + np.cos(u)) + 0.3 * np.sin(5 * u + 4 * v)
    spots = 1 / (1 + np.exp(-12 * (waves - 0.25)))[..., None]
    return (spots * (0.36, 0.2, 0.1) + (1 - spots) * (0.96, 0.91, 0.82)).astype(np.float32)


def make_cow() -> sr.Mesh:
    """Put the ellipsoids into one mesh with four materials."""
    ball = sr.icosphere(3, radius=1.0)
    x, y, z = ball.vertices.T
    uvs = np.stack([np.arctan2(z, x) / (2 * np.pi) + 0.5, np.arcsin(y) / np.pi + 0.5], -1)[
        ball.faces
    ]
    crosses = np.ptp(uvs[..., 0], axis=1) > 0.5  # the seam, where longitudes start again
    uvs[crosses, :, 0] += uvs[crosses, :, 0] < 0.5
    materials = (
        sr.Material("hide", image=spotted()),
        sr.Material("pink", (0.93, 0.62, 0.6)),
        sr.Material("dark", (0.2, 0.15, 0.13)),
        sr.Material("horn", (0.85, 0.8, 0.65)),
    )
    names = [material.name for material in materials]
    return sr.Mesh(
        np.concatenate([np.float32(ball.vertices * axes + middle) for _, middle, axes in PARTS]),
        np.concatenate([ball.faces + i * ball.num_vertices for i in range(len(PARTS))]),
        face_uvs=np.tile(uvs, (len(PARTS), 1, 1)),
        face_materials=np.repeat([names.index(name) for name, _, _ in PARTS], ball.num_faces),
        materials=materials,
    ).normalized()


cow = make_cow()
cow

# %% [markdown]
# ## The pictures
#
# `surround_mesh` places cameras all round. They are one object that stands for all of them, and
# `render` draws a batch, (B, H, W, 4): straight colours, and alpha, which is the silhouette.
# `depth_range` finds near and far planes that fit. The light is known, so that shading tells
# about the shape, too.

# %%
camera = sr.surround_mesh(cow, VIEWS)
near, far = sr.depth_range(cow.to_torch()[0], camera)
settings = sr.RasterizerSettings(
    height=SIZE, width=SIZE, near=near, far=far, sigma=1e-4, gamma=1e-3
)
light = sr.Light()
pictures = sr.render(cow, camera, settings, light=light, framework="torch")

sr.show(pictures[:: VIEWS // 4], columns=4)

# %% [markdown]
# Sigma, how soft edges are, is about a third of a pixel here, and gamma, how soft occlusion is, a
# thousandth of the depth between near and far: [how soft?](../../docs/softness.md) tells how to
# choose them.
#
# ## The fit
#
# Two losses compare with the pictures: `silhouette_loss`, one minus intersection over union of
# the silhouettes, and `image_loss`, squared differences of colours over black. Each step draws
# four of the views.
#
# Pictures say nothing about where on the surface a vertex lies, and free vertices crumple.
# `LargeSteps` describes them by numbers of which they are a smoothed version, so that each
# gradient moves a whole region. (Losses do this too: `laplacian_loss`, `flattening_loss`. The
# notebook on [chamfer](deform_by_chamfer.ipynb) uses them.)


# %%
def over_black(image: torch.Tensor) -> torch.Tensor:
    """Multiply straight colours by alpha."""
    return image[..., :3] * image[..., 3:]


def fit(mesh: sr.Mesh, steps: int, rate: float, smoothness: float) -> tuple[sr.Mesh, list[float]]:
    """Move vertices and change colours until they show what the pictures show."""
    large_steps = sr.LargeSteps(mesh.faces, mesh.num_vertices, smoothness)
    encoded = torch.tensor(large_steps.encode(mesh.vertices)[None], dtype=torch.float32)
    _, faces, colors = mesh.to_torch()
    logits = torch.logit(colors.clamp(0.02, 0.98))  # so that colours stay between 0 and 1
    numbers = [
        {"params": [encoded.requires_grad_()], "lr": rate},
        {"params": [logits.requires_grad_()], "lr": 0.05},
    ]
    optimizer = torch.optim.Adam(numbers, betas=(0.9, 0.95))
    history = []
    for _ in sr.track(range(steps), f"{mesh.num_vertices} vertices"):
        seen = torch.randperm(VIEWS)[:4]
        image = sr.render(
            large_steps.decode(encoded),
            faces,
            logits.sigmoid(),
            sr.select_cameras(camera, seen.numpy()),
            settings,
            light=light,
        )
        colors_loss = sr.image_loss(over_black(image), over_black(pictures[seen]))
        loss = sr.silhouette_loss(image[..., 3], pictures[seen, ..., 3]) + 5 * colors_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    vertices = large_steps.decode(encoded.detach())[0]
    return sr.Mesh(vertices, mesh.faces, logits.detach().sigmoid()[0]), history


# %% [markdown]
# From coarse to fine: `remesh` gives the sphere edges of one length. Few large faces find where
# legs and head are, then smaller ones, on the shape found so far, find the rest. Each `Mesh` can
# be looked at on the way.

# %%
torch.manual_seed(0)
mesh, meshes, losses = sr.icosphere(3), [], []
for length, steps, rate, smoothness in ((0.08, STEPS[0], 0.03, 20), (0.035, STEPS[1], 0.015, 10)):
    mesh, history = fit(sr.remesh(mesh, length, rounds=4), steps, rate, smoothness)
    meshes.append(mesh)
    losses += history

sr.show([sr.icosphere(3), *meshes, cow], ["start", "coarse", "fine", "the cow"], columns=4)

# %% [markdown]
# ## How good is it?
#
# Above what was given, below what was found, from views between the ones that were used: neither
# shape nor colours were fitted to these.

# %%
between = sr.surround_mesh(cow, 4, azimuth_degrees=180 / VIEWS, elevations_degrees=(20,))
truth = sr.render(cow, between, settings, light=light, framework="torch")
found = sr.render(mesh, between, settings, light=light, framework="torch")
sr.show(torch.cat([truth, found]), columns=4)

# %%
overlap = 1 - sr.silhouette_loss(found[..., 3], truth[..., 3]).item()
error = (over_black(found) - over_black(truth)).abs().mean().item()
print(f"loss {losses[0]:.2f} to {losses[-1]:.2f}, overlap {overlap:.3f}, colours {error:.3f} off")
assert losses[-1] < losses[0] / (1.5 if QUICK else 4)
assert overlap > (0.5 if QUICK else 0.9)

# %% [markdown]
# `sr.write_mesh(mesh, "cow.glb")` saves it, with its colours. What silhouettes and sixteen small
# pictures don't show, such as where the ears end, more views, larger pictures and shorter edges
# do.
#
# Colours here are at vertices. To fit an image map, give `render` a `UVTexture` whose texels are
# the tensor: [textures and materials](../../docs/textures.md). From photographs, where light is
# not known, the notebook [from photographs](from_photographs.ipynb) does it all in one call.
