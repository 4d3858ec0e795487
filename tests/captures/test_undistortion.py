"""Pictures through lenses that bend lines become those of pinholes with the same matrix."""

import folders
import imageio.v3 as iio
import numpy as np
import pytest

import taichi_softras as sr

LENSES = {
    "radial": ({"k1": -0.2, "k2": 0.05, "p1": 0.01, "p2": -0.02}, False),
    "fisheye": ({"k1": 0.05, "k2": -0.01, "k3": 0.002, "k4": 0.0, "is_fisheye": True}, True),
}


def bend(x, y, lens, fisheye):
    """OpenCV's formulas, written down once more."""
    r_sq = x * x + y * y
    if fisheye:
        r = np.sqrt(r_sq)
        angle = np.arctan(r)
        powers = sum(lens[f"k{k}"] * angle ** (2 * k) for k in (1, 2, 3, 4))
        scale = np.where(r > 0, angle * (1 + powers) / np.maximum(r, 1e-12), 1)
        return x * scale, y * scale
    k1, k2, p1, p2 = (lens[name] for name in ("k1", "k2", "p1", "p2"))
    radial = 1 + k1 * r_sq + k2 * r_sq**2
    return (
        x * radial + 2 * p1 * x * y + p2 * (r_sq + 2 * x * x),
        y * radial + p1 * (r_sq + 2 * y * y) + 2 * p2 * x * y,
    )


@pytest.mark.parametrize("name", LENSES)
def test_undistorted_pictures_show_what_a_pinhole_shows(name, tmp_path):
    lens, fisheye = LENSES[name]
    scene = folders.make_scene()
    folders.write_ngp(scene, tmp_path, **lens)
    # A picture that says of each of its pixels where it is.
    row, col = np.mgrid[: folders.HEIGHT, : folders.WIDTH]
    places = np.dstack([row * 8, col * 8, np.zeros_like(row)]).astype(np.uint8)
    for stem in folders.NAMES:
        iio.imwrite(tmp_path / "images" / f"{stem}.png", places)
    folders.write_masks(scene, tmp_path / "masks")
    captures = sr.read_captures(tmp_path)
    np.testing.assert_allclose(captures.projections, scene.projections, atol=1e-9)
    (fx, _, cx), (_, fy, cy), _ = scene.matrix
    x, y = bend((col - cx) / fx, (row - cy) / fy, lens, fisheye)
    u, v = fx * x + cx, fy * y + cy
    inside = (u >= 0) & (v >= 0) & (u <= folders.WIDTH - 1) & (v <= folders.HEIGHT - 1)
    assert inside.mean() > 0.6
    assert (captures.known[0] >= inside).all()
    errors = captures.pictures[0, ..., :2] - 8 * np.dstack([v, u])
    assert np.abs(errors[inside]).max() <= 0.51
    assert np.abs(errors[inside]).mean() > 0.1  # rounding, which shows that something was moved
    outside = (u < -1) | (v < -1) | (u > folders.WIDTH) | (v > folders.HEIGHT)
    assert not captures.known[0][outside].any()


def test_masks_are_undistorted_too(tmp_path):
    lens, _ = LENSES["radial"]
    scene = folders.make_scene()
    folders.write_ngp(scene, tmp_path, **lens)
    folders.write_masks(scene, tmp_path / "masks")
    for stem, mask in zip(folders.NAMES, scene.masks):
        iio.imwrite(tmp_path / "images" / f"{stem}.png", np.dstack([mask] * 3))
    captures = sr.read_captures(tmp_path)
    assert (captures.masks == captures.pictures[..., 0]).all()
    assert (captures.masks != scene.masks).any()


def test_fisheye_models_of_colmap_are_undistorted_alike(tmp_path):
    lens, _ = LENSES["fisheye"]
    scene = folders.make_scene()
    folders.write_ngp(scene, tmp_path / "ngp", **lens)
    params = (40, 42, 15, 12.75, lens["k1"], lens["k2"], lens["k3"], lens["k4"])
    folders.write_colmap(scene, tmp_path / "colmap", model="OPENCV_FISHEYE", params=params)
    ngp, colmap = (sr.read_captures(tmp_path / name) for name in ("ngp", "colmap"))
    assert (ngp.pictures == colmap.pictures).all()
    assert (ngp.known == colmap.known).all()
    assert (ngp.pictures != scene.pictures).any()
