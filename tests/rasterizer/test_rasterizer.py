"""Images against the formulas in PyTorch, and against conventions made by hand."""

import pytest
import scenes
import torch

import taichi_softras as sr
from taichi_softras import reference

SIZES = [(12, 12), (7, 19), (18, 5)]


def settings_of(height, width, **options):
    options = {"near": 1.0, "far": 10.0, "sigma": 1e-2, "gamma": 1e-1, **options}
    return sr.RasterizerSettings(height=height, width=width, **options)


def assert_same(actual, expected, atol=1e-12):
    # float64 to nearly the last digit: a looser bound would let float32 creep into a kernel.
    torch.testing.assert_close(actual.cpu(), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("perspective_correct", [True, False], ids=["perspective", "affine"])
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("kind", scenes.KINDS)
def test_matches_reference(kind, height, width, perspective_correct, device, rng):
    faces = scenes.random_faces(kind, rng, num_items=2)
    colors = scenes.random_colors(6, 3, rng, num_items=2)
    background = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    for softness in (
        {"sigma": 1e-2, "gamma": 1e-1},
        {"sigma": 1e-4, "gamma": 1e-3, "eps": 0.3, "coverage_cutoff": 1e-2},
        {"sigma": 1.0, "gamma": 10.0, "cull": "back"},
    ):
        settings = settings_of(height, width, perspective_correct=perspective_correct, **softness)
        image = sr.rasterize(
            faces.to(device),
            colors.to(device),
            settings,
            background=background[None, None, None].to(device),
        )
        assert_same(image, reference.rasterize(faces, colors, settings, background=background))


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("kind", scenes.KINDS)
def test_silhouette_matches_reference(kind, height, width, device, rng):
    faces = scenes.random_faces(kind, rng, num_items=3)
    for options in ({"sigma": 1e-1}, {"sigma": 1e-5}, {"cull": "back"}):
        settings = settings_of(height, width, **options)
        alpha = sr.rasterize_silhouette(faces.to(device), settings)
        assert_same(alpha, reference.rasterize_silhouette(faces, settings))


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 9])
def test_any_number_of_channels(channels, device, rng):
    faces = scenes.random_faces("tilted", rng)
    colors = scenes.random_colors(6, channels, rng)
    background = [0.1 * c for c in range(channels)]
    settings = settings_of(9, 10)
    image = sr.rasterize(faces.to(device), colors.to(device), settings, background=background)
    assert_same(image, reference.rasterize(faces, colors, settings, background=background))


@pytest.mark.parametrize(
    "background_shape",
    [(1, 1, 1, 3), (3, 1, 1, 3), (1, 6, 1, 3), (1, 1, 8, 3), (3, 6, 8, 3)],
    ids=str,
)
@pytest.mark.parametrize("color_items", [1, 3])
def test_shared_and_separate_inputs(background_shape, color_items, device, rng):
    faces = scenes.random_faces("overlapping", rng, num_items=3)
    colors = scenes.random_colors(6, 3, rng, num_items=color_items)
    softness = {
        "sigma": torch.tensor([1e-3, 1e-2, 1e-1], dtype=torch.float64),
        "gamma": torch.tensor([1e-2, 1e-1, 1.0], dtype=torch.float64),
        "eps": torch.tensor([0.9, 0.1, 0.5], dtype=torch.float64),
    }
    if color_items == 1:
        softness = {name: values[:1] for name, values in softness.items()}
    background = torch.rand(background_shape, generator=rng, dtype=torch.float64)
    settings = settings_of(6, 8)
    image = sr.rasterize(
        faces.to(device),
        colors.to(device),
        settings,
        background=background.to(device),
        **{name: values.to(device) for name, values in softness.items()},
    )
    expected = reference.rasterize(faces, colors, settings, background=background, **softness)
    assert_same(image, expected)


