"""Shape from silhouettes: a mesh moves until it covers what masks say, seen by their cameras."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import FLOATS, dtype_of, is_array, is_tensor
from taichi_softras.arrays.operator import Array
from taichi_softras.arrays.options import check_integer, check_number, keep_checked
from taichi_softras.cameras.camera import Camera
from taichi_softras.cameras.depths import depth_range
from taichi_softras.cameras.selection import count_cameras, select_cameras
from taichi_softras.fitting.descent import start_descent
from taichi_softras.fitting.schedules import GeometricDecay, anneal
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.remeshing import remesh
from taichi_softras.meshes.subdivision import subdivide
from taichi_softras.rasterizer.settings import RasterizerSettings

FINEST_FROM = 0.4
"""Share of the steps after which the mesh is as fine as it gets."""

LAST_RATE = 0.1
"""Length of the last step, as a share of the first's: with long ones to the end the surface stays
rough."""

FIRST_ROUNDS, LATER_ROUNDS = 5, 2
"""Of `remesh`: from a mesh of any kind of faces, and from one that was remeshed before."""

LEEWAY = 10.0
"""How much nearer and farther than the mesh at first the near and far planes are, as a factor.

The mesh may come nearer or go away. Silhouettes don't depend on the planes otherwise.
"""


@dataclass(frozen=True, kw_only=True)
class SilhouetteFitOptions:
    """How a mesh is fitted to silhouettes.

    Attributes:
        steps: Steps of the optimiser, Adam. At least 1.
        batch: How many silhouettes are compared at a step, in turn; by default all. At least 1.
        refinements: How often each face is cut in four along the way, from coarse to fine. At
            least 0.
        learning_rate: Length of the first step, in world units; it falls evenly to a tenth. Above
            0. The default suits meshes that are about 1 across.
        sigma: Softness of edges. Above 0.
        final_sigma: Softness of edges at the end, if it is to change on the way. Above 0.
        laplacian: Weight of the Laplacian loss, which keeps vertices evenly spread. At least 0.
        flattening: Weight of the flattening loss, which keeps faces from folding. At least 0.
        smoothness: Of `LargeSteps`, by way of which vertices are moved: a step then moves whole
            regions. At least 0; with 0 each vertex is moved by itself.
        remeshings: How often the mesh is remeshed along the way, from coarse to fine, the first
            time at the start. At least 0; ``refinements`` must be 0 then.
        coarsest: Length of edges after the first remeshing, in world units. Above 0.
        finest: Their length after the last. Above 0.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If a value is outside the range given for it, or the mesh would be both cut and
            remeshed.

    Examples:
        >>> options = SilhouetteFitOptions(steps=100, sigma=1e-3, final_sigma=1e-5, refinements=2)
        >>> options.refinement_steps  # before these, faces are cut in four
        (20, 40)
    """

    steps: int = 250
    batch: int | None = None
    refinements: int = 0
    learning_rate: float = 0.01
    sigma: float = 1e-4
    final_sigma: float | None = None
    laplacian: float = 0.03
    flattening: float = 3e-4
    smoothness: float = 0.0
    remeshings: int = 0
    coarsest: float = 0.08
    finest: float = 0.02

    def __post_init__(self) -> None:
        at_least_one = ("steps",) if self.batch is None else ("steps", "batch")
        above_zero: tuple[str, ...] = ("learning_rate", "sigma", "coarsest", "finest")
        above_zero += ("final_sigma",) * (self.final_sigma is not None)
        weights = ("laplacian", "flattening", "smoothness")
        keep_checked(self, at_least_one, check_integer, at_least=1)
        keep_checked(self, ("refinements", "remeshings"), check_integer, at_least=0)
        keep_checked(self, (*above_zero, *weights), check_number)
        for name in above_zero:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in weights:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.refinements and self.remeshings:
            raise ValueError(
                f"refinements must be 0 where a mesh is remeshed, got {self.refinements}"
            )

    @property
    def sigma_schedule(self) -> GeometricDecay:
        """Softness of edges from step to step."""
        final = self.sigma if self.final_sigma is None else self.final_sigma
        return GeometricDecay(self.sigma, final, self.steps)

    @property
    def refinement_steps(self) -> tuple[int, ...]:
        """Steps before which faces are cut: spread evenly over the first part of all steps."""
        last = FINEST_FROM * self.steps
        return tuple(round(last * (k + 1) / self.refinements) for k in range(self.refinements))

    @property
    def remeshing_lengths(self) -> dict[int, float]:
        """Steps before which the mesh is remeshed, spread evenly, and the lengths of edges then."""
        count = self.remeshings
        return {
            self.steps * k // count: GeometricDecay(self.coarsest, self.finest, max(count - 1, 1))(
                k if count > 1 else 1
            )
            for k in range(count)
        }


def fit_silhouettes(
    mesh: Mesh,
    masks: Any,
    camera: Camera,
    options: SilhouetteFitOptions = SilhouetteFitOptions(),
    *,
    on_step: Callable[[Mesh], None] | None = None,
) -> tuple[Mesh, list[float]]:
    """Move a mesh's vertices, finer and finer, until its silhouettes are those wanted.

    The loss is `silhouette_loss` plus, weighted, `laplacian_loss` and `flattening_loss`; Adam goes
    down it.

    Args:
        mesh: The mesh to move, such as `icosphere`'s, or `visual_hull`'s. It keeps its topology: a
            sphere gets no holes.
        masks: The silhouettes wanted, (B, H, W), from 0 (outside) to 1 (inside). NumPy or a Taichi
            ndarray, to fit in Taichi alone, in float32; or a PyTorch tensor, to fit by autograd, on
            its device and in its type, float32 or float64. The steps are the same but for rounding.
        camera: B cameras, of any kind, that the masks are seen from.
        options: How.
        on_step: Called after each step, with the mesh as it then is.

    Returns:
        The moved mesh, and the loss before each step.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If masks are of another shape, there are not as many as cameras, the mesh has no
            faces, or it is behind the cameras.

    Examples:
        >>> import taichi_softras as sr
        >>> target = sr.cube()
        >>> camera = sr.surround_mesh(target, 4)
        >>> settings = sr.RasterizerSettings(height=16, width=16)
        >>> masks = sr.render_silhouette(*target.to_taichi()[:2], camera, settings)
        >>> options = SilhouetteFitOptions(steps=20)
        >>> fitted, losses = fit_silhouettes(sr.icosphere(1), masks, camera, options)
        >>> losses[-1] < losses[0]
        True
    """
    if mesh.num_faces == 0:
        raise ValueError("the mesh to fit must have faces, got none")
    masks = check_masks(masks)
    settings = fitting_settings(mesh, masks, camera)
    num_views = int(masks.shape[0])
    sigma, batches = options.sigma_schedule, view_batches(num_views, options.batch)
    descent = start_descent(mesh, masks, options.smoothness)
    losses = []
    for step in range(options.steps):
        finer = _finer(mesh.with_vertices(descent.vertices), options, step)
        if finer is not None:
            mesh = finer
            descent = start_descent(mesh, masks, options.smoothness)
        views = next(batches)
        loss = descent.measure(
            camera if views is None else select_cameras(camera, views),
            anneal(settings, step, sigma=sigma),
            laplacian=options.laplacian,
            flattening=options.flattening,
            views=views,
        )
        losses.append(loss)
        falling = 1 - (1 - LAST_RATE) * step / options.steps
        descent.step(options.learning_rate * falling)
        if on_step is not None:
            on_step(mesh.with_vertices(descent.vertices))
    return mesh.with_vertices(descent.vertices), losses


def _finer(mesh: Mesh, options: SilhouetteFitOptions, step: int) -> Mesh | None:
    """Cut a mesh's faces, or remesh it, if that is to be done before a step."""
    length = options.remeshing_lengths.get(step)
    if length is not None:
        return remesh(mesh, length, rounds=FIRST_ROUNDS if step == 0 else LATER_ROUNDS)
    cuts = options.refinement_steps.count(step)
    for _ in range(cuts):
        mesh = subdivide(mesh)
    return mesh if cuts else None


