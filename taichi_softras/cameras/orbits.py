"""Cameras on spheres round the origin."""

import math
from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import array_like, is_array
from taichi_softras.arrays.calls import apply_kernel
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.cameras._attributes import as_numbers, of_finite
from taichi_softras.cameras.kernels.poses import (
    orbit_kernel,
)


def orbit_eyes(distance: Any, elevation_degrees: Any, azimuth_degrees: Any) -> Any:
    """Place cameras round the origin, anywhere on spheres.

    Args:
        distance: From the origin.
        elevation_degrees: Above the plane of x and z. Beyond 90 it goes on over the pole.
        azimuth_degrees: Round the y axis: 0 is on the z axis, 90 on the x axis.

    Each is a number, several, or an array (B or 1,), which may carry a gradient.

    Returns:
        (B, 3), in the world; a right-handed one, with y up. An array if one was given, else of
        NumPy.

    Raises:
        TypeError: If arrays are of several kinds or types.
        ValueError: If numbers are not finite, or if shapes don't fit.

    Examples:
        >>> orbit_eyes(2.0, 0.0, [0.0, 90.0]).round(6).tolist()
        [[0.0, 0.0, 2.0], [2.0, 0.0, 0.0]]
    """
    return _orbit(distance, elevation_degrees, azimuth_degrees, added_degrees=0.0)


def orbit_ups(elevation_degrees: Any, azimuth_degrees: Any) -> Any:
    """Give cameras of `orbit_eyes` that look at the origin their up direction.

    It is the direction in which the elevation grows: at right angles to the line of sight, even at
    the poles, where the y axis would not do.

    Args:
        elevation_degrees: As `orbit_eyes` takes it.
        azimuth_degrees: As `orbit_eyes` takes it.

    Returns:
        (B, 3), of length 1.

    Examples:
        >>> import taichi_softras as sr
        >>> eye, up = orbit_eyes(2.0, 90.0, 0.0), orbit_ups(90.0, 0.0)
        >>> sr.LookAtCamera(eye, up=up).eye.round(6).tolist()  # from straight above
        [[0.0, 2.0, 0.0]]
    """
    return _orbit(1.0, elevation_degrees, azimuth_degrees, added_degrees=90.0)


def _orbit(
    distance: Any, elevation_degrees: Any, azimuth_degrees: Any, added_degrees: float
) -> Any:
    values = {
        "distance": distance,
        "elevation_degrees": elevation_degrees,
        "azimuth_degrees": azimuth_degrees,
    }
    values = {
        name: value if is_array(value) else as_numbers(name, value, ())
        for name, value in values.items()
    }
    like = next(filter(is_array, values.values()), None)
    if like is None:
        distances, elevations, azimuths = np.broadcast_arrays(*values.values())
        elevations, azimuths = np.radians(elevations + added_degrees), np.radians(azimuths)
        flat = np.cos(elevations)
        places = [flat * np.sin(azimuths), np.sin(elevations), flat * np.cos(azimuths)]
        return distances[:, None] * np.stack(places, axis=1)
    arrays = {name: array_like(value, like) for name, value in values.items()}
    sizes = check_arrays(like, **{name: (array, "(B or 1,)") for name, array in arrays.items()})
    constants = (added_degrees, math.pi / 180)
    return apply_kernel(
        orbit_kernel,
        list(arrays.values()),
        (sizes["B"], 3),
        constants=constants,
        **of_finite(list(arrays.values())),
    )
