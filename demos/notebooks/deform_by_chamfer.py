# %% [markdown]
# # Deform a sphere by the chamfer distance
#
# A sphere is bent into another shape without a picture: by points on both surfaces, and losses
# that keep the mesh in order. It is PyTorch3D's tutorial *Deform a source mesh to form a target
# mesh*.

# %%
import os
from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch

import taichi_softras as sr

QUICK = "SOFTRAS_QUICK" in os.environ  # fewer steps and points: how the tests run it
STEPS = 30 if QUICK else 400
POINTS = 500 if QUICK else 4000

# %% [markdown]
# ## The target
#
# The loss sees a target only as points: `sample_surface` chooses them at random, uniformly by
# area. So a scan would do as well.

# %%
target = sr.teapot()
target_vertices, target_faces, _ = target.to_torch()
sphere = sr.icosphere(2 if QUICK else 4)

samples = sr.sample_surface(target_vertices, target_faces, POINTS, seed=0)[0]
figure = plt.figure(figsize=(3.6, 3), layout="constrained")
axes = figure.add_subplot(projection="3d")
axes.scatter(samples[:, 0], samples[:, 2], samples[:, 1], s=1)
axes.set(box_aspect=(samples.max(0).values - samples.min(0).values)[[0, 2, 1]])
plt.show()
sr.show([sphere, target], ["start", "target"], columns=2)

# %% [markdown]
# ## The losses
#
# `chamfer_distance` is, for each point of a set, the squared distance to the nearest of the
# other, averaged, both ways. It pulls the surface onto the target, and doesn't care how: vertices
# slide, faces fold and edges stretch. Three more losses care, each in its way:
#
# | loss | wants |
# |---|---|
# | `edge_length_loss` | short edges, so that none is stretched |
# | `normal_consistency_loss` | faces that don't fold at their common edges |
# | `laplacian_loss` | vertices in the middle of their neighbours |
#
# What faces are neighbours is the same at every step: `mesh_topology` finds it once.


# %%
@dataclass(frozen=True)
class Weights:
    """How much each loss counts beside the chamfer distance."""

    edges: float = 1.0
    normals: float = 0.01
    laplacian: float = 0.0005


def deform(weights: Weights) -> tuple[sr.Mesh, list[float]]:
    """Move the sphere's vertices towards the target; return it and the chamfer distances."""
    vertices, faces, _ = sphere.to_torch()
    topology = sr.mesh_topology(faces, vertices)
    offsets = torch.zeros_like(vertices, requires_grad=True)
    optimizer = torch.optim.Adam([offsets], lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    history = []
    for step in sr.track(range(STEPS), "deforming"):
        moved = vertices + offsets
        points = sr.sample_surface(moved, faces, POINTS, seed=step)  # others at each step
        others = sr.sample_surface(target_vertices, target_faces, POINTS, seed=step)
        distance = sr.chamfer_distance(points, others)
        loss = (
            distance
            + weights.edges * sr.edge_length_loss(moved, topology)
            + weights.normals * sr.normal_consistency_loss(moved, topology)
            + weights.laplacian * sr.laplacian_loss(moved, topology)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        history.append(distance.item())
    return sphere.with_vertices((vertices + offsets.detach())[0]), history


# %% [markdown]
# ## With and without
#
# The same steps, with all losses, and with the chamfer distance alone:

# %%
kept, with_losses = deform(Weights())
free, without = deform(Weights(edges=0, normals=0, laplacian=0))
sr.show([kept, free, target], ["all losses", "chamfer alone", "target"], columns=3)

# %%
figure, axis = plt.subplots(figsize=(5, 2.6), layout="constrained")
axis.semilogy(with_losses, label="all losses")
axis.semilogy(without, label="chamfer alone")
axis.set(xlabel="step", ylabel="chamfer distance")
axis.legend()
plt.show()

# %% [markdown]
# Alone, the chamfer distance comes nearer to the points, by a surface that nobody wants: its
# faces fold over each other. Normals of neighbouring faces say by how much.


# %%
def folds(mesh: sr.Mesh) -> float:
    """Average one minus the cosine between normals of neighbouring faces."""
    vertices, faces, _ = mesh.to_torch()
    return sr.normal_consistency_loss(vertices, sr.mesh_topology(faces, vertices)).item()


print(f"chamfer {with_losses[0]:.4f} to {with_losses[-1]:.5f}, alone {without[-1]:.5f}")
print(f"folds {folds(kept):.3f}, alone {folds(free):.3f}")
assert with_losses[-1] < with_losses[0] / (4 if QUICK else 20)
assert folds(kept) < folds(free) / 2

# %% [markdown]
# The sphere can't have the handle's hole: its topology stays. Between
# [this](../../docs/fitting.md) and a fit to pictures nothing but the loss differs, and both can
# be added: `silhouette_loss` for what is seen, chamfer for what was scanned.
