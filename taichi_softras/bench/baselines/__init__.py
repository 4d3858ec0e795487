"""Baselines: other ways to draw the same, timed in turn with ours in one process.

Needs PyTorch. Each is called as a PyTorch user calls ours: tensors in, the loss the sum of the
image times a fixed gradient, gradients to corners and colours.
"""
