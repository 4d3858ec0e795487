"""Visual hulls of masks against shapes that are known, and the kernel against NumPy."""

import numpy as np
import photographed
import pytest
import scipy.ndimage

import taichi_softras as sr
from taichi_softras.meshes.edges import find_edges
from taichi_softras.reconstruction.hull import _Carver

SPHERE = sr.icosphere(3)


@pytest.fixture(scope="module")
def captures():
    return photographed.photograph(SPHERE, 9)


def test_the_hull_of_a_sphere_is_one(captures):
    hull = sr.visual_hull(captures.masks, captures.camera, resolution=40)
    radii = np.linalg.norm(hull.vertices, axis=1)
    # A hull of nine cones is somewhat larger than the sphere that they touch.
    assert radii.min() > 0.47
    assert radii.max() < 0.65
    assert np.quantile(radii, 0.2) == pytest.approx(0.5, abs=0.02)
    edges, face_edges = find_edges(hull.faces)
    assert (np.bincount(face_edges.ravel()) == 2).all()
    assert hull.num_vertices - len(edges) + hull.num_faces == 2
    assert photographed.volume(hull) > 0  # counter-clockwise seen from outside


@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_the_box_is_found_whatever_its_size_and_place(scale, captures):
    place = np.array([3.0, -2.0, 5.0])
    moved = captures.placed(-place, scale)
    hull = sr.visual_hull(moved.masks, moved.camera, resolution=24)
    center = (hull.vertices.min(axis=0) + hull.vertices.max(axis=0)) / 2
    np.testing.assert_allclose(center / scale, place, atol=0.03)
    assert np.ptp(hull.vertices, axis=0) / scale == pytest.approx([1.05] * 3, abs=0.15)


def test_matches_numpy(numpy_rng):
    """Vote by vote: where a point is seen, how far inside, and what the masks that agree say."""
    masks = numpy_rng.random((5, 12, 16)) < 0.7
    known = numpy_rng.random((5, 12, 16)) < 0.97
    eyes = sr.orbit_eyes(3.0, 20.0, [0.0, 72, 144, 216, 288])
    scene = photographed.photograph(SPHERE, height=12, width=16, eyes=eyes)
    focal_lengths = scene.matrices[:, 0, 0]
    low, step, size = np.array([-0.9, -0.8, -0.7]), 0.11, (16, 15, 14)
    grid = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1) * step + low
    values = []
    for mask, seen, projection, focal in zip(masks, known, scene.projections, focal_lengths):
        places = grid @ projection[:, :3].T + projection[:, 3]
        col, row = places[..., 0] / places[..., 2], places[..., 1] / places[..., 2]
        inside = scipy.ndimage.distance_transform_edt(mask) - 0.5
        outside = scipy.ndimage.distance_transform_edt(~mask) - 0.5
        signed = np.where(mask, inside, -outside)
        value = scipy.ndimage.map_coordinates(signed, [row, col], order=1)
        doubt = scipy.ndimage.map_coordinates((~seen).astype(float), [row, col], order=1)
        shown = (row >= 0) & (col >= 0) & (row <= 11) & (col <= 15) & (doubt < 1e-6)
        values.append(np.where(shown, value * places[..., 2] / focal, np.inf))
    ranked = np.sort(values, axis=0)
    views = np.isfinite(values).sum(axis=0)
    for wrong, least in ((0, 2), (1, 3), (2, 5)):
        carver = _Carver(masks, known, scene.projections, focal_lengths, wrong, least)
        found = carver.carve(low, step, size)
        wanted = np.where(views >= least, ranked[wrong], -2 * step)
        # At a frame's border and beside the unknown, rounding decides whether a point is seen.
        close = np.abs(found - wanted) < 1e-3
        assert close.mean() > 0.98
        assert (wanted > 0).mean() > 0.01


