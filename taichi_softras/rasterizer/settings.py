"""What a caller chooses: frozen, validated options."""

from dataclasses import dataclass

from taichi_softras.arrays.options import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_positive,
    keep_checked,
)
from taichi_softras.rasterizer.families import ALPHAS, COLORS, COVERAGES, INTERPOLATIONS

CULL = ("none", "back", "front")


@dataclass(frozen=True, kw_only=True)
class RasterizerSettings:
    """How faces become pixels.

    Attributes:
        height: Rows of the image, in pixels. At least 1.
        width: Columns of the image, in pixels. At least 1.
        near: Depth of the near plane, in world units along the view axis. Above 0.
        far: Depth of the far plane, in the same way. Above ``near``. Fragments with depths outside
            ``near`` to ``far`` are left out, of alpha and of colour alike.
        sigma: Softness of edges, in NDC units squared (half of the image's shorter side is 1).
            Above 0; to draw in float32, at least 2^-100.
        gamma: Softness of occlusion, in units of depth over ``far - near``. Above 0; to draw in
            float32, at least 2^-100.
        eps: Where the background stands in the softmax over depths: ``(far - depth) / (far -
            near)`` of a face that weighs as much as the background.
        coverage_cutoff: Coverage under which a face is skipped. Above 0, under 1/2; in float32 one
            under 1e-34 counts as that.
        perspective_correct: Whether colours are interpolated with 1/depth, as a camera sees a
            coloured plane, or affinely in the image, as SoftRas does.
        orthographic: Whether the camera's rays are parallel, so that colours and depths are both
            interpolated affinely. `render` asks the camera.
        interpolation: Of which point of a face depth and colour are where a pixel is outside it,
            and reached by its soft border alone: the "nearest" point of the face, which is on an
            edge; or, as in SoftRas, that of the pixel's own barycentric coordinates, "clipped" to
            [0, 1] and normalised, which is far from the pixel where a face is thin. A pixel inside
            sees its own point. The coverage does not change that point, nor it the coverage; with
            "hard" coverage no pixel outside a face sees it.
        coverage: How faces cover pixels: "euclidean" (by the squared distance to the border),
            "barycentric" (by the square of the smallest barycentric coordinate), "hard" (all or
            nothing), or the name of a `Coverage` that was registered.
        alpha: How the faces' coverages add up to alpha: "prod" (one minus the product of
            transparencies), "sum" (the mean over all faces), "hard" (1 where a face covers more
            than half of the pixel), or the name of an `Alpha` that was registered.
        color: How colours are chosen among faces: by a "softmax" over depth, or "hard", that of the
            nearest face at the pixel's centre.
        cull: Which faces are left out by their winding: "none", "back" faces, which are clockwise
            in the image, or "front" faces.
        cull_alpha: Whether those are left out of alpha too, or only of colours.
        supersampling: Rows and columns of samples in a pixel, which is their mean; 1 or more.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If a value is outside the range given for it.

    Examples:
        >>> from dataclasses import replace
        >>> settings = RasterizerSettings(height=64, width=96, near=1, far=5, sigma=1e-4)
        >>> replace(settings, sigma=1e-3).aspect
        1.5
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
    orthographic: bool = False
    interpolation: str = "nearest"
    coverage: str = "euclidean"
    alpha: str = "prod"
    color: str = "softmax"
    cull: str = "none"
    cull_alpha: bool = True
    supersampling: int = 1

    def __post_init__(self) -> None:
        keep_checked(self, ("height", "width", "supersampling"), check_integer, at_least=1)
        keep_checked(self, ("near", "far", "eps", "coverage_cutoff"), check_number)
        keep_checked(self, ("sigma", "gamma"), check_positive)
        keep_checked(self, ("perspective_correct", "orthographic", "cull_alpha"), check_flag)
        for name, choices in (
            ("interpolation", INTERPOLATIONS),
            ("coverage", tuple(COVERAGES)),
            ("alpha", tuple(ALPHAS)),
            ("color", COLORS),
            ("cull", CULL),
        ):
            check_choice(name, getattr(self, name), choices)
        if not 0 < self.near < self.far:
            raise ValueError(f"need 0 < near < far, got near={self.near}, far={self.far}")
        if not 0 < self.coverage_cutoff < 0.5:
            raise ValueError(f"coverage_cutoff must be in (0, 0.5), got {self.coverage_cutoff}")

    @property
    def aspect(self) -> float:
        """Width of the image over its height."""
        return self.width / self.height

    @property
    def cutoff(self) -> float:
        """Distance outside a face, in units of sigma, at which coverage falls to the cut-off."""
        return float(COVERAGES[self.coverage].cutoff(self.coverage_cutoff))
