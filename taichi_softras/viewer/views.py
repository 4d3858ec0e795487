"""One function for each view: from a shot to a picture, and what its colours mean."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from taichi_softras.files.pictures import composite
from taichi_softras.rasterizer.inspection import face_coverage, summarize_fragments
from taichi_softras.rasterizer.rasterization import rasterize, rasterize_silhouette
from taichi_softras.rasterizer.settings import RasterizerSettings
from taichi_softras.viewer.colormaps import colored
from taichi_softras.viewer.viewed_mesh import Shot, ViewedMesh


@dataclass(frozen=True)
class Legend:
    """What colours mean.

    Attributes:
        colormap: Name of the table.
        low: What its first colour stands for.
        high: What its last does.
    """

    colormap: str
    low: str
    high: str


@dataclass(frozen=True, eq=False)
class Picture:
    """A view of a shot.

    Attributes:
        rgb: (H, W, 3), 0 to 1.
        caption: What it shows, in a line.
        legend: What its colours mean, if they stand for numbers.
        outline: Where to draw a contour, (H, W) bool: between True and False.
    """

    rgb: np.ndarray
    caption: str
    legend: Legend | None = None
    outline: np.ndarray | None = None


def draw_color(shot: Shot) -> Picture:
    """Draw the colours that the rasterizer mixes."""
    if not shot.state.blend:
        return Picture(shot.color_image()[..., :3], "colour, as the softmax mixes it")
    return Picture(composite(shot.color_image(), shot.background), "colour, blended by alpha")


def draw_silhouette(shot: Shot) -> Picture:
    """Draw alpha."""
    alpha = rasterize_silhouette(shot.face_vertices, shot.settings).to_numpy()[0]
    return Picture(np.repeat(alpha[..., None], 3, axis=2), "silhouette: 1 - product of (1 - D)")


def draw_depth(shot: Shot) -> Picture:
    """Draw the mean depth of the faces, weighted as their colours are."""
    # Interpolated with 1/depth, depth itself comes out as the rasterizer computes it.
    settings = replace(shot.settings, perspective_correct=True)
    depths = shot.corner_values(shot.projected.to_numpy()[0, :, 2:])
    image = rasterize(shot.face_vertices, depths, settings, background=settings.far)
    image = image.to_numpy()[0]
    nearness = (settings.far - image[..., 0]) / (settings.far - settings.near)
    rgb = _over_dark(colored("viridis", nearness), image[..., 1])
    legend = Legend("viridis", f"{settings.far:.2f}", f"{settings.near:.2f}")
    return Picture(rgb, "depth: mean under the softmax", legend)


def draw_normals(shot: Shot) -> Picture:
    """Draw normals in the view frame: red to the right, green up, blue towards the camera."""
    right, up, forward = shot.state.orbit.axes()
    normals = shot.normals.to_numpy()[0] @ np.stack([right, up, -forward], axis=1)
    colors = shot.corner_values((normals + 1) / 2)
    image = rasterize(shot.face_vertices, colors, shot.settings, background=0.5)
    image = image.to_numpy()[0]
    caption = "normals: red right, green up, blue towards you"
    return Picture(_over_dark(image[..., :3], image[..., 3]), caption)


def draw_coverage(shot: Shot) -> Picture:
    """Draw D of the chosen face, over the mesh's silhouette, and where it is cut off."""
    alpha = rasterize_silhouette(shot.face_vertices, shot.settings).to_numpy()[0]
    if shot.state.face is None:
        rgb = _over_dark(np.full((*alpha.shape, 3), 0.25), alpha)
        return Picture(rgb, "coverage of one face: click on the mesh to choose it")
    cover = face_coverage(shot.face_vertices, shot.state.face, shot.settings).to_numpy()[0]
    rgb = _over_dark(np.full((*alpha.shape, 3), 0.25), alpha)
    shown = cover > 0
    rgb[shown] = np.maximum(rgb[shown], colored("inferno", cover[shown]))
    caption = (
        f"D of face {shot.state.face}, at most {cover.max():.3g}; "
        f"cut off at {shot.settings.coverage_cutoff:g}"
    )
    return Picture(rgb, caption, Legend("inferno", "0", "1"), outline=shown)


