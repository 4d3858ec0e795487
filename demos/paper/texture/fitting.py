"""How colours are fitted to pictures, and measured on others."""

import math
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

import numpy as np
import torch

from demos.paper.shared.reporting import make_progress
from demos.paper.texture.colorings import Coloring, fill_unseen
from demos.paper.texture.stage import PosedPictures, Stage

BATCH = 2
"""Pictures that a step of the optimiser looks at."""
LEAST_WEIGHT = 0.05
"""What a texel must count for, in pixels of all pictures, to be called seen."""
NO_DIFFERENCE = 1e-10
"""Mean squared error that counts as none, so that PSNR is 100 dB at most."""


def draw_batches(count: int, size: int, seed: int = 0) -> Iterator[list[int]]:
    """Say which pictures each step looks at, for ever: every one before any comes again."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(count, generator=generator).tolist()
        yield from (order[k : k + size] for k in range(0, count, size))


def fit(
    coloring: Coloring,
    stage: Stage,
    views: PosedPictures,
    steps: int,
    report: Callable[[float], None],
) -> None:
    """Fit colours to pictures by Adam, its rate falling to 0 as a cosine does."""
    numbers = coloring.numbers.requires_grad_()
    optimizer = torch.optim.Adam([numbers], lr=coloring.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    started = perf_counter()
    for _, batch in zip(range(steps), draw_batches(len(views.eyes), BATCH)):
        optimizer.zero_grad()
        image = stage.draw(coloring.paint(numbers), views.eyes[batch], stage.fitting)
        target = views.images[batch]
        # Colours are straight: they compare also at borders, where the two do not cover alike.
        weight = image[..., 3:] * target[..., 3:]
        loss = (weight * (image[..., :3] - target[..., :3]) ** 2).sum() / (3 * weight.sum())
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            numbers.clamp_(*coloring.limits)
        report(loss.item())
    coloring.result["seconds"] = perf_counter() - started


def psnr(squared_errors: torch.Tensor) -> float:
    """Peak signal-to-noise ratio in dB, for a peak of 1."""
    return -10 * math.log10(max(squared_errors.mean().item(), NO_DIFFERENCE))


def compare(images: torch.Tensor, targets: torch.Tensor) -> dict[str, list[float]]:
    """Measure each picture's PSNR: over its foreground, and over all of it, before white."""
    errors = (images[..., :3] - targets[..., :3]) ** 2
    before_white = [x[..., :3] * x[..., 3:] + 1 - x[..., 3:] for x in (images, targets)]
    whole_errors = (before_white[0] - before_white[1]) ** 2
    return {
        "foreground": [psnr(e[t[..., 3] > 0.5]) for e, t in zip(errors, targets)],
        "whole": [psnr(e) for e in whole_errors],
    }


def finish_maps(
    coloring: Coloring, stage: Stage, views: PosedPictures, held_out: PosedPictures
) -> None:
    """Fill in the texels that no picture shows, and measure how much that matters."""
    texture, result = coloring.colors(), coloring.result
    seen = stage.weigh(texture, views.eyes) > LEAST_WEIGHT
    needed = stage.weigh(texture, held_out.eyes) > LEAST_WEIGHT
    result["unseen"] = float(np.mean(~seen))
    result["unseen_of_needed"] = float(np.mean(~seen[needed]))
    result["unfilled"] = compare(stage.show(texture, held_out.eyes), held_out.images)
    texels = fill_unseen(texture.texels[0, 0].numpy(), seen, texture.maps.numpy())
    coloring.numbers = torch.tensor(texels).reshape(coloring.numbers.shape)
    coloring.seen = seen


def measure(coloring: Coloring, stage: Stage, held_out: PosedPictures) -> None:
    """Compare the fitted colours, and the model's own, with pictures that were held out."""
    for name, numbers in (("fitted", coloring.numbers.detach()), ("own", coloring.own)):
        if numbers is not None:
            images = stage.show(coloring.paint(numbers), held_out.eyes)
            coloring.result[name] = compare(images, held_out.images)


def fit_all(
    colorings: Sequence[Coloring],
    stage: Stage,
    views: PosedPictures,
    held_out: PosedPictures,
    steps: int,
) -> None:
    """Fit and measure all, with a bar that says how far it got."""
    with make_progress() as progress:
        task = progress.add_task("", total=len(colorings) * steps, loss="")

        def report(loss: float) -> None:
            progress.update(task, advance=1, loss=f"{loss:.5f}")

        for coloring in colorings:
            progress.update(task, description=coloring.title)
            fit(coloring, stage, views, steps, report)
            if coloring.name == "UV":
                finish_maps(coloring, stage, views, held_out)
            measure(coloring, stage, held_out)
