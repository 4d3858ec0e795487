"""What `softras bench` compares with: other ways to draw the same, in the same process.

Needs PyTorch. Each is drawn in turn with ours, as a PyTorch user calls ours: tensors in, the loss
the sum of the image times a fixed gradient, gradients to corners and colours.
"""

import importlib.util
import math
import shutil
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from taichi.lang import impl

from taichi_softras import reference
from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.cli.measure import Case, draw, interleave
from taichi_softras.rasterizer.settings import RasterizerSettings

NUM_VIEWS = 16
"""Views that cases of one view take in turn, so that no branch predictor learns the image."""

Inputs = tuple[torch.Tensor, torch.Tensor]
"""Corners (B, F, 3, 3) and colours (B, F, 3, 3) of faces."""

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
    """

    case: Case
    ours: list[tuple[float, float]]
    other: list[tuple[float, float]]
    difference: float


class Anchor(ABC):
    """Another way to draw. Subclasses draw, and say which settings of ours give their images."""

    settings: dict[str, Any] = {}  # noqa: RUF012 - never written to

    def inputs(self, case: Case) -> list[Inputs]:
        """Make what is drawn: one batch, or several of one view."""
        ensure_running("cpu")
        views = NUM_VIEWS if case.views == 1 else case.views
        several = Case(**{**vars(case), "views": views})
        corners, colors = (torch.tensor(array) for array in several.face_arrays())
        return split_views(case, corners, colors.expand(views, -1, -1, -1).contiguous())

    @abstractmethod
    def make_step(self, case: Case, inputs: list[Inputs], images: list[torch.Tensor]) -> Step:
        """Prepare to draw; the step puts the image of view 0 into ``images``."""

    def compare(self, case: Case, runs: int) -> Comparison:
        """Draw a case by ours and the other in turn."""
        inputs = self.inputs(case)
        settings = case.settings(**self.settings)
        images: list[list[torch.Tensor]] = [[], []]
        steps = (
            our_step(case, settings, inputs, images[0]),
            self.make_step(case, inputs, images[1]),
        )
        ours, other = interleave(runs, *steps)
        difference = float((images[0][0] - images[1][0]).abs().mean())
        return Comparison(case=case, ours=ours, other=other, difference=difference)


def split_views(case: Case, corners: torch.Tensor, colors: torch.Tensor) -> list[Inputs]:
    """Make batches of one view each of what a case of one view takes in turn."""
    if case.views > 1:
        return [(corners, colors)]
    return [(corners[i : i + 1].clone(), colors[i : i + 1].clone()) for i in range(len(corners))]


def fixed_gradient(case: Case) -> torch.Tensor:
    """Make the derivative of the loss by the image, (B, H, W, 4) or (B, H, W)."""
    shape = (case.views, case.size, case.size, *(() if case.silhouette else (4,)))
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) - 0.5


def timed_step(
    case: Case,
    inputs: list[Inputs],
    images: list[torch.Tensor],
    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> Step:
    """Time an image and its gradients by autograd."""
    gradient = fixed_gradient(case)

    def step(i: int) -> tuple[float, float]:
        corners, colors = (x.requires_grad_() for x in inputs[i % len(inputs)])
        corners.grad = colors.grad = None
        start = time.perf_counter()
        image = function(corners, colors)
        drawn = time.perf_counter()
        (image * gradient).sum().backward()  # type: ignore[no-untyped-call]
        done = time.perf_counter()
        if not images:
            images.append(image.detach().clone())
        return drawn - start, done - drawn

    return step


def our_step(
    case: Case, settings: RasterizerSettings, inputs: list[Inputs], images: list[torch.Tensor]
) -> Step:
    """Prepare to draw by this package."""

    def function(corners: torch.Tensor, colors: torch.Tensor) -> torch.Tensor:
        image: torch.Tensor = draw(corners, colors, settings, silhouette=case.silhouette)
        return image

    return timed_step(case, inputs, images, function)


class Limit(Anchor):
    """A rasterizer of the same formulas in C++, from a folder: `limit.py` and ``build.sh``.

    Its colours are affine, and its background weighs exp(2 eps / gamma); ours is told to do the
    same. It is given its buffers once.
    """

    settings = {"perspective_correct": False, "eps": 2e-3}  # noqa: RUF012 - never written to

    def __init__(self, limit: ModuleType, scenes: ModuleType | None) -> None:
        self._limit = limit
        self._scenes = scenes

    def inputs(self, case: Case) -> list[Inputs]:
        """Take the folder's own scene if it has one, else ours."""
        ensure_running("cpu")  # before the C++ is called: see `make_step`
        make = getattr(self._scenes, {"torus": "spot", "sphere": "sphere"}[case.mesh], None)
        if make is None:
            return super().inputs(case)
        return split_views(case, *make(NUM_VIEWS if case.views == 1 else case.views))

    def make_step(self, case: Case, inputs: list[Inputs], images: list[torch.Tensor]) -> Step:
        """See `Anchor.make_step`."""
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
def built_limit(folder: Path) -> Iterator[Limit]:
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
        yield Limit(
            _load("limit", Path(copy) / "limit.py"),
            _load("limit_scenes", scenes) if scenes.is_file() else None,
        )


