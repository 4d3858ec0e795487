# %% [markdown]
# # Find a camera from a silhouette
#
# A teapot and its silhouette are given; where was the camera? Gradients reach every number that
# an image depends on, so the camera is fitted as a mesh would be. It is PyTorch3D's tutorial
# *Camera position optimization*.

# %%
import os

import matplotlib.pyplot as plt
import torch

import taichi_softras as sr

QUICK = "SOFTRAS_QUICK" in os.environ  # fewer steps and smaller pictures: how the tests run it
SIZE = 48 if QUICK else 80  # pixels along a side of a picture
STEPS = 100 if QUICK else 150
GUESSES = 2 if QUICK else 6

# %% [markdown]
# ## What is given
#
# The silhouette is drawn with hard edges, as a mask of a photograph has: nothing in it says how
# it was made.

# %%
vertices, faces, _ = sr.teapot().to_torch()
settings = sr.RasterizerSettings(height=SIZE, width=SIZE, near=0.5, far=8.0)
hard = sr.RasterizerSettings(
    height=SIZE, width=SIZE, near=0.5, far=8.0, coverage="hard", alpha="hard"
)

true_eye = torch.tensor([[1.6, 1.1, 1.9]])  # where the camera was, which we pretend not to know
mask = sr.render_silhouette(vertices, faces, sr.LookAtCamera(true_eye), hard)

sr.show(mask)

# %% [markdown]
# ## From soft to sharp
#
# A sharp silhouette changes only within a pixel of its outline, and there is little to follow
# from afar. A soft one reaches farther: gradients are felt about three times √sigma beyond an
# edge, in units of half the picture. But what is soft has its best place beside the right one. So
# sigma starts large and shrinks, by a `GeometricDecay`; no kernel is compiled anew for that.

# %%
sigma = sr.GeometricDecay(1e-2, 1e-5, STEPS)
softened = [sr.anneal(settings, step, sigma=sigma) for step in (0, STEPS // 2, STEPS)]
true_camera = sr.LookAtCamera(true_eye)
blurred = [sr.render_silhouette(vertices, faces, true_camera, each) for each in softened]
sr.show(blurred, [f"sigma {each.sigma:.0e}" for each in softened], columns=3)

# %% [markdown]
# ## The fit
#
# The only parameter is where the camera is; it always looks at the origin. `LookAtCamera` takes
# the tensor, and `backward` fills its gradient.
#
# From the wrong side, silhouettes may lead to a wrong place that looks nearly right. So six
# guesses all round are fitted at once: (B, 3) places are B cameras, `reduction="none"` gives each
# its own loss, and their sum has each one's gradient.

# %%
eyes = torch.tensor(sr.orbit_eyes(3.0, 20.0, range(0, 60 * GUESSES, 60)), dtype=torch.float32)
first_eyes = eyes.clone()
optimizer = torch.optim.Adam([eyes.requires_grad_()], lr=0.08)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
targets = mask.expand(GUESSES, -1, -1)
losses, paths, drawn = [], [], []
for step in sr.track(range(STEPS), "finding the camera"):
    soft = sr.anneal(settings, step, sigma=sigma)
    alpha = sr.render_silhouette(vertices, faces, sr.LookAtCamera(eyes), soft)
    loss = sr.silhouette_loss(alpha, targets, reduction="none")
    optimizer.zero_grad()
    loss.sum().backward()
    optimizer.step()
    schedule.step()
    losses.append(loss.detach())
    paths.append(eyes.detach().clone())
    drawn.append(alpha.detach())

# %% [markdown]
# Red is what was given, green what is drawn: where they overlap it is yellow. Above the first
# guesses, below where each ended:


# %%
def overlay(alpha: torch.Tensor) -> torch.Tensor:
    """Lay what is drawn over what was given, (B, H, W, 3)."""
    return torch.stack([mask.expand_as(alpha), alpha, torch.zeros_like(alpha)], -1)


final = sr.render_silhouette(vertices, faces, sr.LookAtCamera(eyes.detach()), hard)
first = sr.render_silhouette(vertices, faces, sr.LookAtCamera(first_eyes), hard)
ends = sr.silhouette_loss(final, targets, reduction="none")
captions = [""] * GUESSES + [f"loss {end:.3f}" for end in ends]
sr.show(torch.cat([overlay(first), overlay(final)]), captions, columns=GUESSES)

# %% [markdown]
# The best one wins. This is how it went, from soft to sharp:

# %%
best = int(ends.argmin())
times = [0, STEPS // 8, STEPS // 4, STEPS // 2, STEPS - 1]
sr.show(
    [overlay(drawn[step][best : best + 1]) for step in times],
    [f"step {step}" for step in times],
    columns=len(times),
)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 2.8), layout="constrained")
distances = (torch.stack(paths) - true_eye).norm(dim=2)
for axis, values in ((left, torch.stack(losses)), (right, distances)):
    axis.plot(values, color="lightgray")
    axis.plot(values[:, best], color="tab:red")
    axis.set(xlabel="step", ylim=(0, None))
left.set(ylabel="silhouette loss")
right.set(ylabel="distance of the camera")
plt.show()

# %%
eye, off = eyes.detach()[best], distances[-1, best]
print(f"camera at {eye.numpy().round(2)}, was at {true_eye[0].numpy().round(2)}: {off:.3f} off")
print(f"overlap {1 - ends[best]:.3f}")
assert off < (0.3 if QUICK else 0.1)
assert ends[best] < (0.1 if QUICK else 0.05)

# %% [markdown]
# ## And more
#
# - Field of view, distortion, rotation and translation can be fitted likewise: each is a tensor
#   of the [camera](../../docs/cameras.md), ours or OpenCV's.
# - Colours tell more than silhouettes: `python demos/camera.py` finds position and field of view
#   from one picture.
