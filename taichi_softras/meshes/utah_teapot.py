"""The Utah teapot, from the Bézier patches that Martin Newell published in 1975.

The tables are in Newell's frame: z up, the spout towards +x, and the bottom at z = 0. Rim, body,
lid and bottom are surfaces of revolution, so one quarter of each is enough, and of it a profile;
handle and spout are symmetric in y, so the half with y <= 0 is enough.
"""

import numpy as np
from numpy.typing import NDArray

from taichi_softras.arrays.options import check_integer
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.rows import group_rows

CERAMIC = (0.93, 0.86, 0.74)
TINT = (0.20, 0.50, 0.56)

# Each row is (radius, shoulder, height), for the four control points (radius, 0, height),
# (radius, -shoulder, height), (shoulder, -radius, height) and (0, -radius, height). Four rows
# are a patch. Profiles run such that the outside is on their left, with the axis on the left of
# the page.
PROFILES = {
    "rim": (
        (1.4, 0.784, 2.4),
        (1.3375, 0.749, 2.53125),
        (1.4375, 0.805, 2.53125),
        (1.5, 0.84, 2.4),
    ),
    "upper body": ((1.5, 0.84, 2.4), (1.75, 0.98, 1.875), (2, 1.12, 1.35), (2, 1.12, 0.9)),
    "lower body": ((2, 1.12, 0.9), (2, 1.12, 0.45), (1.5, 0.84, 0.225), (1.5, 0.84, 0.15)),
    "bottom": ((1.5, 0.84, 0.15), (1.5, 0.84, 0.075), (1.425, 0.798, 0), (0, 0, 0)),
    "knob": ((0, 0, 3.15), (0.8, 0.45, 3.15), (0, 0, 2.85), (0.2, 0.112, 2.7)),
    "lid": ((0.2, 0.112, 2.7), (0.4, 0.224, 2.55), (1.3, 0.728, 2.55), (1.3, 0.728, 2.4)),
}

# Each row is half a cross-section, from y = 0 to y = 0. Rows 0 to 3 are a patch, and 3 to 6.
TUBES = {
    "handle": (
        ((-1.6, 0, 2.025), (-1.6, -0.3, 2.025), (-1.5, -0.3, 2.25), (-1.5, 0, 2.25)),
        ((-2.3, 0, 2.025), (-2.3, -0.3, 2.025), (-2.5, -0.3, 2.25), (-2.5, 0, 2.25)),
        ((-2.7, 0, 2.025), (-2.7, -0.3, 2.025), (-3, -0.3, 2.25), (-3, 0, 2.25)),
        ((-2.7, 0, 1.8), (-2.7, -0.3, 1.8), (-3, -0.3, 1.8), (-3, 0, 1.8)),
        ((-2.7, 0, 1.575), (-2.7, -0.3, 1.575), (-3, -0.3, 1.35), (-3, 0, 1.35)),
        ((-2.5, 0, 1.125), (-2.5, -0.3, 1.125), (-2.65, -0.3, 0.9375), (-2.65, 0, 0.9375)),
        ((-2, 0, 0.9), (-2, -0.3, 0.9), (-1.9, -0.3, 0.6), (-1.9, 0, 0.6)),
    ),
    "spout": (
        ((1.7, 0, 1.425), (1.7, -0.66, 1.425), (1.7, -0.66, 0.6), (1.7, 0, 0.6)),
        ((2.6, 0, 1.425), (2.6, -0.66, 1.425), (3.1, -0.66, 0.825), (3.1, 0, 0.825)),
        ((2.3, 0, 2.1), (2.3, -0.25, 2.1), (2.4, -0.25, 2.025), (2.4, 0, 2.025)),
        ((2.7, 0, 2.4), (2.7, -0.25, 2.4), (3.3, -0.25, 2.4), (3.3, 0, 2.4)),
        ((2.8, 0, 2.475), (2.8, -0.25, 2.475), (3.525, -0.25, 2.49375), (3.525, 0, 2.49375)),
        ((2.9, 0, 2.475), (2.9, -0.15, 2.475), (3.45, -0.15, 2.5125), (3.45, 0, 2.5125)),
        ((2.8, 0, 2.4), (2.8, -0.15, 2.4), (3.2, -0.15, 2.4), (3.2, 0, 2.4)),
    ),
}

