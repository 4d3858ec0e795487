"""Cameras that are converted, and what they see."""

import numpy as np

import taichi_softras as sr

HEIGHT, WIDTH = 48, 80


WORLD = np.random.default_rng(3).uniform(-1, 1, (20, 3))


EYES = np.array([[1.0, 2, 6], [-4, 1, 5], [0, -5, 3]])


LENSES = {
    "perspective": sr.Perspective([40.0, 50, 60]),
    "intrinsics": sr.Intrinsics([[70.0, 0, 35], [0, 65, 25], [0, 0, 1]], HEIGHT, WIDTH),
    "orthographic": sr.Orthographic([2.0, 3, 4]),
}


def camera_of(lens):
    return sr.PosedCamera(sr.LookAt(EYES, up=(0.1, 1, 0.2)), LENSES[lens])


def rotation_about(axis, degrees):
    """Rodrigues's formula."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


ROTATION = rotation_about([1, 2, -1], 35) @ np.diag([1, -1, -1])  # y down, and looking down -z


TRANSLATION = np.array([0.2, -0.1, 6])


MATRIX = np.array([[70, 1.5, 41], [0, 66, 22], [0, 0, 1.0]])


DISTORTION = np.array([-0.2, 0.1, 0.01, -0.02, 0.05])
