"""The figure: what is seen, what is descended on, and how often guesses arrive."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from demos.paper.pose.errors import FOUND_DEGREES
from taichi_softras.files.paths import whole_file

BINS = (0, 60, 90, 120, 150, 180)
"""Angles between guess and truth, in degrees, by which guesses are counted."""

STYLES = {
    "little blur": ("tab:orange", "-"),
    "much blur": ("tab:green", "-"),
    "annealed": ("tab:blue", "-"),
    "annealed, SoftRas's gradient": ("tab:red", "--"),
}


def draw_figure(
    path: Path,
    pictures: Mapping[str, Sequence[tuple[str, np.ndarray]]],
    results: Mapping[str, Any],
) -> None:
    """Draw a row for each object: pictures, errors, and shares by how far guesses were off.

    Args:
        path: PNG file to write.
        pictures: For each object, as many titles and pictures.
        results: For each object, what `Estimate.results` gives.
    """
    num_pictures = max(map(len, pictures.values()))
    ratios = [1.0] * num_pictures + [1.5, 1.5]
    figure, grid = plt.subplots(
        len(results),
        len(ratios),
        figsize=(2.1 * sum(ratios), 2.35 * len(results)),
        squeeze=False,
        layout="constrained",
        width_ratios=ratios,
    )
    for row, (name, result) in enumerate(results.items()):
        axes = grid[row]
        for axis, (title, picture) in zip(axes, pictures[name]):
            axis.imshow(np.clip(picture, 0, 1), interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.set_title(title if row == 0 else "", fontsize=10)
        axes[0].set_ylabel(name, fontsize=11)
        plot_errors(axes[-2], result)
        plot_shares(axes[-1], result)
    grid[0, -2].set_title("guesses within an error", fontsize=10)
    grid[0, -1].set_title("found, by how far off they start", fontsize=10)
    grid[-1, -2].set_xlabel("error, degrees")
    grid[-1, -1].set_xlabel("angle of the guess, degrees")
    handles = {h.get_label(): h for axis in grid[:, -2] for h in axis.get_lines()}
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower right", ncols=4, frameon=False
    )
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, dpi=90)
    plt.close(figure)


def plot_errors(axis: Axes, result: Mapping[str, Any]) -> None:
    """Plot the share of guesses whose error is at most so large."""
    for key, method in result["methods"].items():
        errors = np.sort(method["errors"], axis=None)
        color, line = STYLES[key]
        shares = 100 * np.arange(len(errors) + 1) / len(errors)
        axis.step([0, *errors], shares, where="post", color=color, linestyle=line, label=key)
    axis.set(xlim=(0, 180), ylim=(0, 100), xticks=range(0, 181, 45), ylabel="%")
    axis.grid(alpha=0.3)


def plot_shares(axis: Axes, result: Mapping[str, Any]) -> None:
    """Plot the share of guesses that find the truth, by their angle at the start."""
    middles = [(low + high) / 2 for low, high in pairwise(BINS)]
    bins = np.digitize(result["start_angles"], BINS[1:-1])
    for key, method in result["methods"].items():
        found = method["errors"] < FOUND_DEGREES
        shares = [
            100 * found[bins == k].mean() if (bins == k).any() else np.nan
            for k in range(len(middles))
        ]
        color, line = STYLES[key]
        axis.plot(middles, shares, marker="o", markersize=4, color=color, linestyle=line)
    axis.set(xlim=(0, 180), ylim=(-4, 104), xticks=BINS, ylabel="%")
    axis.grid(alpha=0.3)