Points = NDArray[np.float64]


def teapot(segments: int = 8) -> Mesh:
    """Make the Utah teapot, in cream with a blue lid and rim.

    It is not closed: lid, handle and spout are open where they meet the body, which they do
    without sharing vertices with it, and the spout is open at its tip.

    Args:
        segments: Into how many each side of its 32 patches is cut. At least 2.

    Returns:
        The teapot in the unit box, y up, the spout towards +x, in float32.

    Raises:
        TypeError: If ``segments`` is no integer.
        ValueError: If it is too small.

    Examples:
        >>> teapot(segments=2).num_faces
        240

    Source:
        F. Crow, "The Origins of the Teapot", IEEE Computer Graphics and Applications 7(1),
        1987. As usual, it is the flattened pot, with the bottom that was added later.
    """
    segments = check_integer("segments", segments, at_least=2)
    grids = [(name, tessellate(patch, segments)) for name, patch in patches()]
    points = np.concatenate([grid.reshape(-1, 3) for _, grid in grids])
    first, kind = group_rows(points.round(9))  # neighbours differ by rounding along their seam
    faces = kind[grid_faces(segments, len(grids))]
    # A patch with a pole has one side of no length, and no triangle along it.
    is_degenerate = (faces == np.roll(faces, 1, axis=1)).any(axis=1)
    color_of = [TINT if name in ("rim", "knob", "lid") else CERAMIC for name, _ in grids]
    colors = np.repeat(color_of, (segments + 1) ** 2, axis=0)
    x, y, z = points[first].T
    upright = Mesh(np.column_stack((x, z, -y)), faces[~is_degenerate], colors[first]).normalized()
    return upright.with_vertices(upright.vertices.astype(np.float32))


def patches() -> list[tuple[str, Points]]:
    """List the 32 patches with the name of their part.

    Each is of shape (4, 4, 3), in Newell's frame; its second index runs to the right of the
    first as seen from outside, and so the cross product of the two directions, the second first,
    points outward.
    """
    found = []
    for name, profile in PROFILES.items():
        quarter = np.array(
            [[(r, 0, z), (r, -s, z), (s, -r, z), (0, -r, z)] for r, s, z in profile], float
        )
        for _ in range(4):
            found.append((name, quarter))
            x, y, z = np.moveaxis(quarter, -1, 0)
            quarter = np.stack((-y, x, z), axis=-1)  # by a quarter turn
    for name, sections in TUBES.items():
        for start in (0, 3):
            half = np.array(sections[start : start + 4], float)
            # The mirror turns the patch inside out, and reading its rows backwards turns it back.
            found += [(name, half), (name, (half * (1, -1, 1))[:, ::-1])]
    return found


def tessellate(patch: Points, segments: int) -> Points:
    """Evaluate a bicubic Bézier patch on a grid of (segments + 1, segments + 1) points."""
    t = np.linspace(0.0, 1.0, segments + 1)
    weights = np.stack(((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3), axis=1)
    grid: Points = np.einsum("ai,bj,ijk->abk", weights, weights, patch)
    return grid


def grid_faces(segments: int, num_grids: int = 1) -> NDArray[np.int64]:
    """Cut the cells of square grids of points, stored one after another, into triangles.

    Args:
        segments: Cells along each side.
        num_grids: How many grids there are.

    Returns:
        Indices, of shape (num_grids * segments**2 * 2, 3), counter-clockwise where the second
        index of a grid runs to the right and the first up.
    """
    index = np.arange(num_grids * (segments + 1) ** 2).reshape(
        num_grids, segments + 1, segments + 1
    )
    here, right = index[:, :-1, :-1], index[:, :-1, 1:]
    above, opposite = index[:, 1:, :-1], index[:, 1:, 1:]
    lower = np.stack((here, right, opposite), axis=-1)
    upper = np.stack((here, opposite, above), axis=-1)
    return np.stack((lower, upper), axis=-2).reshape(-1, 3)
