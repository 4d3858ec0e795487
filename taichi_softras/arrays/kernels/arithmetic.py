"""Arithmetic on numbers, as Taichi functions that keep the precision of their arguments.

Every function takes its precision from its arguments, so one definition serves float32
rendering and float64 gradient checks. For that to hold no literal may bring a type of its own:
Taichi gives a bare ``0.5`` the precision chosen at ``ti.init``. Integers promote to the other
operand's type, so formulas are written with integers; but not in divisions, for which there is
`inverse`. The few constants that are not integers are cast to a ``dtype`` argument. They are
powers of two, exact in every type.
"""

from taichi_softras.arrays.launcher import func
from taichi_softras.backend import ti


@func
def inverse(x, dtype: ti.template()):
    """One over ``x``, in its own precision: an integer divided would bring that of ``ti.init``."""
    return ti.cast(1, dtype) / x


@func
def lesser(a, b):
    """The lesser of two numbers: a single instruction, as `ti.min`, which heeds NaN, is not."""
    return ti.select(b < a, b, a)


@func
def greater(a, b):
    """The greater of two numbers, as a single instruction too."""
    return ti.select(b > a, b, a)


@func
def clamp_to_one(x):
    """Clip a number to [0, 1]."""
    return lesser(greater(x, 0 * x), 0 * x + 1)


@func
def item_of(values: ti.template(), b):
    """Take the value of item ``b`` from an array of one value per item, or one for all."""
    return values[ti.min(b, values.shape[0] - 1)]


@func
def is_finite(x):
    """Tell whether ``x`` is a finite number, also under fast math."""
    return not (ti.math.isnan(x) or ti.math.isinf(x))


LARGEST_SQUARED_TWICE = {ti.f32: 2.0**30, ti.f64: 2.0**250}
"""Number beyond which a vertex counts as infinitely far: normals and distances take products of
two coordinates, and square those."""


@func
def is_workable(vector, dtype: ti.template()):
    """Tell whether three numbers are finite, and not too large for what is made of them."""
    largest = dtype(ti.static(LARGEST_SQUARED_TWICE[dtype]))  # a cast would go by way of float32
    return (
        is_finite(vector[0])
        and is_finite(vector[1])
        and is_finite(vector[2])
        and ti.abs(vector).max() < largest
    )
