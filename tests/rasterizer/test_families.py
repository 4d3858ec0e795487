"""Every member of every family: values against the formulas, gradients against differences."""

import itertools

import gradients
import pytest
import scenes
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_face_gradient import gradients_of, random_inputs

import taichi_softras as sr
from taichi_softras import reference
from taichi_softras.backend import ti
from taichi_softras.rasterizer import families
from taichi_softras.rasterizer.kernels.coverage import edge_distance, edge_reach

COVERAGES = ("euclidean", "barycentric", "hard")
ALPHAS = ("prod", "sum", "hard")
COLORS = ("softmax", "hard")
MEMBERS = list(itertools.product(COVERAGES, ALPHAS, COLORS))


def settings_of(height, width, **options):
    options = {"near": 1.0, "far": 10.0, "sigma": 1e-2, "gamma": 1e-1, **options}
    return sr.RasterizerSettings(height=height, width=width, **options)


def members_of(coverage, alpha, color):
    return {"coverage": coverage, "alpha": alpha, "color": color}


def assert_same(actual, expected, atol=1e-12):
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


def random_scene(seed):
    """A kind of scene, its faces (2, 5, 3, 3) and colours, and an image of random size."""
    rng = torch.Generator().manual_seed(seed)
    kind = scenes.KINDS[seed % len(scenes.KINDS)]
    faces = scenes.random_faces(kind, rng, num_items=2, num_faces=5)
    height, width = torch.randint(4, 11, (2,), generator=rng).tolist()
    return rng, faces, scenes.random_colors(5, 2, rng, 2), height, width


# --- Values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("coverage", "alpha", "color"), MEMBERS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(seed=st.integers(0, 10_000))
def test_matches_reference(coverage, alpha, color, seed):
    _, faces, colors, height, width = random_scene(seed)
    cull, cull_alpha = (("none", True), ("front", False))[seed % 2]
    members = members_of(coverage, alpha, color)
    options = settings_of(height, width, **members, cull=cull, cull_alpha=cull_alpha)
    image = sr.rasterize(faces, colors, options, background=0.3)
    assert_same(image, reference.rasterize(faces, colors, options, background=0.3))
    alphas = sr.rasterize_silhouette(faces, options)
    assert_same(alphas, reference.rasterize_silhouette(faces, options))


@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("kind", scenes.KINDS)
def test_orthographic_matches_reference(kind, color, rng):
    faces, colors = scenes.random_faces(kind, rng, 2), scenes.random_colors(6, 2, rng)
    options = settings_of(9, 11, orthographic=True, color=color)
    image = sr.rasterize(faces, colors, options, background=0.3)
    assert_same(image, reference.rasterize(faces, colors, options, background=0.3))


@pytest.mark.parametrize("cull", ["none", "back", "front"])
def test_culling_from_colours_only(cull, rng):
    faces = scenes.random_faces("tilted", rng)
    colors = scenes.random_colors(6, 3, rng)
    options = settings_of(9, 9, cull=cull, cull_alpha=False)
    image = sr.rasterize(faces, colors, options)
    assert_same(image[..., -1], sr.rasterize_silhouette(faces, settings_of(9, 9)))
    culled = sr.rasterize(faces, colors, settings_of(9, 9, cull=cull))
    assert_same(image[..., :-1], culled[..., :-1])


@pytest.mark.parametrize("size", [1e-3, 0.05, 1.0, 30.0])
def test_barycentric_coverage_reaches_all_its_pixels(size):
    """The box of a face, large or a sliver, holds every pixel above the cut-off."""
    face = torch.tensor([[[[-1.0, -0.2, 2], [0.7, 0.1, 2], [0.9, 0.5, 2]]]], dtype=torch.float64)
    face[..., :2] *= size
    options = settings_of(24, 24, sigma=0.3, coverage="barycentric", coverage_cutoff=0.01)
    assert_same(
        sr.rasterize_silhouette(face, options), reference.rasterize_silhouette(face, options)
    )


# --- Gradients --------------------------------------------------------------------------------


@pytest.mark.gradcheck
@pytest.mark.parametrize(("coverage", "alpha", "color"), MEMBERS)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(seed=st.integers(0, 10_000))
def test_gradients_match_finite_differences(coverage, alpha, color, seed):
    rng, faces, colors, height, width = random_scene(seed)
    options = settings_of(
        height, width, **members_of(coverage, alpha, color), coverage_cutoff=1e-20
    )
    leaves = {
        "face_vertices": faces,
        "colors": colors,
        "background": torch.rand(1, 1, 1, 2, generator=rng, dtype=torch.float64),
        "sigma": torch.tensor([0.03], dtype=torch.float64),
        "gamma": torch.tensor([0.2, 0.1], dtype=torch.float64),
        "eps": torch.tensor([0.3], dtype=torch.float64),
    }

    def draw(face_vertices, colors, **others):
        return sr.rasterize(face_vertices, colors, options, **others)

    gradients.assert_gradients_match(draw, leaves, rng)


