"""A rasterizer in C++, from a folder of its own."""

import importlib.util
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch

from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.backend import impl
from taichi_softras.bench.baselines.comparing import (
    NUM_VIEWS,
    Baseline,
    FaceBatch,
    Step,
    fixed_gradient,
    split_views,
)
from taichi_softras.bench.cases import Case
from taichi_softras.bench.machine import has_avx512


class CppBaseline(Baseline):
    """A rasterizer of the same formulas in C++, from a folder: `limit.py` and ``build.sh``.

    Its colours are affine, and its background weighs exp(2 eps / gamma); ours is told to do the
    same. It is given its buffers once.
    """

    settings = {"perspective_correct": False, "interpolation": "clipped", "eps": 2e-3}  # noqa: RUF012 - never written to

    def __init__(self, limit: ModuleType, scenes: ModuleType | None) -> None:
        super().__init__()
        self._limit = limit
        self._scenes = scenes

    def inputs(self, case: Case) -> list[FaceBatch]:
        """Take the folder's own scene if it has one, else ours."""
        ensure_running("cpu")  # before the C++ is called: see `make_step`
        make = getattr(self._scenes, {"torus": "spot", "sphere": "sphere"}[case.mesh], None)
        if make is None:
            return super().inputs(case)
        return split_views(case, *make(NUM_VIEWS if case.views == 1 else case.views))

    def make_step(self, case: Case, inputs: list[FaceBatch], images: list[torch.Tensor]) -> Step:
        """See `Baseline.make_step`."""
        detached = [(c.detach().clone(), t.detach().clone()) for c, t in inputs]
        scenes = [(c, None if case.silhouette else t) for c, t in detached]
        gradient = fixed_gradient(case)
        if not case.silhouette:
            gradient = gradient.permute(0, 3, 1, 2).contiguous()
        out, saved = self._limit.alloc(*scenes[0], case.size)
        corners, colors = scenes[0]
        grad_corners = torch.empty_like(corners)
        grad_colors = None if colors is None else torch.empty_like(colors)
        options = {"threads": impl.current_cfg().cpu_max_num_threads}

        def step(i: int) -> tuple[float, float]:
            corners, colors = scenes[i % len(scenes)]
            # Built with fast maths it flushes denormal numbers to zero; ours doesn't.
            torch.set_flush_denormal(True)
            start = time.perf_counter()
            self._limit.forward(
                *(corners, colors, case.size, case.sigma), out=out, saved=saved, **options
            )
            drawn = time.perf_counter()
            self._limit.backward(
                *(corners, colors, out, saved, gradient, case.sigma),
                **{"gfv": grad_corners, "gtex": grad_colors, **options},
            )
            done = time.perf_counter()
            torch.set_flush_denormal(False)
            if not images:
                images.append(out.clone() if case.silhouette else out.permute(0, 2, 3, 1).clone())
            return drawn - start, done - drawn

        return step


@contextmanager
def built_from(folder: Path) -> Iterator[CppBaseline]:
    """Build the C++ rasterizer of a folder, in a copy of it, and load it.

    Raises:
        FileNotFoundError: If the folder lacks a file.
        RuntimeError: If this machine can't run it, or it doesn't build.
    """
    for name in ("build.sh", "limit.py", "limit.cpp"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"limit must be a folder with {name}, got {str(folder)!r}")
    if not has_avx512():
        raise RuntimeError("this machine has no AVX-512, which the C++ rasterizer is written in")
    with tempfile.TemporaryDirectory() as copy:
        for name in ("build.sh", "limit.py", "limit.cpp"):
            shutil.copyfile(folder / name, Path(copy) / name)
        done = subprocess.run(
            ["bash", "build.sh"], cwd=copy, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"build.sh of {str(folder)!r} failed: {done.stderr.strip()}")
        scenes = folder / "scenes.py"
        yield CppBaseline(
            _load("limit", Path(copy) / "limit.py"),
            _load("limit_scenes", scenes) if scenes.is_file() else None,
        )


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} can't be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
