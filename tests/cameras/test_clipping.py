"""Clipping at the near plane against Sutherland and Hodgman's polygons, rays and differences."""

import gradients
import numpy as np
import pytest
import scenes
import torch
from closeness import assert_near
from hypothesis import given, settings
from hypothesis import strategies as st

import taichi_softras as sr
from taichi_softras.arrays.taichi_bridge import from_numpy
from taichi_softras.backend import ti

NEAR = 0.5
PLANE = NEAR * (1 + 2**-16)
CAMERA = sr.Perspective(60.0)


def face(*corners, dtype=torch.float64):
    return torch.tensor([[corners]], dtype=dtype)


WHOLE = [[0.0, 0, 2], [1, 0, 2], [0, 1, NEAR]]
TIP = [[0.0, 0, 2.5], [1, 0, -1.5], [0, 1, 0.25]]
QUADRILATERAL = [[0.0, 0, 2.5], [1, 0, -1.5], [0, 1, 1.0]]
BEHIND = [[0.0, 0, 0.1], [1, 0, -1], [0, 1, 0.49]]
NOT_FINITE = [[0.0, 0, 2.5], [1, 0, -1.5], [0, np.nan, 1.0]]


def random_faces(rng, num_items=1, num_faces=8, dtype=torch.float64):
    """Faces of which most cross the near plane."""
    points = torch.randn(num_items, num_faces, 3, 3, generator=rng, dtype=dtype)
    points[..., 2] += 0.8
    return points


# --- Against polygons -------------------------------------------------------------------------


def cut_polygon(corners, plane):
    """Sutherland and Hodgman: what remains of a polygon in front of a plane."""
    remaining = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0)):
        if start[2] >= plane:
            remaining.append(start)
        if (start[2] >= plane) != (end[2] >= plane):
            t = (plane - start[2]) / (end[2] - start[2])
            remaining.append(start + t * (end - start))
    return np.array(remaining)


def area_vector(polygon):
    """Half of the sum of cross products: along the normal, as long as the area."""
    if len(polygon) == 0:
        return np.zeros(3)
    return np.cross(polygon, np.roll(polygon, -1, axis=0)).sum(axis=0) / 2


coordinate = st.floats(-4, 4, width=32)
depth = st.one_of(coordinate, st.sampled_from([NEAR, PLANE, 0.0, NEAR * (1 - 2**-20), 1e5, -1e5]))
corner = st.tuples(coordinate, coordinate, depth)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(corner, corner, corner), min_size=1, max_size=5))
def test_pieces_are_what_is_in_front(faces):
    points = torch.tensor([faces], dtype=torch.float64)
    clipped = sr.clip_faces(points, NEAR)
    touched = (points[0, :, :, 2] < NEAR).any(dim=-1)
    assert sr.count_clipped(points, NEAR) == touched.sum()
    if not touched.any():
        assert clipped.points is points
        return
    sources, pieces = clipped.source[0].numpy(), clipped.points[0].numpy()
    weights = clipped.weights[0].numpy()
    scale = 1 + points.abs().max().item()
    for f, corners in enumerate(points[0].numpy()):
        expected = corners if not touched[f] else cut_polygon(corners, PLANE)
        # As vectors: turned over, a piece would count as less than nothing.
        found = sum(area_vector(piece) for piece in pieces[sources == f])
        assert found == pytest.approx(area_vector(expected), abs=1e-11 * scale**2)
        for piece in pieces[sources == f]:
            turned = area_vector(piece) @ area_vector(corners)
            assert turned >= -1e-11 * scale**4
    present = weights.any(axis=(1, 2))
    assert (pieces[~present] == 0).all()
    assert weights[present].sum(axis=2) == pytest.approx(1)
    assert (weights >= 0).all()
    again = weights[present] @ points[0].numpy()[sources[present]]
    assert again == pytest.approx(pieces[present], abs=1e-14 * scale)
    assert (pieces[present][..., 2] >= NEAR).all()


