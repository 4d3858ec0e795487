"""What a user does with the viewer, whatever the front end: change, click, fit, save, record."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from taichi_softras.arrays.options import check_integer
from taichi_softras.files.pictures import write_animation, write_picture
from taichi_softras.viewer.controls import Group, controls, get_value, with_value
from taichi_softras.viewer.frame import draw_frame
from taichi_softras.viewer.inspection import inspect
from taichi_softras.viewer.live_fit import LiveFit
from taichi_softras.viewer.pacing import Pacing
from taichi_softras.viewer.state import ViewerState
from taichi_softras.viewer.viewed_mesh import ViewedMesh

RECORDING_RATE = 12.0
"""Frames recorded a second."""

LONGEST_RECORDING = 600
"""Frames after which a recording ends by itself."""


class Session:
    """One user's look at a mesh.

    Args:
        viewed: The mesh.
        state: How it is seen at first, and after a reset.
        fit: The fit that moves it; None where there is nothing to fit it to.
        folder: Where pictures and recordings are saved.
        clock: Tells the time in seconds.
    """

    def __init__(
        self,
        viewed: ViewedMesh,
        state: ViewerState,
        *,
        fit: LiveFit | None = None,
        folder: Path = Path(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.viewed = viewed
        self.state = state
        self.fitting = False
        self.message = ""
        self._start = state
        self._fit = fit
        self._folder = folder
        self._clock = clock
        self._pacing = Pacing()
        self._drawn: tuple[Any, ...] = ()
        self._picture = np.zeros((1, 1, 3), dtype=np.uint8)
        self._recording: list[np.ndarray] = []
        self._suffix: str | None = None
        self._recorded = -np.inf

    def groups(self) -> tuple[Group, ...]:
        """List the controls."""
        return controls(self.viewed.mesh.num_faces, with_target=self._fit is not None)

    @property
    def recording(self) -> bool:
        """Whether pictures are being recorded."""
        return self._suffix is not None

    def get(self, name: str) -> Any:
        """Look up what a control shows."""
        return get_value(self.state, name)

    def set(self, name: str, value: Any) -> None:
        """Change what a control shows; what is refused is said, and changes nothing."""
        try:
            self.show(with_value(self.state, name, value))
        except (TypeError, ValueError) as error:
            self.message = str(error)

    def show(self, state: ViewerState) -> None:
        """Show another state, coarsely until things come to rest."""
        if state != self.state:
            self.state = state
            self.message = ""
            self._pacing.touch(self._clock())

    def act(self, name: str) -> None:
        """Do what an action is named for; what fails is said.

        Raises:
            ValueError: If there is no such action.
        """
        actions: dict[str, Callable[[], None]] = {
            "step": self.step,
            "toggle_fitting": self.toggle_fitting,
            "restart": self.restart,
            "reset": self.reset,
            "save_picture": self.save_picture,
            "record_gif": lambda: self.record(".gif"),
            "record_mp4": lambda: self.record(".mp4"),
        }
        if name not in actions:
            raise ValueError(f"action must be one of {sorted(actions)}, got {name!r}")
        try:
            actions[name]()
        except (OSError, ValueError, RuntimeError) as error:
            self.message = str(error)

    def click(self, x: float, y: float, size: tuple[int, int]) -> None:
        """Inspect a point of the picture, and choose the face that weighs most there.

        Args:
            x: From the left of the picture, 0 to 1.
            y: From its top, 0 to 1.
            size: Its height and width, in pixels.
        """
        if not (0 <= x <= 1 and 0 <= y <= 1):
            return
        state = replace(self.state, pixel=(x, y))
        fragments = inspect(self.viewed.shot(state, *size))
        if fragments is not None and len(fragments.faces):
            state = replace(state, face=int(fragments.faces[0]))
        self.show(state)

    def reset(self) -> None:
        """Go back to the state at first."""
        self.show(self._start)

    def step(self) -> None:
        """Fit the mesh a step closer to its target."""
        if self._fit is not None:
            self._fit.step(self.state)
            self.viewed.move(self._fit.vertices)
            self._drawn = ()

    def toggle_fitting(self) -> None:
        """Begin to fit the mesh, step after step, or stop."""
        self.fitting = self._fit is not None and not self.fitting

    def restart(self) -> None:
        """Put the mesh back to where it was before it was fitted."""
        if self._fit is not None:
            self._fit.restart()
            self.viewed.move(self._fit.vertices)
            self._drawn = ()

    def save_picture(self) -> None:
        """Write the last picture to a file of a name not taken yet."""
        path = self._free_path(".png")
        write_picture(path, self._picture)
        self.message = f"wrote {path}"

    def record(self, suffix: str) -> None:
        """Begin to record what is shown, or end it and write the file.

        Args:
            suffix: ``".gif"`` or ``".mp4"``.
        """
        if self._suffix is None:
            self._suffix, self._recording = suffix, []
            self._recorded = -np.inf
            self.message = "recording: press again to end"
            return
        frames, self._recording = self._recording, []
        path, self._suffix = self._free_path(self._suffix), None
        if frames:
            height, width = (side - side % 2 for side in frames[0].shape[:2])
            write_animation(path, [frame[:height, :width] for frame in frames], RECORDING_RATE)
            self.message = f"wrote {path}"

    def picture(self, height: int, width: int) -> np.ndarray:
        """Draw, unless nothing has changed since the last picture; fit a step if so asked.

        While things change it is drawn as coarsely as need be to be quick.

        Args:
            height: In pixels.
            width: In pixels.

        Returns:
            (H, W, 3) uint8; the same array as before if nothing has changed.
        """
        check_integer("height", height, at_least=1)
        check_integer("width", width, at_least=1)
        now = self._clock()
        if self.fitting:
            self.step()
            self._pacing.touch(now)
        divisor = self._pacing.divisor(now)
        drawn = (self.state, height, width, divisor)
        if drawn != self._drawn:
            start = time.perf_counter()
            self._picture = draw_frame(
                self.viewed, self.state, height, width, divisor=divisor, fit=self._fit
            )
            self._drawn = drawn
            self._pacing.note(now, divisor, time.perf_counter() - start)
        if self.recording and now - self._recorded >= 1 / RECORDING_RATE:
            self._record_frame(now)
        return self._picture

    def _record_frame(self, now: float) -> None:
        same_size = not self._recording or self._recording[0].shape == self._picture.shape
        if same_size:
            self._recording.append(self._picture)
        self._recorded = now
        if len(self._recording) >= LONGEST_RECORDING:
            self.act("record_gif" if self._suffix == ".gif" else "record_mp4")

    def _free_path(self, suffix: str) -> Path:
        number = 1
        while (path := self._folder / f"softras-{number:03}{suffix}").exists():
            number += 1
        return path
