"""Meshes from one picture: a data set, training, evaluation, and meshes of one's own pictures.

In this order: `build_dataset`, `train`, `evaluate`, `show`, `reconstruct`, each a program.
"""
