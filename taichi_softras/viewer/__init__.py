"""A window on soft coverage: what the rasterizer makes of a mesh, and why.

State and drawing need no window: `state` and `session` say what is shown, `draw_frame` shows it.
`window` and `web` put it before a user, on this machine or in a browser. Taichi only.
"""

from taichi_softras.viewer.frame import draw_frame as draw_frame
from taichi_softras.viewer.live_fit import LiveFit as LiveFit
from taichi_softras.viewer.session import Session as Session
from taichi_softras.viewer.state import Orbit as Orbit
from taichi_softras.viewer.state import ViewerState as ViewerState
from taichi_softras.viewer.viewed_mesh import ViewedMesh as ViewedMesh
from taichi_softras.viewer.web import serve as serve
from taichi_softras.viewer.window import open_window as open_window