def check_masks(masks: Any) -> Any:
    """Refuse what are no masks; make NumPy's of lists.

    Raises:
        TypeError: If arrays are of the wrong type.
        ValueError: If they are not (B, H, W).
    """
    if not is_array(masks):
        masks = np.asarray(masks)
        if not (np.issubdtype(masks.dtype, np.number) or masks.dtype == bool):
            raise TypeError(f"masks must be numbers, got {masks.dtype}")
    elif dtype_of(masks) not in FLOATS:
        raise TypeError(f"masks must be float32 or float64, got {masks.dtype}")
    if len(masks.shape) != 3 or 0 in masks.shape:
        raise ValueError(f"masks must have shape (B, H, W), got {tuple(masks.shape)}")
    return masks


def fitting_settings(mesh: Mesh, masks: Any, camera: Camera) -> RasterizerSettings:
    """Make settings in which a mesh can be fitted to masks without reaching near or far.

    Raises:
        ValueError: If there are not as many masks as cameras, or the mesh is behind them.
    """
    num_views, height, width = (int(size) for size in masks.shape)
    vertices = _vertices_like(mesh, masks)
    num_cameras = count_cameras(camera, vertices, width / height)
    if num_cameras != num_views:
        raise ValueError(
            f"there must be as many masks as cameras, got {num_views} masks and "
            f"{num_cameras} cameras"
        )
    near, far = depth_range(vertices, camera)
    return RasterizerSettings(height=height, width=width, near=near / LEEWAY, far=far * LEEWAY)


def view_batches(num_views: int, batch: int | None, seed: int = 0) -> Iterator[np.ndarray | None]:
    """Choose views for step after step: all, or so many, in turns whose order is random.

    Yields:
        Their numbers, ascending; None for all.
    """
    if batch is None or batch >= num_views:
        while True:
            yield None
    rng = np.random.default_rng(seed)
    left = rng.permutation(num_views)
    while True:
        if len(left) < batch:
            left = np.concatenate([left, rng.permutation(num_views)])
        yield np.sort(left[:batch])
        left = left[batch:]


def _vertices_like(mesh: Mesh, masks: Any) -> Array:
    if is_tensor(masks):
        return mesh.to_torch(masks.device, masks.dtype)[0]
    return mesh.to_taichi()[0]
