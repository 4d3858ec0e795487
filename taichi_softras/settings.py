"""What a caller chooses: frozen, validated options."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RasterizerSettings:
    """How faces become pixels.

    Attributes:
        height: Rows of the image, in pixels. At least 1.
        width: Columns of the image, in pixels. At least 1.
        near: Depth of the near plane, in world units along the view axis. Above 0.
        far: Depth of the far plane, likewise. Above ``near``. Fragments whose depth is outside
            ``near`` to ``far`` are left out, of alpha and of colour alike.
        sigma: Softness of edges, in NDC units squared (half of the image's shorter side is 1).
            Above 0.
        gamma: Softness of occlusion, in units of depth over ``far - near``. Above 0.
        eps: Where the background stands in the softmax over depths: ``(far - depth) / (far -
            near)`` of a face that weighs as much as the background.
        coverage_cutoff: Coverage under which a face is skipped. Above 0, under 1/2; in float32 one
            under 1e-34 counts as that.
        perspective_correct: Whether colours are interpolated with 1/depth, as a camera sees a
            coloured plane, or affinely in the image, as SoftRas does.
        cull_backfaces: Whether faces turned away from the camera (clockwise in the image) are
            left out.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If a value is outside the range given for it.
    """

    height: int
    width: int
    near: float = 1.0
    far: float = 100.0
    sigma: float = 1e-5
    gamma: float = 1e-4
    eps: float = 1e-3
    coverage_cutoff: float = 1e-4
    perspective_correct: bool = True
    cull_backfaces: bool = False

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            check_integer(name, getattr(self, name), at_least=1)
        for name in ("near", "far", "sigma", "gamma", "eps", "coverage_cutoff"):
            check_number(name, getattr(self, name))
        for name in ("perspective_correct", "cull_backfaces"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")
        if not 0 < self.near < self.far:
            raise ValueError(f"need 0 < near < far, got near={self.near}, far={self.far}")
        if not 0 < self.coverage_cutoff < 0.5:
            raise ValueError(f"coverage_cutoff must be in (0, 0.5), got {self.coverage_cutoff}")
        for name in ("sigma", "gamma"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")

    @property
    def aspect(self) -> float:
        """Width of the image over its height."""
        return self.width / self.height

    @property
    def cutoff_logit(self) -> float:
        """Distance, squared and in units of sigma, at which coverage falls to the cut-off."""
        return math.log(1 / self.coverage_cutoff - 1)


def check_integer(name: str, value: object, *, at_least: int) -> None:
    """Refuse what is not an integer of at least ``at_least``.

    Raises:
        TypeError: If ``value`` is not an integer.
        ValueError: If it is too small.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value}")


def check_number(name: str, value: object) -> None:
    """Refuse what is not a finite number.

    Raises:
        TypeError: If ``value`` is not a number.
        ValueError: If it is infinite or not a number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
