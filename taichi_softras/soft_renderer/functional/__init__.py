"""SoftRas's functions, which its modules are made of."""

from taichi_softras.arrays.uncompiled import leave_uncompiled as _leave_uncompiled
from taichi_softras.soft_renderer.functional.cameras import (
    get_points_from_angles as get_points_from_angles,
)
from taichi_softras.soft_renderer.functional.cameras import look as look
from taichi_softras.soft_renderer.functional.cameras import look_at as look_at
from taichi_softras.soft_renderer.functional.cameras import orthogonal as orthogonal
from taichi_softras.soft_renderer.functional.cameras import perspective as perspective
from taichi_softras.soft_renderer.functional.cameras import projection as projection
from taichi_softras.soft_renderer.functional.faces import face_vertices as face_vertices
from taichi_softras.soft_renderer.functional.faces import vertex_normals as vertex_normals
from taichi_softras.soft_renderer.functional.lighting import ambient_lighting as ambient_lighting
from taichi_softras.soft_renderer.functional.lighting import (
    directional_lighting as directional_lighting,
)
from taichi_softras.soft_renderer.functional.obj_files import load_obj as load_obj
from taichi_softras.soft_renderer.functional.obj_files import save_obj as save_obj
from taichi_softras.soft_renderer.functional.soft_rasterize import soft_rasterize as soft_rasterize
from taichi_softras.soft_renderer.functional.voxelization import voxelization as voxelization

_leave_uncompiled(globals(), [_name for _name in dir() if not _name.startswith("_")])
