"""The figure: what is drawn of the results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Polygon

from taichi_softras.files.pictures import write_picture

TOWARDS, AWAY, NONE = "#1b7f4d", "#d1342f", "#8a8a8a"
EXACT, WITHOUT = "#111111", "#e0218a"
SMALL = 11
PARTS = (
    "a   A triangle hidden behind another is to come out on the right. Soft, it still has a share"
    " of every pixel, and a loss of colours moves it. Hard, its gradient is zero.",
    "b   A pixel that a triangle does not reach. Soft, its alpha pulls the nearest edge, the"
    " farther the larger sigma is. Hard, it does not.",
    "c   A cube turns away from its target. Arrows: where the exact slope takes descent; green to"
    " the target, red away, grey nowhere. Dotted: the target a photo.",
    "d   Without the part of the gradient that goes through the interpolation of colours and"
    " depths, as in SoftRas's code, gradients by x and y are wrong.",
)


def draw_figure(results: dict[str, Any], path: Path) -> None:
    """Draw all parts, and write them as one PNG, 1520 pixels wide."""
    figure = Figure(figsize=(16, 19.6), dpi=95, layout="constrained")
    heights = (4.6, 4.0, 4.8, 6.2)
    rows: Any = figure.subfigures(4, 1, height_ratios=heights, hspace=0.02)
    for row, text in zip(rows, PARTS):
        row.suptitle(text, x=0.01, ha="left", fontsize=13.5)
    _draw_hidden(rows[0], results["hidden"][0])
    _draw_reach(rows[1], results["reach"][0])
    _draw_landscapes(rows[2], results["curves"], results["landscapes"])
    _draw_missing(rows[3], results["missing"])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    write_picture(path, np.asarray(canvas.buffer_rgba())[..., :3])


def _show(axes: Axes, image: np.ndarray, title: str) -> None:
    """Show an image in NDC, without ticks."""
    axes.imshow(np.clip(image, 0, 1), extent=(-1, 1, -1, 1), interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=SMALL + 1)


def _outline(axes: Axes, corners: np.ndarray, color: str, style: str = "--") -> None:
    axes.add_patch(Polygon(corners[:, :2], fill=False, ec=color, ls=style, lw=1.6))


def _arrows(axes: Axes, at: np.ndarray, along: np.ndarray, color: str, longest: float) -> None:
    """Draw arrows at points, the longest of which is as long as is said."""
    lengths = np.linalg.norm(along[:, :2], axis=1)
    ends = at[:, :2] + along[:, :2] * longest / lengths.max()
    for start, end in zip(at[:, :2], ends):
        _arrow(axes, start, end, color, 2.0)


def _arrow(
    axes: Axes, start: Sequence[float], end: Sequence[float], color: str, width: float
) -> None:
    style = {"arrowstyle": "-|>", "color": color, "lw": width, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=(end[0], end[1]), xytext=(start[0], start[1]), arrowprops=style)


def _draw_hidden(row: SubFigure, hidden: dict[str, Any]) -> None:
    start, goal, soft = hidden["corners"], hidden["goal"], hidden["soft"]
    axes = row.subplots(1, 4)
    _show(axes[0], hidden["target"], "target")
    _show(axes[1], soft["image"], "soft: -∂L/∂(x, y) of the hidden corners")
    _outline(axes[1], start, "white")
    _arrows(axes[1], start, -soft["gradient"], "black", 0.5)
    _show(axes[2], hidden["hard"]["image"], "hard: ∂L/∂(x, y) = 0")
    _outline(axes[2], start, "white")
    _show(axes[3], soft["after"], "soft, after descent")
    _outline(axes[3], goal, TOWARDS, ":")
    _outline(axes[3], soft["corners after"], "black")


def _draw_reach(row: SubFigure, reach: dict[str, Any]) -> None:
    left, right = row.subplots(1, 2, width_ratios=(1, 2.4))
    shown = reach["picture"]
    _show(left, 1 - shown["coverage"][..., None] * (0.95, 0.75, 0.4), "")
    left.set_title(f"coverage, sigma {shown['sigma']:g}", fontsize=SMALL + 1)
    _outline(left, shown["corners"], "black", "-")
    _arrows(left, shown["corners"][:2], shown["gradient"][:2], TOWARDS, 0.45)
    left.plot(0, 0, "s", ms=7, mfc="none", mec=AWAY, mew=2)
    left.annotate("the pixel", (0.05, -0.12), fontsize=SMALL, color=AWAY)
    distances, bottom = reach["distances"], 1e-3
    shades = ("#9ecae1", "#4292c6", "#2171b5", "#08306b")
    soft = {name: pulls for name, pulls in reach["pulls"].items() if name != "hard"}
    for color, (name, pulls) in zip(shades, soft.items()):
        shown = np.where(pulls > 0, pulls, np.nan)
        right.semilogy(distances, shown, color=color, lw=2.2, label=f"sigma {name}")
    right.axvline(0, color="black", lw=0.8)
    hard = reach["pulls"]["hard"].max()
    right.axhline(bottom, color=AWAY, lw=4, label=f"hard: {hard:g} everywhere", clip_on=False)
    right.set_ylim(bottom, 100)
    right.set_xlim(distances[0], distances[-1])
    right.set_xlabel("distance from the edge to the pixel, NDC (inside the triangle: negative)")
    right.set_title(
        "|∂alpha/∂corners|; a curve ends where coverage falls to 1e-4", fontsize=SMALL + 1
    )
    right.legend(fontsize=SMALL)


def _draw_curve(axes: Axes, curve: dict[str, Any]) -> None:
    """A landscape, coloured by where descent goes, with arrows."""
    x, largest = curve["degrees"], curve["losses"].max()
    y = curve["losses"] / largest
    axes.plot(x, curve["photo"] / largest, color="black", lw=1, ls=":")
    # Headings are 0, 1 and -1, the last.
    colors = np.array([NONE, TOWARDS, AWAY])[curve["headings"].astype(int)]
    points = np.stack([x, y], axis=1)
    lines = np.stack([points[:-1], points[1:]], axis=1)
    axes.add_collection(LineCollection(list(lines), colors=colors, lw=2))
    for i in range(len(x) // 24 // 2, len(x), max(len(x) // 12, 1)):
        step = -np.sign(x[i]) * curve["headings"][i]
        if step:
            above = y[i] + 0.06
            _arrow(axes, (x[i], above), (x[i] + 24 * step, above), colors[i], 1.6)
    axes.set(xlim=(-180, 180), ylim=(0, 1.8), xticks=(-180, -90, 0, 90, 180), yticks=(0, 0.5, 1))
    share = (curve["headings"] > 0).mean()
    axes.set_title(f"{_softness(curve)}\n{share:.0%} of starts head for 0", fontsize=SMALL + 1)
    axes.axvline(0, color="black", lw=0.8, ls=":")
    _show(axes.inset_axes((0.03, 0.64, 0.42, 0.34)), curve["image"], "")
    _draw_zoom(axes.inset_axes((0.58, 0.7, 0.38, 0.26)), *curve["zoom"])


def _draw_zoom(axes: Axes, degrees: np.ndarray, losses: np.ndarray) -> None:
    """A piece of a landscape from near by: steps, or a slope."""
    axes.plot(degrees, losses, color="black", lw=1.3)
    axes.set(xticks=[degrees[0], degrees[-1]], yticks=[])
    axes.set_xticklabels([f"{d:g}°" for d in (degrees[0], degrees[-1])], fontsize=SMALL - 2)


def _draw_landscapes(
    row: SubFigure, curves: Sequence[dict[str, Any]], grid: Sequence[dict[str, Any]]
) -> None:
    halves: Any = row.subfigures(1, 2, width_ratios=(len(curves), 1.3))
    left, right = halves
    axes = left.subplots(1, len(curves), sharey=True)
    for k, curve in enumerate(curves):
        _draw_curve(axes[k], curve)
        axes[k].set_xlabel("angle to the target, degrees")
    axes[0].set_ylabel("loss / its largest")
    maps = right.subplots(2, 1, sharex=True)
    soft = [entry for entry in grid if entry["softness"] is not None]
    for axes, name, words in zip(maps, ("same", "photo"), ("target as soft", "target a photo")):
        _draw_grid(axes, soft, name)
        axes.set_title(f"starts that head for 0, {words}", fontsize=SMALL + 1)
    maps[1].set_xlabel("sigma")


def _draw_grid(axes: Axes, grid: Sequence[dict[str, Any]], name: str) -> None:
    """Shares of starts that head for the target, by sigma and gamma."""
    sigmas, gammas = (sorted({entry["softness"][k] for entry in grid}) for k in (0, 1))
    shares = np.full((len(gammas), len(sigmas)), np.nan)
    for entry in grid:
        sigma, gamma = entry["softness"]
        shares[gammas.index(gamma), sigmas.index(sigma)] = entry[name]["heading"][0]
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1, aspect="auto", origin="lower")
    for (i, j), share in np.ndenumerate(shares):
        if np.isfinite(share):
            color = "white" if share > 0.6 else "black"
            axes.text(j, i, f"{share:.0%}", ha="center", va="center", fontsize=SMALL, color=color)
    axes.set_xticks(range(len(sigmas)), [f"{s:g}" for s in sigmas])
    axes.set_yticks(range(len(gammas)), [f"{g:g}" for g in gammas])
    axes.set_ylabel("gamma")


def _draw_missing(row: SubFigure, missing: Sequence[dict[str, Any]]) -> None:
    left, right = row.subplots(1, 2, width_ratios=(1, 1.35))
    entry = max((e for e in missing if "cube" in e["scene"]), key=lambda e: e["held"][0])
    shown = entry["picture"]
    _show(left, shown["image"], f"{entry['scene']}, {_softness(entry)}: descent")
    lengths = {name: np.linalg.norm(shown[name], axis=1).max() for name in ("exact", "held")}
    for name, color in (("exact", EXACT), ("held", WITHOUT)):
        longest = 0.6 * lengths[name] / lengths["exact"]
        _arrows(left, shown["corners"], -shown[name], color, longest)
    _draw_errors(right, missing)


def _draw_errors(axes: Axes, missing: Sequence[dict[str, Any]]) -> None:
    """Bars: errors of both gradients."""
    y = np.arange(len(missing))[::-1]
    lowest = 1e-11
    for name, color, label, shift in (
        ("exact", EXACT, "exact", 0.2),
        ("held", WITHOUT, "without the interpolation", -0.2),
    ):
        errors = np.array([entry[name][0] for entry in missing])
        axes.barh(y + shift, errors - lowest, 0.38, left=lowest, color=color, label=label)
    for k, entry in zip(y, missing):
        error, cosine = entry["held"]
        axes.text(
            1.5, k - 0.2, f"{error:.1%}, cosine {cosine:.3f}", fontsize=SMALL - 1, va="center"
        )
    names = [f"{entry['scene']}\n{_softness(entry)}" for entry in missing]
    axes.set_yticks(y, names, fontsize=SMALL - 1)
    axes.set_xscale("log")
    axes.set(xlim=(lowest, 3e3), xticks=[1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1])
    axes.set_title("error relative to central differences, float64", fontsize=SMALL + 1)
    axes.legend(fontsize=SMALL - 1, loc="upper center")


def _softness(entry: dict[str, Any]) -> str:
    """Sigma and gamma in words."""
    if entry["softness"] is None:
        return "hard"
    return "sigma {:g}, gamma {:g}".format(*entry["softness"])