@pytest.mark.parametrize("channels", [0, 2])
@pytest.mark.parametrize(("coverage", "alpha", "color"), MEMBERS)
def test_gradient_by_hand_equals_autodiff(coverage, alpha, color, channels, rng):
    if channels == 0 and color == "hard":
        return  # a silhouette has no colours
    members = members_of(coverage, alpha, color)
    assert_hand_equals_autodiff({**members, "cull": "back", "cull_alpha": False}, channels, rng)


@pytest.mark.parametrize("members", [("euclidean", "prod", "softmax"), ("hard", "prod", "hard")])
def test_gradient_by_hand_equals_autodiff_orthographically(members, rng):
    assert_hand_equals_autodiff({**members_of(*members), "orthographic": True}, 2, rng)


def assert_hand_equals_autodiff(options, channels, rng):
    options = settings_of(16, 20, **options)
    for kind in scenes.KINDS:
        inputs = random_inputs(kind, rng, channels)
        weights = torch.randn(2 * 16 * 20 * 4, generator=rng, dtype=torch.float64)
        found = gradients_of(inputs, options, channels, weights, autodiff=False)
        expected = gradients_of(inputs, options, channels, weights, autodiff=True)
        # A gradient of sigma or the like is a sum of terms as large as others', which may cancel.
        largest = max(1, *(float(x.abs().max()) for x in expected.values()))
        for name, gradient in found.items():
            atol = 1e-11 * float(expected[name].abs().max()) + 1e-13 * largest
            assert_same(gradient, expected[name], atol=atol)


def test_hard_members_have_no_gradient(rng):
    faces = scenes.random_faces("tilted", rng).requires_grad_()
    options = settings_of(9, 9, coverage="hard", alpha="hard")
    sr.rasterize_silhouette(faces, options).sum().backward()
    assert (faces.grad == 0).all()


# --- Members of one's own ---------------------------------------------------------------------


@ti.func
def laplace(x, dtype: ti.template()):
    """The distribution function of the Laplace distribution, and its complement."""
    tail = ti.exp(-ti.abs(x)) / 2
    return ti.select(x > 0, 1 - tail, tail), ti.select(x > 0, tail, 1 - tail)


@ti.func
def einstein_add(state, cover, uncovered):
    """The Einstein sum, a t-conorm."""
    return (state + cover) / (1 + state * cover)


@ti.func
def einstein_finish(state, num_faces):
    return state


@ti.func
def einstein_term(cover, uncovered, dtype: ti.template()):
    """Velocities add up by their hyperbolic angles."""
    return ti.log((1 + cover) / uncovered)


@ti.func
def einstein_slope(alpha, num_faces):
    return (1 - alpha * alpha) / 2


@pytest.fixture
def _own_members(monkeypatch):
    monkeypatch.setattr(families, "COVERAGES", dict(families.COVERAGES))
    for family in ("COVERAGES", "ALPHAS"):
        members = getattr(families, family)
        monkeypatch.setattr(f"taichi_softras.rasterizer.settings.{family}", members)
        monkeypatch.setattr(f"taichi_softras.rasterizer._plan.{family}", members)
    sr.register(
        sr.Coverage(
            name="laplace",
            signed_distance=edge_distance,
            cover=laplace,
            cutoff=lambda coverage: -float(torch.tensor(2 * coverage).log()),
            reach=edge_reach,
        )
    )
    sr.register(
        sr.Alpha(
            name="einstein",
            start=0,
            add=einstein_add,
            finish=einstein_finish,
            term=einstein_term,
            slope=einstein_slope,
        )
    )
    yield
    families.ALPHAS.pop("einstein")


@pytest.mark.usefixtures("_own_members")
def test_own_members_are_drawn(rng):
    faces = scenes.random_faces("overlapping", rng)
    options = settings_of(8, 8, coverage="laplace", alpha="einstein", coverage_cutoff=1e-9)
    x = torch.logit(reference.find_fragments(faces, options_like(options)).coverage)
    cover = torch.where(x > 0, 1 - (-x.abs()).exp() / 2, (-x.abs()).exp() / 2)
    odds = (1 + cover) / (1 - cover)
    expected = 1 - 2 / (odds.prod(-1) + 1)
    assert_same(sr.rasterize_silhouette(faces, options), expected, atol=1e-7)


def options_like(options):
    return settings_of(options.height, options.width, coverage_cutoff=options.coverage_cutoff)


@pytest.mark.gradcheck
@pytest.mark.usefixtures("_own_members")
def test_own_members_are_differentiated(rng):
    options = settings_of(6, 7, coverage="laplace", alpha="einstein", coverage_cutoff=1e-20)
    leaves = {
        "face_vertices": scenes.random_faces("overlapping", rng),
        "colors": scenes.random_colors(6, 3, rng),
        "sigma": torch.tensor([0.03], dtype=torch.float64),
    }

    def draw(face_vertices, colors, sigma):
        return sr.rasterize(face_vertices, colors, options, sigma=sigma)

    gradients.assert_gradients_match(draw, leaves, rng)


def test_registering_something_else_is_refused():
    with pytest.raises(TypeError, match="member must be a Coverage or an Alpha, got str"):
        sr.register("euclidean")
