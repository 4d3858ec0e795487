"""Fitting meshes to images: cameras that see all of a mesh, schedules, optimisers, silhouettes."""

from taichi_softras.fitting.framing import frame_mesh as frame_mesh
from taichi_softras.fitting.framing import surround_mesh as surround_mesh
from taichi_softras.fitting.large_steps import LargeSteps as LargeSteps
from taichi_softras.fitting.optimizers import Adam as Adam
from taichi_softras.fitting.schedules import GeometricDecay as GeometricDecay
from taichi_softras.fitting.schedules import Schedule as Schedule
from taichi_softras.fitting.schedules import StepDecay as StepDecay
from taichi_softras.fitting.schedules import anneal as anneal
from taichi_softras.fitting.silhouettes import SilhouetteFitOptions as SilhouetteFitOptions
from taichi_softras.fitting.silhouettes import fit_silhouettes as fit_silhouettes