def test_number_as_background_is_that_color_everywhere(rng):
    faces, colors = scenes.random_faces("tiny", rng), scenes.random_colors(6, 3, rng)
    image = sr.rasterize(faces, colors, settings_of(6, 8), background=0.25)
    expected = reference.rasterize(faces, colors, settings_of(6, 8), background=0.25)
    assert_same(image, expected)


def test_many_faces_on_a_large_image(device, rng):
    """Several tiles, each with long lists, and a last row and column of tiles that are cut."""
    faces = scenes.random_faces("offscreen", rng, num_items=2, num_faces=150)
    colors = scenes.random_colors(150, 1, rng)
    settings = settings_of(33, 41, sigma=1e-3)
    image = sr.rasterize(faces.to(device), colors.to(device), settings)
    assert_same(image, reference.rasterize(faces, colors, settings))


@pytest.mark.parametrize(("height", "width"), [(520, 530), (530, 2048 * 4)], ids=str)
def test_larger_tiles_draw_the_same(height, width, device, rng):
    """Images over 2048^2 pixels have larger tiles; see `choose_tile_size`."""
    faces = scenes.random_faces("overlapping", rng, num_faces=3)
    settings = settings_of(height, width, sigma=1e-4)
    alpha = sr.rasterize_silhouette(faces.to(device), settings)[0, ::37, ::41].cpu()
    # The reference draws one pixel, in the middle: a copy of the scene is moved there for each.
    points = reference.pixel_centers(settings, faces)[::37, ::41].reshape(-1, 1, 1, 2)
    places = (faces[..., :2] - points) * reference.isotropic_scale(settings, faces)
    moved = torch.cat([places, faces[..., 2:].expand(len(places), -1, -1, -1)], dim=-1)
    expected = reference.rasterize_silhouette(moved, settings_of(1, 1, sigma=1e-4))
    assert_same(alpha, expected.reshape(alpha.shape))


@pytest.mark.parametrize("coverage", ["euclidean", "barycentric", "hard"])
@pytest.mark.parametrize("alpha", ["prod", "sum"])
@pytest.mark.parametrize("kind", scenes.KINDS)
def test_float32_silhouettes_are_close(kind, alpha, coverage, rng):
    """They are drawn face by face, by sums of integers."""
    faces = scenes.random_faces(kind, rng, num_items=2)
    settings = settings_of(40, 36, sigma=1e-2, alpha=alpha, coverage=coverage)
    found = sr.rasterize_silhouette(faces.float(), settings)
    assert found.dtype == torch.float32
    expected = sr.rasterize_silhouette(faces, settings)
    wrong = (found - expected).abs() > 1e-5
    assert wrong.double().mean() < 2e-3  # pixels on an edge of hard coverage, if any


def test_float32_silhouettes_of_many_faces(rng):
    """A pile of 20,000 opaque faces: the sum of their terms does not overflow."""
    faces = scenes.random_faces("covering", rng).float()[:, :1].repeat(1, 20_000, 1, 1)
    alpha = sr.rasterize_silhouette(faces, settings_of(3, 3, sigma=1e-4))
    assert (alpha == 1).all()
    faint = faces.clone()
    faint[..., 0] += 24.0  # far enough that each covers next to nothing
    settings = settings_of(3, 3, sigma=40.0, coverage_cutoff=1e-15)
    expected = sr.rasterize_silhouette(faint.double(), settings)
    assert 0.01 < expected.min() < expected.max() < 0.99
    torch.testing.assert_close(
        sr.rasterize_silhouette(faint, settings).double(), expected, rtol=0, atol=1e-2
    )


def test_float32_is_close(device, rng):
    faces = scenes.random_faces("tilted", rng, num_items=2)
    colors = scenes.random_colors(6, 3, rng)
    settings = settings_of(16, 16, sigma=1e-3, gamma=1e-2)
    image = sr.rasterize(faces.float().to(device), colors.float().to(device), settings)
    assert image.dtype == torch.float32
    expected = reference.rasterize(faces, colors, settings)
    torch.testing.assert_close(image.double().cpu(), expected, rtol=0, atol=1e-3)


