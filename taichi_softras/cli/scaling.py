"""``softras scaling``: how time and memory grow with the scene."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console

from taichi_softras.arrays.options import check_integer
from taichi_softras.bench.machine import start_taichi
from taichi_softras.bench.scaling import (
    SWEEPS,
    draw_curves,
    largest_scenes,
    measure_curves,
    report_of,
    sweep_table,
)
from taichi_softras.cli.options import PROGRESS_CONSOLE
from taichi_softras.files.paths import whole_file


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Measure how time and memory grow with faces, image size, batch and sigma.

    Each measurement has a process of its own. Writes scaling.png and scaling.json.

    Attributes:
        output: The folder to write to; it is made if need be.
        runs: Timed runs of each measurement, after two to warm up. At least 1.
        arch: What to run on.
        quick: Tiny scenes, to try the command.
    """

    output: tyro.conf.Positional[Path]
    runs: int = 5
    arch: Literal["cpu", "cuda"] = "cpu"
    quick: bool = False

    def run(self) -> None:
        """Measure, draw, and print a table."""
        check_integer("runs", self.runs, at_least=1)
        start_taichi(self.arch)
        self.output.mkdir(parents=True, exist_ok=True)
        curves = measure_curves(self.runs, self.arch, PROGRESS_CONSOLE, quick=self.quick)
        console = Console()
        for sweep, curve in zip(SWEEPS, curves):
            console.print(sweep_table(sweep, curve))
        largest = largest_scenes(curves)
        for sentence in largest:
            console.print(sentence, highlight=False)
        with whole_file(self.output / "scaling.json") as unfinished:
            report = report_of(curves, largest)
            unfinished.write_text(json.dumps(report, indent=2) + "\n")
        with whole_file(self.output / "scaling.png") as unfinished:
            draw_curves(curves, unfinished)
