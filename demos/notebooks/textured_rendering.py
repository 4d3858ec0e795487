# %% [markdown]
# # Draw textured meshes
#
# Cameras, lights, materials and batches, on a doughnut. It goes the way of PyTorch3D's tutorial
# *Render textured meshes*, and on to a gradient of the texture.

# %%
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import taichi_softras as sr

QUICK = "SOFTRAS_QUICK" in os.environ  # smaller pictures: how the tests run it
SIZE = 32 if QUICK else 160  # pixels along a side of a picture

# %% [markdown]
# ## A mesh with an image
#
# Texture coordinates belong to the corners of faces, (F, 3, 2): so a vertex on a seam need not be
# split. Those of the doughnut are its two angles, divided by 2 π. (0, 0) is the bottom left of
# the image.


# %%
def glazed(height: int = 128, width: int = 256) -> np.ndarray:
    """Draw the image of a doughnut, (H, W, 3): dough, glaze with a wavy border, and sprinkles."""
    v, u = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]  # v goes down here
    border = 0.03 * np.sin(12 * np.pi * u) + 0.02 * np.sin(22 * np.pi * u + 1)
    glaze = (v > 0.49 + border) & (v < 1 - border)  # the upper half of the tube
    image = np.where(glaze[..., None], (0.95, 0.45, 0.6), (0.85, 0.62, 0.35))
    rng = np.random.default_rng(0)
    for color in rng.choice([(1, 1, 1), (1, 0.85, 0.2), (0.3, 0.7, 0.95), (0.4, 0.2, 0.1)], 120):
        row, col = rng.integers(0.56 * height, 0.94 * height), rng.integers(2, width - 10)
        slope = rng.uniform(-0.5, 0.5)
        for step in range(7):
            image[int(row + slope * step) : int(row + slope * step) + 2, col + step] = color
    return image.astype(np.float32)


def make_doughnut() -> sr.Mesh:
    """Lay the image round a torus."""
    torus = sr.torus()
    x, y, z = torus.vertices.T
    across = np.hypot(x, z)
    middle = (across.max() + across.min()) / 2  # the radius of the circle in the tube
    angles = np.stack([np.arctan2(z, x), np.arctan2(y, across - middle)], axis=-1)
    uvs = (angles / (2 * np.pi) % 1)[torus.faces]
    crosses = np.ptp(uvs, axis=1, keepdims=True) > 0.5  # seams, where an angle starts again
    uvs = uvs + (crosses & (uvs < 0.5))
    return replace(
        torus,
        face_uvs=uvs,
        face_materials=np.zeros(torus.num_faces, np.int32),
        materials=(sr.Material("doughnut", image=glazed()),),
    )


folder = Path(tempfile.mkdtemp())
sr.write_mesh(make_doughnut(), folder / "doughnut.obj")
print(sorted(path.name for path in folder.iterdir()))

# %% [markdown]
# OBJ, with its MTL and PNG. `read_mesh` reads a textured file; without `textures=True` the mesh
# would get a colour per vertex, looked up in the image. A mesh at the end of a cell shows itself.

# %%
mesh = sr.read_mesh(folder / "doughnut.obj", textures=True)
mesh

# %% [markdown]
# ## One picture
#
# `frame_mesh` places a camera so that the mesh fills the picture, `depth_range` finds near and
# far planes. The small sigma and gamma, 1e-6 and 1e-4, draw hard edges; `supersampling` smooths
# them. The result is (1, H, W, 4), straight colours and alpha, and `show` lays it over white.

# %%
camera = sr.frame_mesh(mesh, azimuth_degrees=30, elevation_degrees=45)
near, far = sr.depth_range(mesh.to_torch()[0], camera)
settings = sr.RasterizerSettings(
    height=SIZE, width=SIZE, near=near, far=far, sigma=1e-6, gamma=1e-4
)
fine = replace(settings, supersampling=2)

unlit = sr.render(mesh, camera, settings, framework="torch")
lit = sr.render(mesh, camera, settings, light=sr.Light(), framework="torch")
smooth = sr.render(mesh, camera, fine, light=sr.Light(), framework="torch")
sr.show([unlit, lit, smooth], ["no light", "light", "supersampling=2"], columns=3)

# %% [markdown]
# ## Cameras
#
# One `frame_mesh` with several angles is several cameras, and `render` draws the mesh under each,
# without copying it. `LookAtCamera` gives the place itself. Those of OpenCV, COLMAP, OpenGL and
# PyTorch3D are taken, too: [cameras](../../docs/cameras.md).

# %%
orbit = sr.frame_mesh(mesh, azimuth_degrees=range(0, 360, 45), elevation_degrees=45)
turntable = sr.render(mesh, orbit, fine, light=sr.Light(), framework="torch")
assert turntable.shape == (8, SIZE, SIZE, 4)
sr.show(turntable[::2], columns=4)

