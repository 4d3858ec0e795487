"""Taichi kernels and functions. Nothing here knows of PyTorch."""
