# %% [markdown]
# # Soft coverage, explained in pictures
#
# What does a soft rasterizer draw, and what do its gradients say? One triangle and a few pixels
# show it: sigma, gamma, families, and derivatives checked by moving a corner.

# %%
import os
from dataclasses import replace

import matplotlib.pyplot as plt
import torch

import taichi_softras as sr

QUICK = "SOFTRAS_QUICK" in os.environ  # smaller pictures: how the tests run it
SIZE = 16 if QUICK else 128  # pixels along a side of a picture
settings = sr.RasterizerSettings(height=SIZE, width=SIZE, near=1, far=3)

# %% [markdown]
# ## A triangle that fades out
#
# A triangle either covers the centre of a pixel or it doesn't: the image jumps when an edge
# passes a pixel, so its derivative is 0 nearly everywhere, and gradient descent has nothing to
# follow. Here a triangle covers a pixel by a probability instead,
#
# D = sigmoid(± d² / sigma),
#
# where d is the distance from the pixel to the triangle's border, in NDC (half the picture is 1),
# and the sign says whether the pixel is inside. On the border D is 1/2, whatever sigma.

# %%
corners = torch.tensor([[[[-0.6, -0.5, 2.0], [0.6, -0.4, 2.0], [-0.1, 0.65, 2.0]]]])  # B F 3 3
sigmas = (1e-5, 1e-3, 1e-2, 1e-1)
soft = [sr.rasterize_silhouette(corners, replace(settings, sigma=sigma)) for sigma in sigmas]
sr.show(soft, [f"{sigma:.0e}" for sigma in sigmas], columns=4)

# %% [markdown]
# Along the row through the middle. √sigma is how wide an edge is: at that distance outside D has
# fallen to 27 %.

