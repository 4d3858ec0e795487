"""Triangle meshes: their data, shapes to start from, normals, finer and coarser versions."""

from taichi_softras.meshes.incidence import gather as gather
from taichi_softras.meshes.intersections import self_intersections as self_intersections
from taichi_softras.meshes.intersections import untangle as untangle
from taichi_softras.meshes.materials import Material as Material
from taichi_softras.meshes.mesh import Mesh as Mesh
from taichi_softras.meshes.mesh import TextureMaps as TextureMaps
from taichi_softras.meshes.normals import face_normals as face_normals
from taichi_softras.meshes.normals import vertex_normals as vertex_normals
from taichi_softras.meshes.primitives import cube as cube
from taichi_softras.meshes.primitives import icosphere as icosphere
from taichi_softras.meshes.primitives import plane as plane
from taichi_softras.meshes.primitives import torus as torus
from taichi_softras.meshes.remeshing import remesh as remesh
from taichi_softras.meshes.stack import MeshStack as MeshStack
from taichi_softras.meshes.stack import stack_meshes as stack_meshes
from taichi_softras.meshes.subdivision import Subdivision as Subdivision
from taichi_softras.meshes.subdivision import mesh_subdivision as mesh_subdivision
from taichi_softras.meshes.subdivision import subdivide as subdivide
from taichi_softras.meshes.textures import SurfaceTexture as SurfaceTexture
from taichi_softras.meshes.textures import UVTexture as UVTexture
from taichi_softras.meshes.utah_teapot import teapot as teapot
from taichi_softras.meshes.voxels import voxel_iou as voxel_iou
from taichi_softras.meshes.voxels import voxelize as voxelize
