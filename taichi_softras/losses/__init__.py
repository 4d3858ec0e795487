"""Losses: how far images and meshes are from what they should be, and how smooth a mesh is.

Every loss is differentiable like everything else here. It is an array of one number, (1,), the
mean over items; or of one number per item, (B,), if ``reduction`` is ``"none"``.
"""

from taichi_softras.losses.image_losses import image_loss as image_loss
from taichi_softras.losses.image_losses import (
    multiview_silhouette_loss as multiview_silhouette_loss,
)
from taichi_softras.losses.image_losses import silhouette_loss as silhouette_loss
from taichi_softras.losses.mesh_losses import LaplacianWeights as LaplacianWeights
from taichi_softras.losses.mesh_losses import color_laplacian_loss as color_laplacian_loss
from taichi_softras.losses.mesh_losses import edge_length_loss as edge_length_loss
from taichi_softras.losses.mesh_losses import flattening_loss as flattening_loss
from taichi_softras.losses.mesh_losses import laplacian_loss as laplacian_loss
from taichi_softras.losses.mesh_losses import normal_consistency_loss as normal_consistency_loss
from taichi_softras.losses.photo_losses import photo_loss as photo_loss
from taichi_softras.losses.point_losses import chamfer_distance as chamfer_distance
from taichi_softras.losses.point_losses import mesh_chamfer_distance as mesh_chamfer_distance
from taichi_softras.losses.point_losses import sample_surface as sample_surface
from taichi_softras.losses.sums import Reduction as Reduction
from taichi_softras.losses.sums import add_to_loss as add_to_loss
from taichi_softras.losses.topology import MeshTopology as MeshTopology
from taichi_softras.losses.topology import mesh_topology as mesh_topology