def draw_faces(shot: Shot) -> Picture:
    """Draw how many faces weigh in at each pixel."""
    summary = summarize_fragments(shot.face_vertices, shot.settings)
    count = summary.num_faces.to_numpy()[0]
    most = max(int(count.max()), 1)
    mean = count[count > 0].mean() if count.any() else 0.0
    caption = f"faces per pixel; where there are any, {mean:.1f} in the mean"
    return Picture(colored("magma", count / most), caption, Legend("magma", "0", str(most)))


def draw_front(shot: Shot) -> Picture:
    """Draw the softmax weight of the nearest face."""
    summary = summarize_fragments(shot.face_vertices, shot.settings)
    reached = (summary.num_faces.to_numpy()[0] > 0).astype(np.float32)
    rgb = _over_dark(colored("viridis", summary.front_weight.to_numpy()[0]), reached)
    return Picture(rgb, "weight of the front-most face", Legend("viridis", "0", "1"))


def draw_difference(shot: Shot) -> Picture:
    """Draw what softness changes: the blended picture less that of a hard rasterizer."""
    hard = replace(shot, settings=hard_settings(shot))
    soft_rgb, hard_rgb = (composite(s.color_image(), s.background) for s in (shot, hard))
    difference = (soft_rgb - hard_rgb).mean(axis=2)
    most = max(float(np.abs(difference).max()), 1e-6)
    legend = Legend("RdBu_r", f"{-most:.2g}", f"+{most:.2g}")
    rgb = colored("RdBu_r", difference / most / 2 + 0.5)
    return Picture(rgb, "brightness: soft minus hard", legend)


def draw_gradient(
    shot: Shot, gradient: np.ndarray | None, target: ViewedMesh | None = None
) -> Picture:
    """Draw how long the derivative of the loss with respect to each vertex is.

    Args:
        shot: What is seen.
        gradient: (V, 3); None without a target.
        target: The mesh that is wanted, to be outlined.
    """
    if gradient is None:
        alpha = rasterize_silhouette(shot.face_vertices, shot.settings).to_numpy()[0]
        rgb = _over_dark(np.full((*alpha.shape, 3), 0.25), alpha)
        return Picture(rgb, "gradient: there is no target to fit the mesh to")
    length = np.linalg.norm(gradient, axis=1)
    most = max(float(length.max(initial=0)), 1e-30)
    colors = shot.corner_values(colored("inferno", 0.12 + 0.88 * length / most))
    image = rasterize(shot.face_vertices, colors, shot.settings, background=0.05)
    image = image.to_numpy()[0]
    rgb = _over_dark(image[..., :3], image[..., 3])
    legend = Legend("inferno", "0", f"{most:.2g}")
    if target is None:
        return Picture(rgb, "|dL/dv|; arrows: the way down", legend)
    wanted = target.shot(replace(shot.state, face=None), *rgb.shape[:2])
    alpha = rasterize_silhouette(wanted.face_vertices, wanted.settings).to_numpy()[0]
    caption = "|dL/dv|; arrows: the way down; outline: the target"
    return Picture(rgb, caption, legend, outline=alpha > 0.5)


VIEWS: dict[str, Callable[[Shot], Picture]] = {
    "color": draw_color,
    "silhouette": draw_silhouette,
    "depth": draw_depth,
    "normals": draw_normals,
    "coverage": draw_coverage,
    "faces": draw_faces,
    "front": draw_front,
    "difference": draw_difference,
}
"""All views but that of the gradient, which needs one."""


def hard_settings(shot: Shot) -> RasterizerSettings:
    """Make a shot's settings those of a rasterizer without softness."""
    return replace(shot.settings, coverage="hard", alpha="prod", color="hard")


def _over_dark(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Lay colours that stand for numbers over a dark ground."""
    return np.asarray(0.05 + (rgb - 0.05) * alpha[..., None])
