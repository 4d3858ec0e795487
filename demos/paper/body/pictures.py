"""Pictures of bodies, from in front and from behind."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch

from demos.paper.body.fitting import SCENARIOS
from demos.paper.body.model import Body, sharp
from taichi_softras.files.paths import whole_file
from taichi_softras.files.pictures import composite, write_animation

matplotlib.use("Agg")  # needs no display
from matplotlib import pyplot


def over_white(body: Body, vertices: torch.Tensor, height: int, *, back: bool) -> np.ndarray:
    """Draw one body sharply over white, (H, W, 3)."""
    image = body.draw(vertices, sharp(height), back=back)
    return composite(image[0].numpy(), (1.0, 1.0, 1.0))


def write_sheet(path: Path, body: Body, shown: dict[str, Any], height: int) -> None:
    """Draw the first body of each scenario from in front and from behind."""
    views = [(scenario, back) for scenario in shown for back in (False, True)]
    names = list(shown[SCENARIOS[0]]["meshes"])
    figure, grid = pyplot.subplots(
        len(views), len(names), figsize=(1.5 * len(names), 2.1 * len(views)), layout="constrained"
    )
    for (scenario, back), row in zip(views, grid):
        for axes, name in zip(row, names):
            axes.imshow(over_white(body, shown[scenario]["meshes"][name], height, back=back))
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        row[0].set_ylabel(f"{scenario}\n{'from behind' if back else 'from in front'}")
    for axes, name in zip(grid[0], names):
        axes.set_title(f"fit: {name}" if name not in ("picture", "start") else name, fontsize=10)
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, dpi=120)
    pyplot.close(figure)


def write_fits(path: Path, body: Body, shown: dict[str, Any], height: int, count: int) -> None:
    """Animate the soft fits: the picture, the fit from in front and behind, the truth behind."""

    def draw(mesh: torch.Tensor) -> list[np.ndarray]:
        return [over_white(body, mesh, height, back=back) for back in (False, True)]

    truths = {scenario: draw(fits["meshes"]["picture"]) for scenario, fits in shown.items()}
    last = len(shown[SCENARIOS[0]]["track"]) - 1
    frames = []
    for step in np.unique(np.linspace(0, last, count).astype(int)).tolist():
        rows = []
        for scenario, (front, back) in truths.items():
            rows.append([front, *draw(shown[scenario]["track"][step]), back])
        frames.append(np.concatenate([np.concatenate(row, axis=1) for row in rows]))
    write_animation(path, [*frames, *frames[-1:] * 8], frames_per_second=8)
