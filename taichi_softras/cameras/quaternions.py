"""Rotations as quaternions w, x, y, z, and back: numbers of NumPy, or tensors."""

from typing import Any

from taichi_softras.arrays.bridge import is_tensor, namespace_of
from taichi_softras.cameras._numbers import Numbers, rows


def rotation_from_quaternion(quaternion: Any) -> Numbers:
    """Turn quaternions w, x, y, z, of any length but 0, (4,) or (B, 4), into (B, 3, 3).

    Gradients flow to tensors. One that is 0 gives NaN, and a camera that draws nothing.

    Raises:
        TypeError: If a tensor is of another type than float32 or float64.
        ValueError: If the shape is another; or if plain numbers are not finite, or all 0.

    Examples:
        >>> rotation_from_quaternion((0, 0, 0, 2)).tolist()  # half a turn about z
        [[[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]]
    """
    quaternion = rows("quaternion", quaternion, 4)
    xp = namespace_of(quaternion)
    lengths = xp.linalg.norm(quaternion, axis=1, keepdims=True)
    if not is_tensor(quaternion) and (lengths == 0).any():
        raise ValueError(f"quaternion must not be zero, got {quaternion.tolist()}")
    w, x, y, z = (quaternion / lengths).T
    matrix = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return xp.stack([xp.stack(row, -1) for row in matrix], -2)


def quaternion_from_rotation(rotation: Any) -> Numbers:
    """Turn rotations, (3, 3) or (B, 3, 3), into unit quaternions w, x, y, z, (B, 4), w >= 0.

    Gradients flow to tensors.

    Raises:
        TypeError: If a tensor is of another type than float32 or float64.
        ValueError: If the shape is another, or plain numbers are not finite.

    Examples:
        >>> quaternion_from_rotation([[-1, 0, 0], [0, -1, 0], [0, 0, 1]]).tolist()
        [[0.0, 0.0, 0.0, 1.0]]
    """
    rotation = rows("rotation", rotation, 3, 3)
    xp = namespace_of(rotation)
    a, b, c, d, e, f, g, h, i = rotation.reshape(-1, 9).T
    # Four times the outer product of the quaternion with itself. Every row is the quaternion times
    # one of its numbers: take the longest.
    products = [
        [1 + a + e + i, h - f, c - g, d - b],
        [h - f, 1 + a - e - i, b + d, c + g],
        [c - g, b + d, 1 - a + e - i, f + h],
        [d - b, c + g, f + h, 1 - a - e + i],
    ]
    longest, square = xp.stack(products[0], -1), products[0][0]
    for k in (1, 2, 3):
        longer = products[k][k] > square
        longest = xp.where(longer[:, None], xp.stack(products[k], -1), longest)
        square = xp.where(longer, products[k][k], square)
    unit = longest / xp.linalg.norm(longest, axis=1, keepdims=True)
    return xp.where(unit[:, :1] < 0, -unit, unit)