def test_a_few_bad_masks_carve_no_holes(captures):
    masks = captures.masks.copy()
    masks[4, :, 32:] = 0
    spoilt = sr.visual_hull(masks, captures.camera, resolution=24)
    whole = sr.visual_hull(masks, captures.camera, resolution=24, wrong=1)
    assert photographed.volume(spoilt) < 0.8 * photographed.volume(SPHERE)
    assert photographed.volume(whole) > 0.97 * photographed.volume(SPHERE)


def test_the_unknown_carves_nothing(captures):
    masks = captures.masks.copy()
    masks[4, :, 32:] = 0
    known = captures.known.copy()
    known[4, :, 30:] = False
    hull = sr.visual_hull(masks, captures.camera, known=known, resolution=24)
    assert photographed.volume(hull) > 0.97 * photographed.volume(SPHERE)


def test_beyond_the_frame_nothing_is_carved():
    """Cameras so near that no picture shows all of the sphere."""
    eyes = sr.orbit_eyes(1.5, [0.0, 0, 0, 0, 60, -60], [0.0, 90, 180, 270, 45, 225])
    near = photographed.photograph(SPHERE, height=48, width=64, eyes=eyes)
    assert (near.masks[:, 0] > 0).any()
    hull = sr.visual_hull(near.masks, near.camera, resolution=24, bounds=[[-0.8] * 3, [0.8] * 3])
    assert photographed.volume(hull) > 0.97 * photographed.volume(SPHERE)


def test_only_the_largest_part_is_kept(captures):
    masks = captures.masks.copy()
    masks[:, :4, :5] = 255  # a speck in the corner of each picture
    box = [[-1.5] * 3, [1.5] * 3]
    options = {"resolution": 40, "bounds": box, "least_views": 1}
    parts = sr.visual_hull(masks[:3], captures.select([0, 1, 2]).camera, largest=False, **options)
    largest = sr.visual_hull(masks[:3], captures.select([0, 1, 2]).camera, **options)
    assert largest.num_faces < parts.num_faces


@pytest.mark.parametrize(
    ("masks", "options", "message"),
    [
        (lambda m: m[0], {}, r"masks must have shape \(N, H, W\)"),
        (lambda m: m[:1], {}, "of 2 or more pictures"),
        (lambda m: m[:5], {}, "as many masks as cameras, got 5 masks and 9"),
        (lambda m: 0 * m, {}, "masks must show something in two pictures at least"),
        (lambda m: m, {"wrong": 9}, "wrong must be at most 8"),
        (lambda m: m, {"resolution": 4}, "resolution must be at least 8"),
        (lambda m: m, {"bounds": [[0, 0, 0], [1, 1, -1]]}, "bounds must be in order"),
        (lambda m: m, {"bounds": [[0, 0, 0]]}, "bounds must be 2 x 3"),
        (lambda m: m, {"bounds": [[5.0] * 3, [6.0] * 3]}, "some space in common, got none"),
        (lambda m: m, {"known": np.ones((9, 3, 3))}, "known must have shape"),
    ],
)
def test_refuses(captures, masks, options, message):
    with pytest.raises(ValueError, match=message):
        sr.visual_hull(masks(captures.masks), captures.camera, **options)


def test_refuses_cameras_that_miss_the_object(captures):
    """They look away from each other: no point is inside of all masks."""
    eyes = np.array([[0.0, 0, 5], [0, 0, -5], [5, 0, 0]])
    camera = sr.LookAtCamera(eyes, at=3 * eyes, fov_degrees=30.0)
    with pytest.raises(ValueError, match=r"some space in common|from different places"):
        sr.visual_hull(captures.masks[:3], camera)


def test_refuses_lenses_that_distort(captures):
    lens = sr.Intrinsics(captures.matrices, 48, 64, [0.1, 0, 0, 0])
    with pytest.raises(ValueError, match="camera must have no distortion"):
        sr.visual_hull(captures.masks, sr.PosedCamera(captures.camera.pose, lens))