# %%
wide = sr.LookAtCamera(eye=(0.0, 0.45, 0.75), fov_degrees=75)
parallel = sr.PosedCamera(sr.LookAt((0.0, 2.0, 2.0)), sr.Orthographic(half_height=0.55))
views = []
for chosen in (wide, parallel):
    near, far = sr.depth_range(mesh.to_torch()[0], chosen)
    placed = replace(fine, near=near, far=far)
    views.append(sr.render(mesh, chosen, placed, light=sr.Light(), framework="torch"))
sr.show(views, ["close, 75 degrees", "orthographic"], columns=2)

# %% [markdown]
# ## Lights
#
# `Light` is ambient light and one direction, where it comes *from*. `Lighting` takes any number
# of lights of any kind, and highlights. On a texture, light is evaluated at fragments.

# %%
dim = sr.AmbientLight((0.35, 0.35, 0.35))
lamp = sr.PointLight((0.8, 0.8, 0.8), position=(0.5, 1.0, 0.5))
lights = {
    "from above": sr.Light(direction=(0, 1, 0)),
    "from behind": sr.Light(direction=(-0.5, 0.2, -0.9)),
    "warm": sr.Light(ambient=(0.3, 0.3, 0.45), diffuse=(0.9, 0.7, 0.4)),
    "a lamp, and gloss": sr.Lighting(
        lights=(dim, lamp), specular=(0.5, 0.5, 0.5), shininess=30, shading="fragment"
    ),
}
drawn = {
    name: sr.render(mesh, camera, fine, light=light, framework="torch")
    for name, light in lights.items()
}
sr.show(list(drawn.values()), list(drawn), columns=4)

# %% [markdown]
# ## Materials
#
# A material is an image that a colour tints. A mesh may have any number of them; `face_materials`
# says which face has which. They are frozen, like all options here: `dataclasses.replace` makes
# others.

# %%
chocolate = replace(mesh.materials[0], color=(0.55, 0.35, 0.25))
halves = replace(
    mesh,
    face_materials=(mesh.vertices[mesh.faces].mean(1)[:, 0] > 0).astype(np.int32),
    materials=(mesh.materials[0], chocolate),
)
plain = replace(mesh, materials=(sr.Material("dough", (0.85, 0.62, 0.35)),))
shown = [
    sr.render(each, camera, fine, light=sr.Light(), framework="torch") for each in (halves, plain)
]
sr.show(shown, ["two materials", "no image"], columns=2)

# %% [markdown]
# ## Batches
#
# Vertices and cameras say how many items B a batch has, and 1 stands for "the same in all".
# Textures and lights go along: 1, or B. Here one mesh under four cameras has four textures.
# `mesh.texture` makes of its materials what `render` takes in place of colours, a `UVTexture`,
# and its texels, (B, H, W, 3), are a tensor as any other.

# %%
vertices, faces, _ = mesh.to_torch()
texture = mesh.texture("torch")
image = torch.tensor(mesh.materials[0].image)[None]
recolored = torch.cat([image, image.flip(-1), image.roll(1, -1), 1 - image])
batch = sr.UVTexture(texture.face_uvs, recolored)
four = sr.select_cameras(orbit, [0, 1, 2, 3])
together = sr.render(vertices, faces, batch, four, settings, light=sr.Light())
sr.show(together, columns=4)

# %% [markdown]
# Each item is what it would be alone, to the last bit:

# %%
for i in range(4):
    one = sr.UVTexture(texture.face_uvs, recolored[i : i + 1])
    camera = sr.select_cameras(orbit, [i])
    alone = sr.render(vertices, faces, one, camera, settings, light=sr.Light())
    assert torch.equal(together[i], alone[0])

# %% [markdown]
# ## Gradients
#
# Every array has a gradient: here that of the texels tells which of them the eight views of the
# turntable show. Bright texels count in many pixels, black ones are never seen: those of the
# underside. Fitting texels to pictures is [a few lines
# more](../../docs/textures.md#fit-an-image-map); texture coordinates have gradients, too, which
# PyTorch3D's don't.

# %%
texels = image.clone().requires_grad_()
textured = sr.UVTexture(texture.face_uvs, texels)
sr.render(vertices, faces, textured, orbit, settings).sum().backward()
seen = texels.grad[0].sum(-1)
shares = (seen / seen.max()).sqrt()
sr.show([image, shares], ["the image", "where it is seen"], columns=2)

# %%
brightness = {name: picture[..., :3].sum().item() for name, picture in drawn.items()}
print({name: round(value / brightness["from above"], 2) for name, value in brightness.items()})
assert brightness["from behind"] < 0.95 * brightness["from above"]
print(f"{(seen > 0).float().mean():.0%} of the texels are seen")
assert 0.2 < (seen > 0).float().mean() < 1
