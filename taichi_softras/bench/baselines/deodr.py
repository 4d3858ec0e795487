"""DEODR's rasterizer, of hard faces with antialiased edges, in C."""

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.bench.baselines.comparing import (
    NUM_VIEWS,
    Baseline,
    FaceBatch,
    Step,
    fixed_gradient,
    split_views,
)
from taichi_softras.bench.cases import Case
from taichi_softras.bench.measuring import draw
from taichi_softras.meshes.incidence import gather
from taichi_softras.rasterizer.settings import RasterizerSettings


class Deodr(Baseline):
    """DEODR's rasterizer of a mesh, from projected vertices and their colours to their gradients.

    A fourth channel of ones is its alpha.
    """

    settings = {"perspective_correct": False}  # noqa: RUF012 - never written to
    differences = (
        "DEODR draws one face a pixel, the nearest, leaves back faces out, and blends silhouettes "
        "over a pixel; it works in float64, on one thread. Ours draws every face that is nearer "
        "than the cut-off, with gradients to hidden ones too. Colours are affine in both."
    )

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        if device != "cpu":
            raise RuntimeError("DEODR runs on the CPU alone, and Taichi on one device in a process")
        if importlib.util.find_spec("deodr") is None:
            raise RuntimeError("deodr can't be imported: it isn't installed here")
        self._faces = np.empty((0, 3), dtype=np.int32)

    def inputs(self, case: Case) -> list[FaceBatch]:
        """Make projected vertices and their colours, (1, V, 3) each."""
        ensure_running("cpu")
        several = Case(**{**vars(case), "views": NUM_VIEWS})
        vertices, colors, self._faces = several.vertex_arrays()
        every = np.repeat(colors, NUM_VIEWS, axis=0)
        return split_views(case, torch.tensor(vertices), torch.tensor(every))

    def our_function(
        self, case: Case, settings: RasterizerSettings
    ) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """See `Baseline.our_function`."""
        faces = torch.tensor(self._faces)

        def function(vertices: torch.Tensor, colors: torch.Tensor) -> torch.Tensor:
            corners, corner_colors = gather(vertices, faces), gather(colors, faces)
            image: torch.Tensor = draw(corners, corner_colors, settings, silhouette=case.silhouette)
            return image

        return function

    def make_step(self, case: Case, inputs: list[FaceBatch], images: list[torch.Tensor]) -> Step:
        """See `Baseline.make_step`."""
        from deodr import Scene2D, TriMesh

        gradient = fixed_gradient(case)[0].numpy().astype(np.float64)
        prepared = [_scene_arrays(case, *batch) for batch in inputs]
        faces = self._faces.astype(np.uint32)
        mesh = TriMesh(faces, np.zeros((len(prepared[0][0]), 3)), clockwise=False)

        def make_scene(i: int) -> Any:
            points, depths, colors = prepared[i % len(prepared)]
            return Scene2D(
                faces=faces,
                faces_uv=np.zeros_like(faces),
                ij=points,
                depths=depths,
                textured=np.zeros(len(faces), dtype=bool),
                uv=np.zeros((1, 2)),
                shade=np.zeros(len(points)),
                colors=colors,
                shaded=np.zeros(len(faces), dtype=bool),
                edgeflags=mesh.adjacencies.edge_on_silhouette(points),
                height=case.size,
                width=case.size,
                nb_colors=4,
                texture=np.zeros((0, 0, 4)),
                background_color=np.zeros(4),
                clockwise=False,
                backface_culling=True,
            )

        def step(i: int) -> tuple[float, float]:
            start = time.perf_counter()
            scene = make_scene(i)
            image, _ = scene.render()
            drawn = time.perf_counter()
            if not images:
                images.append(torch.tensor(image, dtype=torch.float32)[None])
            resumed = time.perf_counter()
            scene.render_backward(gradient)
            return drawn - start, time.perf_counter() - resumed

        return step


def _scene_arrays(
    case: Case, vertices: torch.Tensor, colors: torch.Tensor
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn vertices in NDC into pixels, x to the right and y down, depths, and four channels."""
    ndc = vertices[0].detach().numpy().astype(np.float64)
    points = ((ndc[:, :2] * (1, -1) + 1) * case.size - 1) / 2
    numbers = colors[0].detach().numpy().astype(np.float64)
    return points, ndc[:, 2].copy(), np.column_stack([numbers, np.ones(len(numbers))])
