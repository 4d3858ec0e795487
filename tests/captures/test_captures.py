from dataclasses import replace

import numpy as np
import pytest

import taichi_softras as sr


@pytest.fixture
def captures(numpy_rng):
    rotations = np.linalg.qr(numpy_rng.normal(size=(3, 3, 3)))[0]
    rotations *= np.linalg.det(rotations)[:, None, None]
    matrix = np.array([[20.0, 0, 4.5], [0, 21, 3.25], [0, 0, 1]])
    return sr.Captures(
        ("a", "b", "c"),
        numpy_rng.integers(0, 256, (3, 7, 10, 3), dtype=np.uint8),
        numpy_rng.integers(0, 256, (3, 7, 10), dtype=np.uint8),
        numpy_rng.random((3, 7, 10)) < 0.8,
        sr.PosedCamera(
            sr.Extrinsics(rotations, numpy_rng.normal(size=(3, 3)) + np.array([0, 0, 9])),
            sr.Intrinsics(np.tile(matrix, (3, 1, 1)), 7, 10),
        ),
    )


def seen_at(captures, point):
    places = captures.projections @ [*point, 1]
    return places[:, :2] / places[:, 2:]


def test_they_are_told_in_a_line(captures):
    assert repr(captures) == "Captures(3 photographs, 10 x 7 pixels, with masks)"
    bare = replace(captures, masks=None)
    assert repr(bare) == "Captures(3 photographs, 10 x 7 pixels, without masks)"


def test_select_takes_some_in_order(captures):
    some = captures.select([2, 0])
    assert some.names == ("c", "a")
    assert (some.pictures == captures.pictures[[2, 0]]).all()
    np.testing.assert_array_equal(some.projections, captures.projections[[2, 0]])
    for wrong in ([], [3]):
        with pytest.raises(ValueError, match="indices must be of the 3 pictures"):
            captures.select(wrong)


def test_placed_moves_the_world_and_no_pixel(captures, numpy_rng):
    center, scale, point = np.array([0.3, -0.2, 0.1]), 2.5, numpy_rng.normal(size=3)
    moved = captures.placed(center, scale)
    np.testing.assert_allclose(seen_at(moved, (point - center) * scale), seen_at(captures, point))
    np.testing.assert_allclose(moved.eyes, (captures.eyes - center) * scale)


def test_reduced_averages_what_is_inside(captures):
    smaller = captures.reduced(2)
    assert smaller.pictures.shape == (3, 4, 5, 3)  # a row is filled up
    cover = captures.masks[0, 2:4, 4:6].astype(float)
    colors = captures.pictures[0, 2:4, 4:6].astype(float)
    wanted = (cover[..., None] * colors).sum(axis=(0, 1)) / cover.sum()
    assert np.abs(smaller.pictures[0, 1, 2] - wanted).max() <= 0.6
    assert abs(smaller.masks[0, 1, 2] - cover.mean()) <= 0.51
    assert smaller.known[0, 1, 2] == captures.known[0, 2:4, 4:6].all()
    assert not smaller.known[:, 3].any()


def test_reduced_cameras_see_the_same(captures):
    point = np.array([0.2, 0.1, -0.3])
    places = (seen_at(captures, point) + 0.5) / 2 - 0.5
    np.testing.assert_allclose(seen_at(captures.reduced(2), point), places)


def test_colors_are_averaged_as_they_are_without_masks(captures):
    smaller = replace(captures, masks=None).reduced(2)
    wanted = captures.pictures[1, 4:6, 8:10].astype(float).mean(axis=(0, 1))
    assert np.abs(smaller.pictures[1, 2, 4] - wanted).max() <= 0.51


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": np.zeros((2, 7, 10, 3), np.uint8)}, r"pictures must have shape \(3, H, W, 3"),
        ({"masks": np.zeros((3, 7, 10))}, "masks must be uint8"),
        ({"known": np.zeros((3, 7, 9), bool)}, r"known must have shape \(3, 7, 10\)"),
        ({"camera": sr.LookAtCamera((0, 0, 3))}, "camera must be made of"),
        (
            {"camera": sr.PosedCamera(sr.Extrinsics(np.eye(3)), sr.Intrinsics(np.eye(3), 7, 10))},
            "camera must have 3 items",
        ),
        (
            {"camera": sr.PosedCamera(sr.Extrinsics(np.eye(3)), sr.Intrinsics(np.eye(3), 7, 9))},
            "camera must be for pictures of this size",
        ),
    ],
)
def test_refuses(captures, change, message):
    with pytest.raises(ValueError, match=message):
        replace(captures, **change)
