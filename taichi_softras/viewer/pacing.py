"""How finely to draw: coarsely while things move, in full when they rest."""

import math

FRAME_SECONDS = 1 / 30
"""What a frame may take while things move."""

SHORT_REST, LONG_REST = 0.15, 1.0
"""Seconds without a change after which a picture is refined, and after which whatever it takes."""

REFINING_SECONDS = 0.3
"""What a picture may take after a short rest: for so long the viewer doesn't answer."""

WORTHWHILE = 0.75
"""Part of its time that a frame must take at most for it to be drawn more coarsely."""

COARSEST = 8
"""Largest divisor of the resolution."""


class Pacing:
    """Chooses by how much to divide the resolution, from how long frames took."""

    def __init__(self) -> None:
        self._touched = -math.inf
        self._divisor = 2
        self._full_seconds = 0.0
        self._seconds: dict[int, float] = {}

    def touch(self, now: float) -> None:
        """Note that something changed."""
        self._touched = now

    def divisor(self, now: float) -> int:
        """By how much to divide the resolution of a frame drawn now."""
        rest = now - self._touched
        if rest >= LONG_REST:
            return 1
        if rest >= SHORT_REST:
            return min(self._affordable(REFINING_SECONDS), self._divisor)
        return self._divisor

    def note(self, now: float, divisor: int, seconds: float) -> None:
        """Learn from how long a frame took."""
        if now - self._touched >= SHORT_REST:
            return
        before = self._seconds.get(divisor, seconds)
        if not before / 2 < seconds < 2 * before:
            self._seconds.clear()  # another view, say: what was learnt no longer holds
        self._seconds[divisor] = seconds
        # Cost goes with the number of pixels, but for the part that doesn't depend on it.
        self._full_seconds = seconds * divisor**2
        if seconds < FRAME_SECONDS / 2:
            self._divisor = max(divisor - 1, 1)
        elif seconds > FRAME_SECONDS:
            coarser = self._affordable(FRAME_SECONDS)
            # What costs little more than the quickest is drawn more finely: that it is too slow
            # either way is no reason to be coarse.
            tolerable = min(self._seconds.values()) / WORTHWHILE
            if self._seconds.get(coarser, 0) < WORTHWHILE * seconds:
                self._divisor = coarser
            elif self._seconds.get(divisor - 1, 0) < tolerable:
                self._divisor = max(divisor - 1, 1)

    def _affordable(self, seconds: float) -> int:
        return min(max(math.ceil(math.sqrt(self._full_seconds / seconds)), 1), COARSEST)