@pytest.mark.parametrize("turn", [0, 1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_kind_of_face(turn, dtype):
    kinds = [WHOLE, TIP, QUADRILATERAL, BEHIND, NOT_FINITE, QUADRILATERAL[::-1], WHOLE]
    points = torch.tensor([kinds], dtype=dtype).roll(turn, dims=2)
    clipped = sr.clip_faces(points, NEAR)
    assert clipped.points.shape == (1, 9, 3, 3)
    assert clipped.source.tolist() == [[0, 1, 2, 3, 4, 5, 6, 2, 5]]
    assert clipped.num_faces == 7
    for f in (0, 4, 6):
        assert torch.equal(clipped.points[0, f].nan_to_num(9), points[0, f].nan_to_num(9))
        assert torch.equal(clipped.weights[0, f], torch.eye(3, dtype=dtype))
    assert (clipped.points[0, 3] == 0).all()
    assert (clipped.weights[0, 3] == 0).all()
    # Halfway along both edges of the tip, but for the margin; the corner stays in its place.
    tip = torch.tensor([TIP[0], [0.5, 0, NEAR], [0, 8 / 9, NEAR]], dtype=dtype)
    torch.testing.assert_close(clipped.points[0, 1], tip.roll(turn, dims=0), rtol=0, atol=3e-5)
    cuts = clipped.points[0, [1, 2, 5, 7, 8], :, 2].sort(dim=-1).values[:, 0]
    assert (cuts == torch.tensor(PLANE, dtype=dtype)).all()
    assert (cuts > NEAR).all()


def test_cuts_are_on_the_plane_however_long_the_edge(rng):
    """Interpolated in float32, their depths would be off by more than that of the near plane."""
    points = random_faces(rng, 1, 200, torch.float32) * 1e6
    clipped = sr.clip_faces(points, NEAR)
    depths = clipped.points[..., 2][(clipped.weights > 0).sum(dim=-1) == 2]
    assert len(depths) > 100
    assert (depths == torch.tensor(PLANE, dtype=torch.float32)).all()


def test_items_differ_in_what_is_cut():
    points = torch.tensor(
        [
            [WHOLE, TIP, BEHIND, QUADRILATERAL],
            [QUADRILATERAL, QUADRILATERAL, QUADRILATERAL, TIP],
            [WHOLE, WHOLE, WHOLE, WHOLE],
        ],
        dtype=torch.float64,
    )
    clipped = sr.clip_faces(points, NEAR)
    assert clipped.source.tolist() == [
        [0, 1, 2, 3, 3, 0, 0],
        [0, 1, 2, 3, 0, 1, 2],
        [0, 1, 2, 3, 0, 0, 0],
    ]
    empty = (clipped.points == 0).all(dim=(2, 3))
    assert empty.nonzero().tolist() == [[0, 2], [0, 5], [0, 6], [2, 4], [2, 5], [2, 6]]
    assert torch.equal(clipped.points[2, :4], points[2])
    alone = sr.clip_faces(points[1:2], NEAR)
    assert_near(clipped.points[1:2], alone.points)


def test_nothing_is_copied_if_no_face_is_touched():
    points = face(*WHOLE).repeat(2, 3, 1, 1).requires_grad_()
    points.data[0, 1, 2, 0] = torch.nan
    attributes = points[:1] + 1
    clipped = sr.clip_faces(points, NEAR)
    assert clipped.points is points
    assert clipped.source is None
    assert clipped.weights is None
    assert sr.clip_attributes(attributes, clipped) is attributes


@pytest.mark.parametrize("shape", [(1, 0, 3, 3), (0, 4, 3, 3), (0, 0, 3, 3)])
def test_no_faces(shape):
    points = torch.zeros(shape)
    assert sr.clip_faces(points, NEAR).points is points
    assert sr.count_clipped(points, NEAR) == 0


def test_without_second_parts_there_are_no_more_faces():
    clipped = sr.clip_faces(torch.tensor([[TIP, BEHIND, WHOLE]]), NEAR)
    assert clipped.points.shape == (1, 3, 3, 3)


def test_layout_does_not_matter_and_order_is_the_same_every_time(rng):
    points = random_faces(rng, 3, 500)
    clipped = sr.clip_faces(points, NEAR)
    strided = points.transpose(2, 3).contiguous().transpose(2, 3)
    for other in (sr.clip_faces(points, NEAR), sr.clip_faces(strided, NEAR)):
        for name in ("points", "source", "weights"):
            assert torch.equal(getattr(clipped, name), getattr(other, name))
    for item in clipped.source[:, 500:]:
        parts = item[: int(item.argmax()) + 1]
        assert (parts.diff() > 0).all()


# --- Attributes -------------------------------------------------------------------------------


@pytest.mark.parametrize("attribute_items", [1, 3])
@pytest.mark.parametrize("channels", [1, 5])
def test_attributes_are_those_of_the_source(attribute_items, channels, rng):
    points = random_faces(rng, 3)
    shape = (attribute_items, points.shape[1], 3, channels)
    attributes = torch.randn(shape, generator=rng, dtype=torch.float64)
    clipped = sr.clip_faces(points, NEAR)
    found = sr.clip_attributes(attributes, clipped)
    for b in range(3):
        source = attributes[b % attribute_items][clipped.source[b].long()]
        torch.testing.assert_close(found[b], clipped.weights[b] @ source, rtol=0, atol=1e-14)
    present = clipped.weights.any(dim=-1)
    positions = sr.clip_attributes(points, clipped)
    torch.testing.assert_close(positions[present], clipped.points[present], rtol=0, atol=1e-14)


def test_attributes_that_are_not_finite_stay_and_bring_no_nan_to_gradients():
    points = torch.tensor([[QUADRILATERAL, TIP]], dtype=torch.float64, requires_grad=True)
    attributes = torch.ones(1, 2, 3, 2, dtype=torch.float64)
    attributes[0, 0, 1, 1] = torch.nan
    attributes.requires_grad_()
    clipped = sr.clip_faces(points, NEAR)
    result = sr.clip_attributes(attributes, clipped)
    assert result.isnan().nonzero()[:, 1].tolist() == [0, 2]
    (result.nan_to_num().sum() + clipped.points.sum()).backward()
    assert points.grad.isfinite().all()
    assert attributes.grad.isfinite().all()


def test_corners_that_are_not_finite_bring_no_nan_to_gradients():
    points = torch.tensor([[NOT_FINITE, TIP]], dtype=torch.float64, requires_grad=True)
    clipped = sr.clip_faces(points, NEAR)
    (clipped.points.nan_to_num().sum() + clipped.weights.sum()).backward()
    assert points.grad.isfinite().all()
    assert points.grad[0, 1].any()


# --- Pictures ---------------------------------------------------------------------------------


def draw(points, colors, settings):
    clipped = sr.clip_faces(points, settings.near)
    ndc = sr.view_to_ndc(clipped.points, CAMERA, settings.aspect)
    return sr.rasterize(ndc, sr.clip_attributes(colors, clipped), settings)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1.0, 100.0])
