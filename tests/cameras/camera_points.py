"""Points, and the image, that tests of cameras share."""

import torch


def points(*rows):
    return torch.tensor([rows], dtype=torch.float64)


def assert_same(actual, expected, atol=1e-13):
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


HEIGHT, WIDTH = 30, 40


def rows(values):
    return torch.tensor(values, dtype=torch.float64)
