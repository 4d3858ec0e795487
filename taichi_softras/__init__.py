"""A differentiable soft rasterizer for triangle meshes, written in Taichi.

Layers, each importing only those below it:

    cli, soft_renderer                                  commands; SoftRas's interface
    viewer                                              what `softras view` shows
    nn                                                  PyTorch modules
    renderer, conventions                               mesh + camera + light -> image
    inspection                                          what pixels are made of
    rasterizer, cameras, clipping, lights, losses,
    optimizers                                          functions on arrays
    schedules                                           of softness
    subdivision, voxels                                 meshes made finer, and coarse
    primitives, teapot, meshes, mesh_parts              mesh data
    mesh_files and what it reads and writes with        mesh files
    pictures                                            what is written to disk
    materials, sparse                                   of surfaces; to multiply arrays with
    textures                                            where faces have their colours from
    checks, arrays, sharing                             of arrays, at the boundary
    bridges                                             PyTorch's graph; Taichi's tapes
    operators                                           how kernels are called
    edges                                               of meshes, on the host
    kernels, runtime, settings                          Taichi only
    families                                            what can be chosen, and added to

Functions take PyTorch tensors or Taichi ndarrays alike; PyTorch is imported only by programs that
use it.
"""

import os as _os

_os.environ.setdefault("ENABLE_TAICHI_HEADER_PRINT", "0")  # importing Taichi prints a banner

from taichi_softras.bridges.taichi_bridge import from_numpy as from_numpy
from taichi_softras.cameras import Camera as Camera
from taichi_softras.cameras import Extrinsics as Extrinsics
from taichi_softras.cameras import Intrinsics as Intrinsics
from taichi_softras.cameras import Lens as Lens
from taichi_softras.cameras import Look as Look
from taichi_softras.cameras import LookAt as LookAt
from taichi_softras.cameras import LookAtCamera as LookAtCamera
from taichi_softras.cameras import MatrixCamera as MatrixCamera
from taichi_softras.cameras import Orthographic as Orthographic
from taichi_softras.cameras import Perspective as Perspective
from taichi_softras.cameras import Pose as Pose
from taichi_softras.cameras import PosedCamera as PosedCamera
from taichi_softras.cameras import orbit_eyes as orbit_eyes
from taichi_softras.cameras import orbit_ups as orbit_ups
from taichi_softras.cameras import perspective as perspective
from taichi_softras.cameras import project as project
from taichi_softras.cameras import to_view as to_view
from taichi_softras.cameras import view_to_ndc as view_to_ndc
from taichi_softras.clipping import ClippedFaces as ClippedFaces
from taichi_softras.clipping import clip_attributes as clip_attributes
from taichi_softras.clipping import clip_faces as clip_faces
from taichi_softras.clipping import count_clipped as count_clipped
from taichi_softras.conventions import camera_from_colmap as camera_from_colmap
from taichi_softras.conventions import camera_from_opengl as camera_from_opengl
from taichi_softras.conventions import camera_from_pytorch3d as camera_from_pytorch3d
from taichi_softras.conventions import camera_to_colmap as camera_to_colmap
from taichi_softras.conventions import camera_to_opencv as camera_to_opencv
from taichi_softras.conventions import camera_to_opengl as camera_to_opengl
from taichi_softras.conventions import camera_to_pytorch3d as camera_to_pytorch3d
from taichi_softras.conventions import quaternion_from_rotation as quaternion_from_rotation
from taichi_softras.conventions import rotation_from_quaternion as rotation_from_quaternion
from taichi_softras.families import Alpha as Alpha
from taichi_softras.families import Coverage as Coverage
from taichi_softras.families import register as register
from taichi_softras.inspection import FragmentSummary as FragmentSummary
from taichi_softras.inspection import PixelFragments as PixelFragments
from taichi_softras.inspection import face_coverage as face_coverage
from taichi_softras.inspection import list_fragments as list_fragments
from taichi_softras.inspection import summarize_fragments as summarize_fragments
from taichi_softras.lights import AmbientLight as AmbientLight
from taichi_softras.lights import DirectionalLight as DirectionalLight
from taichi_softras.lights import Light as Light
from taichi_softras.lights import Lighting as Lighting
from taichi_softras.lights import PointLight as PointLight
from taichi_softras.lights import SphericalHarmonicsLight as SphericalHarmonicsLight
from taichi_softras.lights import face_normals as face_normals
from taichi_softras.lights import shade as shade
from taichi_softras.lights import shade_faces as shade_faces
from taichi_softras.lights import vertex_normals as vertex_normals
from taichi_softras.losses import MeshTopology as MeshTopology
from taichi_softras.losses import add_to_loss as add_to_loss
from taichi_softras.losses import chamfer_distance as chamfer_distance
from taichi_softras.losses import color_laplacian_loss as color_laplacian_loss
from taichi_softras.losses import edge_length_loss as edge_length_loss
from taichi_softras.losses import flattening_loss as flattening_loss
from taichi_softras.losses import image_loss as image_loss
from taichi_softras.losses import laplacian_loss as laplacian_loss
from taichi_softras.losses import mesh_chamfer_distance as mesh_chamfer_distance
from taichi_softras.losses import mesh_topology as mesh_topology
from taichi_softras.losses import multiview_silhouette_loss as multiview_silhouette_loss
from taichi_softras.losses import normal_consistency_loss as normal_consistency_loss
from taichi_softras.losses import sample_surface as sample_surface
from taichi_softras.losses import silhouette_loss as silhouette_loss
from taichi_softras.materials import Material as Material
from taichi_softras.mesh_files import read_mesh as read_mesh
from taichi_softras.mesh_files import write_mesh as write_mesh
from taichi_softras.meshes import Mesh as Mesh
from taichi_softras.meshes import MeshStack as MeshStack
from taichi_softras.meshes import TextureMaps as TextureMaps
from taichi_softras.meshes import stack_meshes as stack_meshes
from taichi_softras.optimizers import Adam as Adam
from taichi_softras.primitives import cube as cube
from taichi_softras.primitives import icosphere as icosphere
from taichi_softras.primitives import plane as plane
from taichi_softras.primitives import teapot as teapot
from taichi_softras.primitives import torus as torus
from taichi_softras.rasterizer import rasterize as rasterize
from taichi_softras.rasterizer import rasterize_silhouette as rasterize_silhouette
from taichi_softras.renderer import gather as gather
from taichi_softras.renderer import render as render
from taichi_softras.renderer import render_silhouette as render_silhouette
from taichi_softras.runtime import init as init
from taichi_softras.schedules import GeometricDecay as GeometricDecay
from taichi_softras.schedules import Schedule as Schedule
from taichi_softras.schedules import StepDecay as StepDecay
from taichi_softras.schedules import anneal as anneal
from taichi_softras.settings import RasterizerSettings as RasterizerSettings
from taichi_softras.sparse import SparseMatrix as SparseMatrix
from taichi_softras.subdivision import Subdivision as Subdivision
from taichi_softras.subdivision import mesh_subdivision as mesh_subdivision
from taichi_softras.subdivision import subdivide as subdivide
from taichi_softras.textures import SurfaceTexture as SurfaceTexture
from taichi_softras.textures import UVTexture as UVTexture
from taichi_softras.voxels import voxel_iou as voxel_iou
from taichi_softras.voxels import voxelize as voxelize

__version__ = "0.1.0"