def triangle(*corners, depth=5.0):
    """One face, (1, 1, 3, 3)."""
    return torch.tensor([[[[x, y, depth] for x, y in corners]]], dtype=torch.float64)


RIGHT_HALF = ((0.0, -9.0), (9.0, 0.0), (0.0, 9.0))
UPPER_HALF = ((-9.0, 0.0), (9.0, 0.0), (0.0, 9.0))


@pytest.mark.parametrize("height", [4, 9])
def test_pixel_on_an_edge_is_half_covered(height):
    settings = settings_of(height, 5, sigma=1e-6)
    alpha = sr.rasterize_silhouette(triangle(*RIGHT_HALF), settings)
    assert (alpha[0, :, 2] == 0.5).all()


def test_right_half_is_hard_for_small_sigma():
    alpha = sr.rasterize_silhouette(triangle(*RIGHT_HALF), settings_of(6, 4, sigma=1e-10))
    assert alpha[0].tolist() == [[0, 0, 1, 1]] * 6


def test_first_row_is_on_top():
    alpha = sr.rasterize_silhouette(triangle(*UPPER_HALF), settings_of(4, 6, sigma=1e-10))
    assert alpha[0].tolist() == [[1] * 6] * 2 + [[0] * 6] * 2


@pytest.mark.parametrize(("height", "width"), [(10, 40), (40, 10)])
def test_sigma_is_relative_to_the_shorter_side(height, width):
    """The same softness, in pixels, along x and along y: a pixel is square."""
    settings = settings_of(height, width, sigma=0.05)
    across = sr.rasterize_silhouette(triangle((0, -99), (99, 0), (0, 99)), settings)[0]
    upward = sr.rasterize_silhouette(triangle((-99, 0), (99, 0), (0, 99)), settings)[0]
    right = across[height // 2, width // 2 : width // 2 + 5]
    up = upward[height // 2 - 5 : height // 2, width // 2].flip(0)
    # One pixel is 2 / 10 of half the shorter side, and its centre half of that.
    distances = (torch.arange(5, dtype=torch.float64) + 0.5) * 0.2
    expected = torch.sigmoid(distances**2 / 0.05)
    assert_same(right, expected, atol=1e-5)  # the corners are not quite at infinity
    assert_same(up, expected, atol=1e-5)


def test_order_of_corners_does_not_matter(rng):
    faces = scenes.random_faces("tilted", rng)
    colors = scenes.random_colors(6, 3, rng)
    image = sr.rasterize(faces, colors, settings_of(9, 9))
    for order in ([1, 2, 0], [2, 1, 0], [0, 2, 1]):
        again = sr.rasterize(faces[:, :, order], colors[:, :, order], settings_of(9, 9))
        assert_same(again, image)


def test_order_of_faces_does_not_matter(rng):
    faces = scenes.random_faces("overlapping", rng)
    colors = scenes.random_colors(6, 3, rng)
    image = sr.rasterize(faces, colors, settings_of(9, 9))
    order = torch.randperm(6, generator=rng)
    assert_same(sr.rasterize(faces[:, order], colors[:, order], settings_of(9, 9)), image)


def test_culling_drops_clockwise_faces():
    settings = settings_of(4, 4, cull="back")
    assert (sr.rasterize_silhouette(triangle(*RIGHT_HALF), settings) > 0).any()
    for face in (triangle(*RIGHT_HALF[::-1]), triangle((-0.5, 0), (0.1, 0), (0.5, 0))):
        assert (sr.rasterize_silhouette(face, settings) == 0).all()


@pytest.mark.parametrize("num_items", [1, 3])
def test_no_faces_is_the_background(num_items, device):
    faces = torch.zeros(num_items, 0, 3, 3, dtype=torch.float64, device=device)
    colors = torch.zeros(1, 0, 3, 2, dtype=torch.float64, device=device)
    image = sr.rasterize(faces, colors, settings_of(3, 4), background=(0.25, 0.75))
    assert image.shape == (num_items, 3, 4, 3)
    assert (image == image.new_tensor([0.25, 0.75, 0])).all()
    assert (sr.rasterize_silhouette(faces, settings_of(3, 4)) == 0).all()


@pytest.mark.parametrize("nearer", [0, 1])
def test_nearer_face_hides_the_other_for_small_gamma(nearer):
    faces = torch.cat([triangle(*RIGHT_HALF, depth=4 + (i != nearer)) for i in (0, 1)], dim=1)
    colors = torch.tensor([0.25, 0.75], dtype=torch.float64)[None, :, None, None].repeat(1, 1, 3, 1)
    image = sr.rasterize(faces, colors, settings_of(4, 4, sigma=1e-6, gamma=1e-4))
    assert_same(image[0, :, 2:, 0], torch.full((4, 2), [0.25, 0.75][nearer], dtype=torch.float64))


def test_colors_of_hidden_faces_show_for_large_gamma():
    faces = torch.cat([triangle(*RIGHT_HALF, depth=d) for d in (4, 5)], dim=1)
    colors = torch.tensor([0.0, 1.0], dtype=torch.float64)[None, :, None, None].repeat(1, 1, 3, 1)
    image = sr.rasterize(faces, colors, settings_of(4, 4, sigma=1e-6, gamma=1e6, eps=0))
    assert_same(image[0, :, 3, 0], torch.full((4,), 1 / 3, dtype=torch.float64), atol=1e-6)


def test_perspective_correct_colors_are_linear_in_the_world():
    """Half-way in the image, between depths 2 and 6, is a quarter of the way in the world."""
    face = triangle((-3.0, -1e3), (3.0, -1e3), (3.0, 1e3))
    face = torch.tensor([[[[-1.0, -9, 2], [1, -9, 6], [0, 9, 3]]]], dtype=torch.float64)
    colors = torch.tensor([[[[0.0], [1.0], [0.0]]]], dtype=torch.float64)
    face[..., 2, 1], face[..., :2, 1] = 1e6, 0.0  # the centre lies on the first edge
    for perspective_correct, expected in ((True, 0.25), (False, 0.5)):
        settings = settings_of(
            1, 1, gamma=1e-4, near=1.0, far=10.0, perspective_correct=perspective_correct
        )
        image = sr.rasterize(face, colors, settings)
        assert_same(image[0, 0, 0, 0], torch.tensor(expected, dtype=torch.float64), atol=1e-9)


def test_degenerate_faces_cover_at_most_half():
    line = triangle((-0.5, 0.0), (0.1, 0.0), (0.5, 0.0))
    point = triangle((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
    for face in (line, point):
        alpha = sr.rasterize_silhouette(face, settings_of(9, 9, sigma=1e-2))
        assert alpha.isfinite().all()
        assert alpha.max() == 0.5
        assert alpha[0, 4, 4] == 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [1e-1, 1e-2, 1e-3, 3e-5], ids="{:.0e}".format)
def test_small_faces_have_an_inside(size, dtype):
    face = size * torch.tensor([[-0.5, -0.3], [0.5, -0.3], [0.0, 0.6]], dtype=dtype)
    face = torch.cat([face, torch.full((3, 1), 5.0, dtype=dtype)], dim=-1)[None, None]
    settings = settings_of(9, 9, sigma=1e-3 * size**2)
    alpha = sr.rasterize_silhouette(face, settings)
    assert alpha[0, 4, 4] > 0.999
    turned = sr.rasterize_silhouette(face.flip(2), settings)
    torch.testing.assert_close(turned, alpha, rtol=0, atol=1e-5)


def test_fragments_outside_the_depth_range_are_left_out():
    """A face that crosses the near plane is cut there, fragment by fragment."""
    face = torch.tensor([[[[-1.0, -9, 1], [1, -9, 3], [0, 9, 2]]]], dtype=torch.float64)
    face[..., 2, 1], face[..., :2, 1] = 1e6, 0.0  # depth 1.5 at x = 0 by 1 / z, whatever y
    alpha = sr.rasterize_silhouette(face, settings_of(8, 8, near=1.6, sigma=1e-8))
    assert (alpha[0, :4, :4] == 0).all()
    assert (alpha[0, :4, 5:7] == 1).all()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"face_vertices": torch.zeros(1, 6, 3, 2)}, ValueError, r"face_vertices must have shape"),
        ({"face_vertices": torch.zeros(0, 6, 3, 3)}, ValueError, r"face_vertices must have B >= 1"),
        ({"face_vertices": torch.zeros(1, 6, 3, 3).half()}, TypeError, "must be float32 or"),
        ({"face_vertices": [[1, 2, 3]]}, TypeError, "face_vertices must be a torch.Tensor or"),
        ({"colors": torch.zeros(1, 5, 3, 3)}, ValueError, r"colors must have shape"),
        ({"colors": torch.zeros(2, 6, 3, 3)}, ValueError, r"colors must have shape"),
        ({"colors": torch.zeros(1, 6, 3, 0)}, ValueError, "at least 1 channel, got 0"),
        (
            {"colors": torch.zeros(1, 6, 3, 3).double()},
            TypeError,
            "colors must be float32",
        ),
        ({"background": torch.zeros(3)}, ValueError, r"background must have shape"),
        ({"background": torch.zeros(5, 1, 1, 3)}, ValueError, r"background must have shape"),
        ({"background": torch.zeros(1, 0, 1, 3)}, ValueError, "background must have no size of 0"),
        ({"background": torch.zeros(1, 1, 1, 3).double()}, TypeError, "background must be float32"),
        ({"background": (0.0, 1.0)}, ValueError, "background must be an array, a number or 3"),
        ({"background": "red"}, ValueError, "background must be an array, a number or 3"),
        ({"background": float("nan")}, ValueError, "background must be finite"),
        ({"sigma": torch.ones(2)}, ValueError, r"sigma must have shape"),
        ({"sigma": torch.ones(())}, ValueError, r"sigma must have shape"),
        ({"gamma": torch.ones(2)}, ValueError, r"gamma must have shape"),
        ({"eps": torch.ones(1).double()}, TypeError, r"eps must be float32, got float64"),
        ({"eps": 0.1}, TypeError, r"eps must be a torch.Tensor or a ti.ndarray, got float"),
    ],
)
def test_refusals(changes, error, words):
    arguments = {
        "face_vertices": torch.zeros(1, 6, 3, 3),
        "colors": torch.zeros(1, 6, 3, 3),
        "settings": settings_of(4, 4),
        **changes,
    }
    with pytest.raises(error, match=words):
        sr.rasterize(**arguments)


def test_too_many_pixels_are_refused():
    """Arrays of what faces need of pixels are indexed by 32 bits."""
    faces, settings = triangle(*RIGHT_HALF), settings_of(20_000, 20_000)
    with pytest.raises(ValueError, match=r"about 357913941 pixels in all, got 1 x 20000 x 20000"):
        sr.rasterize(faces, torch.zeros_like(faces), settings)


@pytest.mark.slow
def test_too_many_tile_entries_are_refused():
    """2^31 entries would take 8 GiB; the count is refused before anything that long is made."""
    faces = triangle(*RIGHT_HALF).expand(1, 2**19 + 1, 3, 3)
    settings = settings_of(512, 512, sigma=10.0)
    with pytest.raises(ValueError, match="lower sigma"):
        sr.rasterize_silhouette(faces, settings)
