# %% [markdown]
# # From photographs to a textured mesh
#
# A folder of photographs whose cameras are known becomes a mesh with an image map. No photographs
# come with the package, so this notebook makes a folder such as other programs do, and then
# forgets how. (Where cameras are not known, `softras reconstruct FOLDER --sfm` has COLMAP find
# them.)
#
# It needs the extra: `pip install 'taichi_softras[photos]'`.

# %%
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import taichi_softras as sr

QUICK = "SOFTRAS_QUICK" in os.environ  # fewer steps and smaller pictures: how the tests run it
SIZE = 48 if QUICK else 160  # pixels along a side of a photograph
PHOTOGRAPHS = 8 if QUICK else 20
options = sr.ReconstructionOptions(
    resolution=24 if QUICK else 72,  # voxels of the hull
    coarsest=0.3 if QUICK else 0.08,  # length of edges, at first and in the end
    finest=0.3 if QUICK else 0.035,
    pace=0.02 if QUICK else 0.25,  # of the steps that the best result takes
    texture=64 if QUICK else 512,
)

# %% [markdown]
# ## The photographs
#
# A painted teapot, lit from the side, from all round. Each photograph is a PNG with alpha, which
# is its mask. For other folders `read_captures(mask="dark")` finds the object before a plain
# ground, or masks are files.

# %%
teapot = sr.teapot()
x, y, z = teapot.vertices.T
rings = 0.5 + 0.5 * np.sin(40 * y + 2 * np.sin(9 * np.arctan2(z, x)))
paint = np.where(rings[:, None] > 0.5, (0.85, 0.8, 0.7), (0.15, 0.35, 0.6))
teapot = teapot.with_colors(paint)

seen_by = sr.surround_mesh(teapot, PHOTOGRAPHS, elevations_degrees=(10.0, 35.0, 60.0, -20.0))
near, far = sr.depth_range(teapot.to_taichi()[0], seen_by)
settings = sr.RasterizerSettings(
    height=SIZE, width=SIZE, near=near, far=far, sigma=1e-7, gamma=1e-4, supersampling=2
)
photographs = sr.render(teapot, seen_by, settings, light=sr.Light()).to_numpy()
sr.show(photographs[:: PHOTOGRAPHS // 4], columns=4)

# %% [markdown]
# `transforms.json` is how NeRF's data sets, instant-ngp and nerfstudio write cameras: the field
# of view, and for each picture the pose from camera to world, in OpenGL's frame. COLMAP's folders
# and others are read, too: [the
# list](../../docs/reconstruct.md#photographs-whose-cameras-are-known).

# %%
folder = Path(tempfile.mkdtemp())
views, _ = sr.camera_to_opengl(seen_by, aspect=1.0, near=near, far=far)
frames = []
for number, picture in enumerate(photographs):
    path = folder / f"{number:02d}.png"
    Image.fromarray((picture * 255).round().astype(np.uint8)).save(path)
    pose = np.linalg.inv(views[number])  # from camera to world
    frames.append({"file_path": path.name, "transform_matrix": pose.tolist()})
fov_x = np.radians(30.0)  # that of `surround_mesh`, and the pictures are square
(folder / "transforms.json").write_text(json.dumps({"camera_angle_x": fov_x, "frames": frames}))
print(sorted(path.name for path in folder.iterdir())[-3:])

# %% [markdown]
# ## Read them
#
# `read_captures` tells by its files which program has made a folder. Two photographs are held
# out: the mesh is compared with them in the end, and nothing is fitted to them.

# %%
captures = sr.read_captures(folder)
held_out = [1, PHOTOGRAPHS // 2]
fitted_to = [i for i in range(len(captures)) if i not in held_out]
given = captures.select(fitted_to)
captures

# %% [markdown]
# ## The visual hull
#
# What all masks have inside is the hull: the largest shape that has these silhouettes. A fit
# starts from it, rather than from a sphere.

# %%
hull = sr.visual_hull(given.masks, given.camera, resolution=options.resolution)
hull

# %% [markdown]
# ## The mesh
#
# One call does it all: hull, then vertices and their colours, coarse to fine, then an image map,
# filled from all photographs. `on_step` is told how far it is. The numbers at the top are for a
# small result in a minute; those of `ReconstructionOptions()` are for a good one.

# %%
losses: dict[str, list[float]] = {}


def keep_loss(progress: sr.reconstruction.Progress) -> None:
    """Keep the loss of each step, by stage."""
    if progress.loss is not None:
        losses.setdefault(progress.stage, []).append(progress.loss)


mesh = sr.reconstruct(given, options, on_step=keep_loss)
print({stage: f"{values[0]:.3f} to {values[-1]:.3f}" for stage, values in losses.items()})
sr.show([hull, mesh, teapot], ["hull", "mesh", "the teapot"], columns=3)

# %% [markdown]
# ## The image map
#
# The mesh has a material, whose image xatlas has laid out:

# %%
image = mesh.materials[0].image
sr.show(image[::2, ::2])

# %% [markdown]
# ## How good is it?
#
# Above the photographs that were held out, below drawings of the mesh from their cameras. The
# light that the photographs have is in the image map: no light is needed to draw it.

# %%
tested = captures.select(held_out)
vertices, _, _ = mesh.to_taichi()
near, far = sr.depth_range(vertices, tested.camera)
settings = sr.RasterizerSettings(
    height=SIZE, width=SIZE, near=near, far=far, sigma=1e-7, gamma=1e-4, supersampling=2
)
drawn = sr.render(mesh, tested.camera, settings).to_numpy()
sr.show(np.concatenate([photographs[held_out], drawn]), columns=2)

# %%
for found in sr.measure_agreement(mesh, tested):
    print(f"{found.name}: overlap {found.iou:.3f}, {found.psnr:.1f} dB, SSIM {found.ssim:.3f}")
    assert found.iou > (0.75 if QUICK else 0.95)

# %% [markdown]
# `sr.write_mesh(mesh, "teapot.glb")` saves it with its image map, for Blender or a browser. From
# the command line `softras reconstruct FOLDER -o out` does all of this, and writes a report with
# pictures: [meshes from photographs](../../docs/reconstruct.md).
