"""The formulas as one writes them in PyTorch."""

import torch

from taichi_softras import reference
from taichi_softras.bench.baselines.comparing import Baseline, FaceBatch, Step, timed_step
from taichi_softras.bench.cases import Case


class Dense(Baseline):
    """The formulas in PyTorch, every face at every pixel, differentiated by autograd."""

    settings = {"perspective_correct": False}  # noqa: RUF012 - never written to

    def make_step(self, case: Case, inputs: list[FaceBatch], images: list[torch.Tensor]) -> Step:
        """See `Baseline.make_step`."""
        settings = case.settings(**self.settings)

        def function(corners: torch.Tensor, colors: torch.Tensor) -> torch.Tensor:
            if case.silhouette:
                return reference.rasterize_silhouette(corners, settings)
            return reference.rasterize(corners, colors, settings)

        return timed_step(case, inputs, images, function)
