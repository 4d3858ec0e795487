"""What tests of the viewer look at, and how."""

import taichi_softras as sr
from taichi_softras.viewer import Orbit, ViewerState, draw_frame
from taichi_softras.viewer.state import ViewName

SIZE = 96
SOFT = sr.RasterizerSettings(height=1, width=1, sigma=1e-3, gamma=1e-2)
STATE = ViewerState(orbit=Orbit(distance=2.5), settings=SOFT)
VIEW_NAMES = ViewName.__args__


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def sphere():
    return sr.icosphere(1).normalized()


def frame(viewed, state, **options):
    return draw_frame(viewed, state, SIZE, SIZE, **options)


def rested(session, clock):
    clock.now += 10
    return session.picture(SIZE, SIZE)