def has_avx512() -> bool:
    """Tell whether this machine's processor has AVX-512, as far as Linux says."""
    return processor_has("avx512f")


def processor_has(feature: str) -> bool:
    """Tell whether this machine's processor has a feature, by the name that Linux gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and f" {feature} " in cpuinfo.read_text()


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} can't be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Dense(Anchor):
    """The formulas in PyTorch, every face at every pixel, differentiated by autograd."""

    settings = {"perspective_correct": False}  # noqa: RUF012 - never written to

    def make_step(self, case: Case, inputs: list[Inputs], images: list[torch.Tensor]) -> Step:
        """See `Anchor.make_step`."""
        settings = case.settings(**self.settings)

        def function(corners: torch.Tensor, colors: torch.Tensor) -> torch.Tensor:
            if case.silhouette:
                return reference.rasterize_silhouette(corners, settings)
            return reference.rasterize(corners, colors, settings)

        return timed_step(case, inputs, images, function)


class PyTorch3D(Anchor):
    """PyTorch3D's rasterizer and softmax blending, of its 50 nearest faces per pixel.

    Its distances and its softmax are those of SoftRas too, but it drops farther faces, and its
    background has another weight: the images agree roughly.
    """

    settings = {"perspective_correct": False}  # noqa: RUF012 - never written to
    faces_per_pixel = 50

    def __init__(self) -> None:
        if importlib.util.find_spec("pytorch3d") is None:
            raise RuntimeError("pytorch3d can't be imported: it isn't installed here")

    def make_step(self, case: Case, inputs: list[Inputs], images: list[torch.Tensor]) -> Step:
        """See `Anchor.make_step`."""
        from pytorch3d.ops import interpolate_face_attributes
        from pytorch3d.renderer.blending import BlendParams, sigmoid_alpha_blend, softmax_rgb_blend
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
        from pytorch3d.renderer.mesh.rasterizer import Fragments
        from pytorch3d.structures import Meshes

        settings = case.settings(**self.settings)
        blend = BlendParams(
            sigma=settings.sigma, gamma=settings.gamma, background_color=(0.0, 0.0, 0.0)
        )
        mirror = torch.tensor([-1.0, 1.0, 1.0])  # x is left there
        radius = settings.sigma * math.log(1 / settings.coverage_cutoff - 1)

        def function(corners: torch.Tensor, colors: torch.Tensor) -> torch.Tensor:
            num_items, num_faces = corners.shape[:2]
            faces = torch.arange(3 * num_faces).reshape(1, -1, 3).expand(num_items, -1, -1)
            meshes = Meshes((corners * mirror).flatten(1, 2), faces)
            found = rasterize_meshes(
                meshes, case.size, radius, self.faces_per_pixel, clip_barycentric_coords=True
            )
            fragments = Fragments(
                pix_to_face=found[0], zbuf=found[1], bary_coords=found[2], dists=found[3]
            )
            if case.silhouette:
                image = sigmoid_alpha_blend(torch.ones(*found[0].shape, 3), fragments, blend)
                return image[..., 3]  # type: ignore[no-any-return]
            texels = interpolate_face_attributes(found[0], found[2], colors.flatten(0, 1))
            planes = {"znear": settings.near, "zfar": settings.far}
            return softmax_rgb_blend(texels, fragments, blend, **planes)  # type: ignore[no-any-return]

        return timed_step(case, inputs, images, function)
