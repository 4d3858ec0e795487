"""SoftRas's own interface, for programs that were written for its package ``soft_renderer``.

Change their import, and they run::

    import taichi_softras.soft_renderer as sr

or leave them as they are, and let their import find this package::

    import sys
    import taichi_softras.soft_renderer

    sys.modules["soft_renderer"] = taichi_softras.soft_renderer

Names, arguments, defaults and images are SoftRas's: (B, 4, H, W), left-handed worlds, affine
colours, the background counted twice. Gradients are exact, which its own are not. Needs PyTorch.
``docs/migration.md`` says what differs, and what to write instead in a new program.
"""

from taichi_softras.arrays.uncompiled import leave_uncompiled as _leave_uncompiled
from taichi_softras.soft_renderer import functional as functional
from taichi_softras.soft_renderer.lighting import AmbientLighting as AmbientLighting
from taichi_softras.soft_renderer.lighting import DirectionalLighting as DirectionalLighting
from taichi_softras.soft_renderer.lighting import Lighting as Lighting
from taichi_softras.soft_renderer.losses import FlattenLoss as FlattenLoss
from taichi_softras.soft_renderer.losses import LaplacianLoss as LaplacianLoss
from taichi_softras.soft_renderer.mesh import Mesh as Mesh
from taichi_softras.soft_renderer.rasterizer import SoftRasterizer as SoftRasterizer
from taichi_softras.soft_renderer.renderer import SoftRenderer as SoftRenderer
from taichi_softras.soft_renderer.transform import Look as Look
from taichi_softras.soft_renderer.transform import LookAt as LookAt
from taichi_softras.soft_renderer.transform import Projection as Projection
from taichi_softras.soft_renderer.transform import Transform as Transform

_leave_uncompiled(globals(), [_name for _name in dir() if not _name.startswith("_")])
