"""The viewer's controls, as data: every front end shows them by widgets of its own."""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, get_args

from taichi_softras.rasterizer.families import ALPHAS, COLORS, COVERAGES, INTERPOLATIONS
from taichi_softras.rasterizer.settings import CULL
from taichi_softras.viewer.state import ViewerState, ViewName


@dataclass(frozen=True)
class Slider:
    """A number between two others.

    Attributes:
        name: Field of the state, dotted: ``"orbit.fov"``.
        label: What the user reads.
        low: The least.
        high: The most.
        logarithmic: Whether equal steps are equal factors; ``low`` is then above 0.
        integer: Whether it is a whole number.
    """

    name: str
    label: str
    low: float
    high: float
    logarithmic: bool = False
    integer: bool = False

    def fraction(self, value: float | None) -> float:
        """Where a value is between the ends: 0 to 1."""
        if value is None or self.high <= self.low:
            return 0.0
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def value(self, fraction: float) -> float:
        """The value at a place between the ends."""
        fraction = min(max(fraction, 0.0), 1.0)
        if self.logarithmic:
            return self.low * math.exp(fraction * math.log(self.high / self.low))
        value = self.low + fraction * (self.high - self.low)
        return round(value) if self.integer else value

    def text(self, value: float | None) -> str:
        """Write a value as short as it makes sense."""
        if value is None:
            return "none"
        if self.integer:
            return str(value)
        return f"{value:.3g}" if 0.01 <= abs(value) < 1000 or not value else f"{value:.1e}"


@dataclass(frozen=True)
class Choice:
    """One of several words."""

    name: str
    label: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Toggle:
    """Yes or no."""

    name: str
    label: str


@dataclass(frozen=True)
class Action:
    """Something to do: ``name`` is a method of `Session`."""

    name: str
    label: str


Control = Slider | Choice | Toggle | Action


@dataclass(frozen=True)
class Group:
    """Controls that belong together."""

    title: str
    controls: tuple[Control, ...]


SLIDERS = (
    Slider("settings.sigma", "sigma", 1e-7, 1e-1, logarithmic=True),
    Slider("settings.gamma", "gamma", 1e-6, 1e0, logarithmic=True),
    Slider("settings.eps", "background", 1e-4, 1e1, logarithmic=True),
    Slider("settings.coverage_cutoff", "cut-off", 1e-8, 0.4, logarithmic=True),
    Slider("settings.supersampling", "samples", 1, 4, integer=True),
)
"""The rasterizer's numbers, but for those that fit the picture and the mesh."""

CHOICES: dict[str, Collection[str]] = {
    "coverage": COVERAGES,
    "alpha": ALPHAS,
    "color": COLORS,
    "cull": CULL,
    "interpolation": INTERPOLATIONS,
}
"""The rasterizer's words. Families may grow, so they are looked at when controls are listed."""

SWITCHES = {"perspective_correct": "perspective", "cull_alpha": "cull from alpha too"}
"""What the rasterizer's switches are called."""


def rasterizer_controls() -> tuple[Control, ...]:
    """Make controls of the rasterizer's options: numbers, then choices, then switches."""
    choices = (Choice(f"settings.{name}", name, tuple(words)) for name, words in CHOICES.items())
    switches = (Toggle(f"settings.{name}", label) for name, label in SWITCHES.items())
    return (*SLIDERS, *choices, *switches)


def controls(num_faces: int, *, with_target: bool) -> tuple[Group, ...]:
    """List the controls for a mesh.

    Args:
        num_faces: Of the mesh.
        with_target: Whether there is something to fit the mesh to.
    """
    fit = (
        Slider("smoothing", "smoothing", 0.0, 1.0),
        Action("step", "step"),
        Action("toggle_fitting", "fit"),
        Action("restart", "start over"),
    )
    views = (
        get_args(ViewName)
        if with_target
        else tuple(v for v in get_args(ViewName) if v != "gradient")
    )
    return (
        Group(
            "show",
            (
                Choice("view", "", views),
                Slider("face", "face", 0, max(num_faces - 1, 0), integer=True),
                Toggle("wireframe", "wireframe"),
                Toggle("blend", "blend by alpha"),
            ),
        ),
        Group("rasterizer", rasterizer_controls()),
        Group(
            "camera and light",
            (
                Slider("orbit.fov", "field of view", 5.0, 120.0),
                Slider("orbit.distance", "distance", 0.3, 10.0, logarithmic=True),
                Slider("lighting.ambient", "ambient", 0.0, 1.0),
                Slider("lighting.azimuth", "light, side", -180.0, 180.0),
                Slider("lighting.elevation", "light, height", -90.0, 90.0),
                Slider("background", "backdrop", 0.0, 1.0),
            ),
        ),
        *((Group("fit to the target", fit),) if with_target else ()),
        Group(
            "do",
            (
                Action("reset", "reset"),
                Action("save_picture", "save picture"),
                Action("record_gif", "record GIF"),
                Action("record_mp4", "record MP4"),
            ),
        ),
    )


def get_value(state: Any, name: str) -> Any:
    """Look a dotted field up."""
    for part in name.split("."):
        state = getattr(state, part)
    return state


def with_value(state: ViewerState, name: str, value: Any) -> ViewerState:
    """Replace a dotted field.

    Raises:
        TypeError: If the value is of the wrong type.
        ValueError: If it is out of range.
    """
    replaced: ViewerState = _with_value(state, name, value)
    return replaced


def _with_value(data: Any, name: str, value: Any) -> Any:
    first, _, rest = name.partition(".")
    if rest:
        value = _with_value(getattr(data, first), rest, value)
    return replace(data, **{first: value})
