"""A figure of true and recovered colours."""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch

import taichi_softras as sr
from demos.paper.texture.colorings import Coloring, split_maps
from demos.paper.texture.stage import PosedPictures, Stage
from taichi_softras.files.paths import whole_file
from taichi_softras.files.pictures import composite

matplotlib.use("Agg")  # needs no display
from matplotlib import pyplot

FIGURE_SIZE = 448


def draw_figure(
    path: Path,
    stage: Stage,
    true: sr.UVTexture,
    colorings: Sequence[Coloring],
    held_out: PosedPictures,
) -> None:
    """Draw a view that was held out, and below it the map that the pictures show most of."""
    view = most_colorful(held_out.images)
    weights = stage.weigh(true, held_out.eyes)
    assert true.maps is not None
    number = int(np.add.reduceat(weights, true.maps[:, 0]).argmax())
    maps = [coloring for coloring in colorings if coloring.name == "UV"][-3:]
    palettes = [coloring for coloring in colorings if coloring.name == "palette"]
    figure, axes = pyplot.subplots(2, 4, figsize=(11, 6), layout="constrained")
    for place, coloring in zip(axes[0], [None, colorings[0], palettes[-1], maps[-1]]):
        colors = coloring.colors() if coloring else true
        image = stage.show(colors, held_out.eyes[view : view + 1], FIGURE_SIZE)[0].numpy()
        place.imshow(crop(np.clip(composite(image, (1.0, 1.0, 1.0)), 0, 1), image[..., 3]))
        decibels = coloring.result["fitted"]["foreground"][view] if coloring else math.inf
        place.set_title(f"{coloring.title}\n{decibels:.1f} dB" if coloring else "true colours\n")
    for place, coloring in zip(axes[1], [None, *maps]):
        texture = coloring.colors() if coloring else true
        image = split_maps(texture.texels[0, 0].numpy(), texture.maps)[number]
        if coloring and coloring.seen is not None:
            image = np.where(split_maps(coloring.seen, texture.maps)[number], image, 1.0)
        place.imshow(np.clip(image, 0, 1), interpolation="nearest")
        height, width, _ = image.shape
        place.set_title(f"{'recovered' if coloring else 'true map'}, {height} x {width}")
    for place in axes.flat:
        place.set_axis_off()
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, dpi=100)
    pyplot.close(figure)


def most_colorful(images: torch.Tensor) -> int:
    """Find the picture in whose foreground colours vary most."""
    spreads = [image[image[..., 3] > 0.5][:, :3].var(dim=0).sum() for image in images]
    return int(torch.stack(spreads).argmax())


def crop(image: np.ndarray, alpha: np.ndarray, margin: int = 8) -> np.ndarray:
    """Cut a square out of an image that holds all that is not transparent."""
    rows, cols = np.nonzero(alpha > 0)
    half = max(np.ptp(rows), np.ptp(cols)) // 2 + margin
    row, col = ((x.min() + x.max()) // 2 for x in (rows, cols))
    return image[max(row - half, 0) : row + half, max(col - half, 0) : col + half]
