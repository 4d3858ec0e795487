"""What is measured of photographs against numbers by hand and scikit-image."""

from dataclasses import replace

import numpy as np
import photographed
import pytest

import taichi_softras as sr
from taichi_softras.reconstruction.measuring import BEST, _compare, structural_similarity

CUBE = photographed.colorful(sr.cube())


def test_a_mesh_agrees_with_its_own_photographs():
    for found in sr.measure_agreement(CUBE, photographed.photograph(CUBE, 3)):
        assert found.iou > 0.97
        assert found.psnr > 25
        assert found.ssim > 0.9


def test_numbers_by_hand():
    drawing = np.zeros((4, 4, 4))
    drawing[:2] = (0.25, 0.25, 0.25, 1)
    photo = np.full((4, 4, 3), 0.5)
    cover = np.zeros((4, 4))
    cover[:, :2] = 1
    known = np.ones((4, 4), bool)
    found = _compare("a", drawing, photo, cover, known)
    assert found.iou == pytest.approx(4 / 12)
    # A gain of 2 is right where something was drawn; the other half is black instead of 0.5.
    assert found.psnr == pytest.approx(-10 * np.log10(0.5 * 0.25))
    # Over white: 0.25 for 0.5, 0.25 for white, white for 0.5, and white for white.
    squares = (0.25**2 + 0.75**2 + 0.5**2) / 4
    assert found.psnr_white == pytest.approx(-10 * np.log10(squares))
    known[:, 2:] = False
    assert _compare("a", drawing, photo, cover, known).iou == pytest.approx(0.5)


def test_what_is_the_same_is_the_best():
    photo = np.random.default_rng(0).random((9, 9, 3))
    drawing = np.dstack([photo, np.ones((9, 9))])
    found = _compare("a", drawing, photo, np.ones((9, 9)), np.ones((9, 9), bool))
    assert found.iou == 1
    assert found.psnr_white == BEST
    assert found.psnr > BEST - 1
    assert found.ssim == pytest.approx(1)


def test_structural_similarity_is_that_of_scikit_image(numpy_rng):
    from skimage.metrics import structural_similarity as theirs

    image = numpy_rng.random((40, 50, 3))
    other = np.clip(image + numpy_rng.normal(scale=0.1, size=image.shape), 0, 1)
    wanted = theirs(
        image,
        other,
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )[1].mean()
    assert structural_similarity(image, other) == pytest.approx(wanted, abs=1e-6)


def test_refuses_photographs_without_masks():
    captures = replace(photographed.photograph(CUBE, 2), masks=None)
    with pytest.raises(ValueError, match="captures must have masks"):
        sr.measure_agreement(CUBE, captures)