def test_picture_matches_rays(size, dtype, rng):
    """Each pixel's ray is cut with each face in 3D; no face is projected."""
    options = sr.RasterizerSettings(
        height=24, width=32, near=NEAR, far=1000.0, sigma=1e-8, coverage_cutoff=1e-6
    )
    slope = np.tan(np.radians(30))
    x, y = ((2 * torch.arange(n, dtype=torch.float64) + 1) / n - 1 for n in (32, 24))
    x, y = x[None] * slope * options.aspect, -y[:, None] * slope
    rays = torch.stack(torch.broadcast_tensors(x, y, torch.ones_like(x)), dim=-1)
    num_hits = 0
    for _ in range(20):
        points = random_faces(rng, 1, 1) * size
        points[..., 2] -= 0.8 * (size - 1)
        colors = torch.rand(1, 1, 3, 3, generator=rng, dtype=torch.float64)
        image = draw(points.to(dtype), colors.to(dtype), options)[0].double()
        # Ray times depth = weights times corners, where the weights sum to 1.
        w = torch.linalg.solve(points[0, 0].T, rays[..., None])[..., 0]
        depth = 1 / w.sum(dim=-1)
        w = w * depth[..., None]
        hit = (w.amin(dim=-1) > 0) & (depth >= NEAR)
        away_from_edges = (w.amin(dim=-1).abs() > 0.01) & ((depth - NEAR).abs() > 0.02)
        num_hits += (hit & away_from_edges).sum()
        assert ((image[..., 3] > 0.5) == hit)[away_from_edges].all()
        drawn = hit & (image[..., 3] > 0.999)
        expected = (w @ colors[0, 0])[drawn]
        # Far corners are hundreds of images away, where float32 is coarse.
        tolerance = 1e-3 if dtype == torch.float32 else 1e-7
        torch.testing.assert_close(image[..., :3][drawn], expected, rtol=0, atol=tolerance)
    assert num_hits > 500