# %%
figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
across = (2 * torch.arange(SIZE) + 1) / SIZE - 1
for sigma, alpha in zip(sigmas, soft):
    axis.plot(across, alpha[0, SIZE // 2], label=f"sigma {sigma:.0e}")
axis.set(xlabel="x in NDC", ylabel="coverage D")
axis.legend()
plt.show()

# %% [markdown]
# It is the formula. A triangle so large that only one edge of it is in the picture, at x = 0, has
# d = x:

# %%
wall = torch.tensor([[[[0.0, -20, 2], [0, 20, 2], [-40, 0, 2]]]])
drawn = sr.rasterize_silhouette(wall, replace(settings, sigma=0.1))[0, 0]
formula = torch.sigmoid(-torch.sign(across) * across**2 / 0.1)
assert torch.allclose(drawn, formula, atol=1e-4)  # beyond a cut-off of 1e-4 nothing is drawn

# %% [markdown]
# ## Many triangles: alpha
#
# The alpha of a pixel is the probability that at least one face covers it, were they independent:
# 1 - (1 - D₁) (1 - D₂) ... So no order is needed, and every face has a say. `alpha="sum"` is
# their mean, and `"hard"` is 1 where a face covers more than half.

# %%
other = torch.tensor([[[[-0.3, -0.8, 1.5], [0.8, 0.1, 1.5], [-0.1, 0.4, 1.5]]]])
pair = torch.cat([corners, other], dim=1)  # two faces, the second one nearer
alphas = ("prod", "sum", "hard")
shown = [sr.rasterize_silhouette(pair, replace(settings, sigma=1e-2, alpha=x)) for x in alphas]
sr.show(shown, alphas, columns=3)

# %% [markdown]
# ## Which is in front: gamma
#
# Colours need an order, which jumps, too, when one face passes another. They are weighed by
# coverage and a softmax of depth instead, whose temperature is gamma, in units of far - near: of
# two faces the one that is gamma behind weighs 1/e as much. A small gamma shows the nearest one,
# a large one mixes all. What is hidden then still has a gradient, and can come forward.

# %%
red, blue = (0.85, 0.25, 0.2), (0.2, 0.35, 0.85)
colors = torch.tensor([[[blue] * 3, [red] * 3]])  # B F 3 C: of corners of faces
gammas = (1e-4, 1e-1, 1.0)
mixed = [sr.rasterize(pair, colors, replace(settings, sigma=1e-4, gamma=gamma)) for gamma in gammas]
sr.show(mixed, [f"gamma {gamma:.0e}" for gamma in gammas], columns=3)

# %% [markdown]
# What is one pixel made of, where both cover it? `list_fragments` tells, heaviest first.

# %%
row, col = SIZE // 2, SIZE // 2
for gamma in gammas:
    told = replace(settings, sigma=1e-4, gamma=gamma)
    fragments = sr.list_fragments(pair, colors, told, row, col)
    nearer, farther = fragments.weight
    ground = fragments.background_weight
    print(f"gamma {gamma:.0e}: red {nearer:.3f}, blue {farther:.3f}, background {ground:.3f}")
    assert abs(nearer + farther + ground - 1) < 1e-5

# %% [markdown]
# ## Families
#
# How D falls beside an edge is a choice. `"euclidean"` is the formula above; `"barycentric"`
# takes the smallest barycentric coordinate for the distance, and so depends on the triangle's
# size and shape; `"hard"` is all or nothing. [More can be added](../../docs/families.md) in a few
# lines.

# %%
families = ("euclidean", "barycentric", "hard")
shown = [
    sr.rasterize_silhouette(corners, replace(settings, sigma=1e-2, coverage=family))
    for family in families
]
sr.show(shown, families, columns=3)

# %% [markdown]
# ## Gradients, pixel by pixel
#
# If the corner on top moves to the right, which pixels get brighter? That is a derivative for
# each pixel, and `backward` gives one number for a whole image. But a batch has a gradient per
# item: as many copies of the triangle as there are pixels, of each of which one pixel counts,
# give them all at once.

# %%
PIXELS = 12 if QUICK else 32
small = replace(settings, height=PIXELS, width=PIXELS)


def pixel_gradients(sigma: float, **family: str) -> torch.Tensor:
    """Differentiate each pixel by x of the upper corner, (PIXELS, PIXELS)."""
    count = PIXELS * PIXELS
    copies = corners.double().repeat(count, 1, 1, 1).requires_grad_()
    alpha = sr.rasterize_silhouette(copies, replace(small, sigma=sigma, **family))
    alpha.reshape(count, count).diagonal().sum().backward()
    return copies.grad[:, 0, 2, 0].reshape(PIXELS, PIXELS)


gradients = {f"sigma {sigma:.0e}": pixel_gradients(sigma) for sigma in sigmas[1:]}
gradients["hard"] = pixel_gradients(1e-3, coverage="hard")
figure, several = plt.subplots(1, 4, figsize=(8, 2.3), layout="constrained")
for axis, (name, values) in zip(several, gradients.items()):
    limit = max(values.abs().max().item(), 1e-9)
    axis.imshow(values.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit, extent=(-1, 1, -1, 1))
    axis.plot(*corners[0, 0, [0, 1, 2, 0], :2].T, color="black", linewidth=0.7)
    axis.set(title=name, xticks=[], yticks=[])
plt.show()

# %% [markdown]
# Red pixels get brighter, blue ones darker: on the right side the edge comes nearer, on the left
# it goes away. Sharp edges tell it in a narrow band, soft ones far from the edge, and hard ones
# not at all.
#
# They are no approximations. Moving the corner by a little, to both sides, and looking what the
# image does gives the same numbers:

# %%
step = 1e-6
moved = corners.double().repeat(2, 1, 1, 1)
moved[:, 0, 2, 0] += step * torch.tensor([1.0, -1.0])
there, back = sr.rasterize_silhouette(moved, replace(small, sigma=1e-2))
differences = (there - back) / (2 * step)
worst = (differences - gradients["sigma 1e-02"]).abs().max().item()
print(f"largest derivative {differences.abs().max():.3f}, largest difference {worst:.1e}")
assert worst < 1e-6 * differences.abs().max()

# %% [markdown]
# ## Why it matters
#
# A triangle is to move onto another that it doesn't touch. With sharp edges no pixel tells where
# to go, and it stays. With soft ones that get sharper on the way it finds its place.

# %%
STEPS = 60
right_place = torch.tensor([0.45, 0.35])
depth = torch.tensor([1.0])
goal = sr.rasterize_silhouette(0.5 * corners + torch.cat([right_place, depth]), settings)


def move(first: float, last: float) -> torch.Tensor:
    """Fit the triangle's place, with sigma going from first to last; return its path."""
    place = torch.tensor([-0.5, -0.4], requires_grad=True)
    optimizer = torch.optim.Adam([place], lr=0.05)
    schedule = sr.GeometricDecay(first, last, STEPS)
    path = [place.detach().clone()]
    for i in range(STEPS):
        there = 0.5 * corners + torch.cat([place, depth])
        softened = sr.anneal(settings, i, sigma=schedule)
        loss = sr.silhouette_loss(sr.rasterize_silhouette(there, softened), goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        path.append(place.detach().clone())
    return torch.stack(path)


paths = {"sharp": move(1e-5, 1e-5), "soft to sharp": move(1e-1, 1e-4)}
figure, several = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
for axis, (name, path) in zip(several, paths.items()):
    axis.imshow(goal[0].numpy(), cmap="gray_r", extent=(-1, 1, -1, 1), vmax=2)
    for point, color in ((path[0], "tab:blue"), (path[-1], "tab:red")):
        outline = 0.5 * corners[0, 0, [0, 1, 2, 0], :2] + point
        axis.plot(*outline.T, color=color)
    axis.plot(*path.T, ".", markersize=2, color="black")
    axis.set(title=name, xticks=[], yticks=[])
plt.show()

# %%
off = {name: (path[-1] - right_place).norm().item() for name, path in paths.items()}
print(", ".join(f"{name}: {value:.3f} off" for name, value in off.items()))
assert torch.equal(paths["sharp"][0], paths["sharp"][-1])
assert off["soft to sharp"] < 0.05

# %% [markdown]
# [How soft?](../../docs/softness.md) gives numbers for one's own pictures, [the
# method](../../docs/method.md) all formulas, and `softras view teapot` has sliders for all of
# this.
