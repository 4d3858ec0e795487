"""Kernels of `taichi_softras.reconstruction`. None is differentiable."""