def scene(rng, num_items=1):
    """Overlapping faces through the near plane, to both sides of the line of sight."""
    points = torch.randn(num_items, 5, 3, 3, generator=rng, dtype=torch.float64)
    points[..., :2] *= 0.8
    points[..., 2] = 1.2 + 1.4 * points[..., 2]
    return points


SOFT = sr.RasterizerSettings(height=6, width=8, near=NEAR, far=9.0, sigma=0.02, gamma=0.3)


@pytest.mark.gradcheck
@pytest.mark.parametrize("seed", range(4))
def test_gradients_of_pictures(seed):
    rng = torch.Generator().manual_seed(seed)
    points = scene(rng, 3)
    assert sr.clip_faces(points, NEAR).points.shape[1] > 5
    inputs = {"points": points, "colors": scenes.random_colors(5, 3, rng)}

    def picture(points, colors):
        return draw(points, colors, SOFT)

    def alpha(points):
        clipped = sr.clip_faces(points, NEAR)
        ndc = sr.view_to_ndc(clipped.points, CAMERA, SOFT.aspect)
        return sr.rasterize_silhouette(ndc, SOFT)

    gradients.assert_gradients_match(picture, inputs, rng)
    gradients.assert_gradients_match(alpha, {"points": points}, rng)


@pytest.mark.gradcheck
def test_gradients_of_points_weights_and_attributes(rng):
    points = random_faces(rng, 3, 4).requires_grad_()
    attributes = scenes.random_colors(4, 2, rng).requires_grad_()

    def clip(points, attributes):
        clipped = sr.clip_faces(points, NEAR)
        return clipped.points, clipped.weights, sr.clip_attributes(attributes, clipped)

    assert torch.autograd.gradcheck(clip, (points, attributes), eps=1e-6, atol=1e-6)


def test_gradients_on_a_tape(rng):
    arrays = {"points": scene(rng, 3), "colors": scenes.random_colors(5, 3, rng)}
    ndarrays = {name: from_numpy(array.numpy(), needs_grad=True) for name, array in arrays.items()}
    loss = ti.ndarray(ti.f64, 1, needs_grad=True)
    target = torch.zeros(3, SOFT.height, SOFT.width, 4, dtype=torch.float64)
    with ti.ad.Tape(loss=loss):
        image = draw(**ndarrays, settings=SOFT)
        sr.add_to_loss(loss, sr.image_loss(image, from_numpy(target.numpy())))
    leaves = {name: array.requires_grad_() for name, array in arrays.items()}
    sr.image_loss(draw(**leaves, settings=SOFT), target).sum().backward()
    for name, leaf in leaves.items():
        assert leaf.grad.any()
        found = torch.tensor(ndarrays[name].grad.to_numpy())
        torch.testing.assert_close(found, leaf.grad, rtol=1e-12, atol=1e-12)


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: sr.clip_faces(torch.zeros(2, 3, 3), NEAR), ValueError, r"\(B, F, 3, 3\)"),
        (lambda: sr.clip_faces(np.zeros((1, 2, 3, 3)), NEAR), TypeError, "face_points must be a"),
        (lambda: sr.clip_faces(torch.zeros(1, 2, 3, 3), 0.0), ValueError, "near must be above 0"),
        (lambda: sr.clip_faces(torch.zeros(1, 2, 3, 3), np.nan), ValueError, "near must be finite"),
        (lambda: sr.clip_faces(torch.zeros(1, 2, 3, 3), "1"), TypeError, "near must be a number"),
    ],
)
def test_clip_faces_refuses(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("corners", [WHOLE, QUADRILATERAL])
@pytest.mark.parametrize(
    ("attributes", "error", "words"),
    [
        (torch.zeros(3, 1, 3, 2), ValueError, r"attributes must have shape \(2 or 1, 1, 3"),
        (torch.zeros(1, 2, 3, 2), ValueError, r"attributes must have shape \(2 or 1, 1, 3, K\)"),
        (torch.zeros(1, 1, 3, 2).double(), TypeError, "attributes must be float32, got float64"),
    ],
)
def test_clip_attributes_refuses(corners, attributes, error, words):
    clipped = sr.clip_faces(face(*corners, dtype=torch.float32).repeat(2, 1, 1, 1), NEAR)
    with pytest.raises(error, match=words):
        sr.clip_attributes(attributes, clipped)
