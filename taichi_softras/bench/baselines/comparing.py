"""How another way to draw is timed in turn with ours."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.bench.cases import Case
from taichi_softras.bench.measuring import draw, interleave
from taichi_softras.rasterizer.settings import RasterizerSettings

NUM_VIEWS = 16
"""Views that cases of one view take in turn, so that no branch predictor learns the image."""

FaceBatch = tuple[torch.Tensor, torch.Tensor]
"""Corners and colours of faces, each (B, F, 3, 3)."""

Step = Callable[[int], tuple[float, float]]
"""Draws view ``i``; returns seconds forward and backward."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Times of ours and another's, in seconds, run by run, forward and backward.

    Attributes:
        case: What was drawn.
        ours: Times of this package.
        other: Times of the other.
        difference: Between the two images of the first view, on average.
        our_cpu: Seconds of processor time of each run of ours, forward and backward, of all
            threads of this process.
        other_cpu: Likewise of the other.
    """

    case: Case
    ours: list[tuple[float, float]]
    other: list[tuple[float, float]]
    difference: float
    our_cpu: list[float]
    other_cpu: list[float]


class Baseline(ABC):
    """Another way to draw. Subclasses draw, and say which settings of ours give their images.

    Args:
        device: ``"cpu"`` or ``"cuda"``, where Taichi runs.

    Raises:
        RuntimeError: If it isn't installed, or does not run there.

    Attributes:
        settings: Settings of ours.
        differences: What is not the same in the work done, in words; empty if it is the same.
    """

    settings: dict[str, Any] = {}  # noqa: RUF012 - never written to
    differences: str = ""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def inputs(self, case: Case) -> list[FaceBatch]:
        """Make what is drawn: one batch, or several of one view."""
        ensure_running(self.device)
        views = NUM_VIEWS if case.views == 1 else case.views
        several = Case(**{**vars(case), "views": views})
        arrays = several.face_arrays()
        corners, colors = (torch.tensor(array, device=self.device) for array in arrays)
        return split_views(case, corners, colors.expand(views, -1, -1, -1).contiguous())

    @abstractmethod
    def make_step(self, case: Case, inputs: list[FaceBatch], images: list[torch.Tensor]) -> Step:
        """Prepare to draw; the step puts the image of view 0 into ``images``."""

    def our_function(
        self, case: Case, settings: RasterizerSettings
    ) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Make what draws one of `inputs` by this package."""

        def function(corners: torch.Tensor, colors: torch.Tensor) -> torch.Tensor:
            image: torch.Tensor = draw(corners, colors, settings, silhouette=case.silhouette)
            return image

        return function

    def compare(self, case: Case, runs: int) -> Comparison:
        """Draw a case by ours and the other in turn."""
        inputs = self.inputs(case)
        function = self.our_function(case, case.settings(**self.settings))
        images: list[list[torch.Tensor]] = [[], []]
        cpu: list[list[float]] = [[], []]
        steps = (
            timed_step(case, inputs, images[0], function),
            self.make_step(case, inputs, images[1]),
        )
        ours, other = interleave(runs, *map(counting_cpu, steps, cpu))
        difference = float((images[0][0] - images[1][0]).abs().mean())
        return Comparison(
            case=case,
            ours=ours,
            other=other,
            difference=difference,
            our_cpu=cpu[0][-runs:],
            other_cpu=cpu[1][-runs:],
        )


def counting_cpu(step: Step, seconds: list[float]) -> Step:
    """Have a step write down how much processor time it took, of all threads."""

    def counted(i: int) -> tuple[float, float]:
        start = time.process_time()
        times = step(i)
        seconds.append(time.process_time() - start)
        return times

    return counted


def split_views(case: Case, corners: torch.Tensor, colors: torch.Tensor) -> list[FaceBatch]:
    """Make batches of one view each of what a case of one view takes in turn."""
    if case.views > 1:
        return [(corners, colors)]
    return [(corners[i : i + 1].clone(), colors[i : i + 1].clone()) for i in range(len(corners))]


def fixed_gradient(case: Case) -> torch.Tensor:
    """Make the derivative of the loss with respect to the image: (B, H, W, 4) or (B, H, W)."""
    shape = (case.views, case.size, case.size, *(() if case.silhouette else (4,)))
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) - 0.5


def wait_for(tensor: torch.Tensor) -> None:
    """Wait until all that was launched on a tensor's device is done."""
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)


def timed_step(
    case: Case,
    inputs: list[FaceBatch],
    images: list[torch.Tensor],
    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> Step:
    """Time an image and its gradients by autograd."""
    gradient = fixed_gradient(case).to(inputs[0][0].device)

    def step(i: int) -> tuple[float, float]:
        corners, colors = (x.requires_grad_() for x in inputs[i % len(inputs)])
        corners.grad = colors.grad = None
        wait_for(gradient)
        start = time.perf_counter()
        image = function(corners, colors)
        wait_for(gradient)
        drawn = time.perf_counter()
        image.backward(gradient)  # type: ignore[no-untyped-call]
        wait_for(gradient)
        done = time.perf_counter()
        if not images:
            images.append(image.detach().clone())
        return drawn - start, done - drawn

    return step
