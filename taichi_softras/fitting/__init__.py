"""Fitting meshes to images: schedules of softness and optimisers."""

from taichi_softras.fitting.optimizers import Adam as Adam
from taichi_softras.fitting.schedules import GeometricDecay as GeometricDecay
from taichi_softras.fitting.schedules import Schedule as Schedule
from taichi_softras.fitting.schedules import StepDecay as StepDecay
from taichi_softras.fitting.schedules import anneal as anneal
