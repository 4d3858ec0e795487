"""Meshes from photographs: visual hulls, the fit to silhouettes and colours, textures, reports."""

from taichi_softras.reconstruction.baking import bake_texture as bake_texture
from taichi_softras.reconstruction.fit import Progress as Progress
from taichi_softras.reconstruction.fit import reconstruct as reconstruct
from taichi_softras.reconstruction.hull import visual_hull as visual_hull
from taichi_softras.reconstruction.measuring import Agreement as Agreement
from taichi_softras.reconstruction.measuring import measure_agreement as measure_agreement
from taichi_softras.reconstruction.options import ReconstructionOptions as ReconstructionOptions
