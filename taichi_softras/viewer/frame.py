"""From a state to the picture that a user sees. Needs no window: all front ends show these."""

import numpy as np
from PIL import Image

from taichi_softras.files.pictures import to_bytes
from taichi_softras.viewer.inspection import inspect
from taichi_softras.viewer.live_fit import LiveFit
from taichi_softras.viewer.overlays import ACCENT, CONTOUR, INK, Overlay
from taichi_softras.viewer.state import ViewerState
from taichi_softras.viewer.viewed_mesh import Shot, ViewedMesh
from taichi_softras.viewer.views import VIEWS, Picture, draw_gradient

ARROW = 0.12
"""Length of the longest gradient arrow, in world units: the mesh is 1 long."""


def draw_frame(
    viewed: ViewedMesh,
    state: ViewerState,
    height: int,
    width: int,
    *,
    divisor: int = 1,
    fit: LiveFit | None = None,
) -> np.ndarray:
    """Draw what a state says, with everything on top.

    Args:
        viewed: The mesh.
        state: How it is seen.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        divisor: What the height and the width of the view are divided by, to draw it sooner; what
            is on top is drawn in full.
        fit: The fit that moves the mesh, whose gradient and losses are shown.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: If the chosen face does not exist.
    """
    coarse = viewed.shot(state, -(-height // divisor), -(-width // divisor))
    gradient = None
    if fit is not None and state.view == "gradient":
        gradient = fit.gradient(state)
    if state.view == "gradient":
        picture = draw_gradient(coarse, gradient, fit.target if fit else None)
    else:
        picture = VIEWS[state.view](coarse)
    shot = coarse if divisor == 1 else viewed.shot(state, height, width)
    overlay = Overlay(_enlarged(to_bytes(picture.rgb), height, width))
    _draw_lines(overlay, shot, picture, gradient)
    if fit is not None:
        overlay.curve(fit.losses)
    overlay.caption(picture.caption, picture.legend)
    return overlay.rgb()


def _draw_lines(
    overlay: Overlay, shot: Shot, picture: Picture, gradient: np.ndarray | None
) -> None:
    state, faces = shot.state, shot.viewed.mesh.faces
    if state.wireframe:
        overlay.wireframe(shot.pixels, faces)
    if picture.outline is not None:
        size = shot.settings.height, shot.settings.width
        color = CONTOUR if gradient is None else INK
        overlay.contour(_enlarged(picture.outline.astype(np.uint8) * 255, *size) > 127, color)
    if state.view == "coverage" and state.face is not None:
        overlay.outline(shot.pixels, faces[state.face])
    if gradient is not None:
        lengths = np.linalg.norm(gradient, axis=1)
        scale = ARROW / max(float(lengths.max(initial=0)), 1e-30)
        tips = shot.pixels_of(shot.viewed.mesh.vertices - scale * gradient)
        overlay.arrows(shot.pixels, tips, lengths * scale / ARROW)
    fragments = inspect(shot)
    if fragments is not None:
        row, col = shot.pixel() or (0, 0)
        overlay.faces(shot.pixels, faces[fragments.faces], fragments.weight, ACCENT)
        overlay.cross(row, col)
        overlay.fragments(fragments, shot.background, row, col)


def _enlarged(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a picture of bytes."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
