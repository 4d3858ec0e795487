"""Kernels that find out what a machine can do."""
