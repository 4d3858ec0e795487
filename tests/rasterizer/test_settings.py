"""Options: their defaults hold together, and each is checked."""

import dataclasses
import math

import numpy as np
import pytest

from taichi_softras import RasterizerSettings


@pytest.mark.parametrize(
    ("option", "error", "words"),
    [
        ({"height": 0}, ValueError, "height must be at least 1, got 0"),
        ({"width": -3}, ValueError, "width must be at least 1, got -3"),
        ({"height": 2.0}, TypeError, "height must be an int, got 2.0"),
        ({"width": True}, TypeError, "width must be an int, got True"),
        ({"near": 0.0}, ValueError, "need 0 < near < far, got near=0.0, far=100.0"),
        ({"near": -1.0}, ValueError, "need 0 < near < far"),
        ({"near": 100.0}, ValueError, "need 0 < near < far"),
        ({"far": 0.5}, ValueError, "need 0 < near < far"),
        ({"far": math.inf}, ValueError, "far must be finite, got inf"),
        ({"sigma": 0.0}, ValueError, "sigma must be above 0, got 0.0"),
        ({"sigma": -1e-4}, ValueError, "sigma must be above 0"),
        ({"sigma": math.nan}, ValueError, "sigma must be finite, got nan"),
        ({"sigma": "1e-4"}, TypeError, "sigma must be a number, got '1e-4'"),
        ({"gamma": 0}, ValueError, "gamma must be above 0, got 0"),
        ({"gamma": False}, TypeError, "gamma must be a number, got False"),
        ({"eps": math.inf}, ValueError, "eps must be finite"),
        ({"eps": None}, TypeError, "eps must be a number, got None"),
        ({"coverage_cutoff": 0.0}, ValueError, r"coverage_cutoff must be in \(0, 0.5\), got 0.0"),
        ({"coverage_cutoff": 0.5}, ValueError, r"coverage_cutoff must be in \(0, 0.5\)"),
        ({"perspective_correct": 1}, TypeError, "perspective_correct must be True or False, got 1"),
        ({"interpolation": "far"}, ValueError, "interpolation must be one of 'nearest', 'clipped'"),
        ({"coverage": "round"}, ValueError, "coverage must be one of 'euclidean', 'barycentric'"),
        ({"alpha": None}, ValueError, "alpha must be one of 'prod', 'sum', 'hard'"),
        ({"color": "soft"}, ValueError, "color must be one of 'softmax', 'hard', got 'soft'"),
        ({"cull": True}, ValueError, "cull must be one of 'none', 'back', 'front', got True"),
        ({"supersampling": 0}, ValueError, "supersampling must be at least 1, got 0"),
        ({"cull_alpha": "yes"}, TypeError, "cull_alpha must be True or False, got 'yes'"),
    ],
    ids=str,
)
def test_refusals(option, error, words):
    with pytest.raises(error, match=words):
        RasterizerSettings(**{"height": 4, "width": 4, **option})


def test_numbers_of_numpy_are_taken():
    """And kept as Python's: products of few bits would wrap round."""
    settings = RasterizerSettings(
        height=np.int8(100),
        width=np.uint16(60),
        near=np.float32(0.5),
        far=np.int64(3),
        sigma=np.float32(1e-3),
        gamma=np.float64(1e-2),
        orthographic=np.bool_(True),
    )
    assert settings.height * 2 == 200
    assert settings == RasterizerSettings(
        height=100,
        width=60,
        near=0.5,
        far=3,
        sigma=float(np.float32(1e-3)),
        gamma=1e-2,
        orthographic=True,
    )
    kinds = {type(value) for value in dataclasses.asdict(settings).values()}
    assert kinds == {int, float, bool, str}


@pytest.mark.parametrize("bad", [np.array([4]), np.float32(4), "4", 4j, None], ids=repr)
def test_sizes_that_are_no_integers_are_refused(bad):
    with pytest.raises(TypeError, match="height must be an int"):
        RasterizerSettings(height=bad, width=4)


def test_settings_are_frozen_and_keyword_only():
    settings = RasterizerSettings(height=4, width=6)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.sigma = 1.0
    with pytest.raises(TypeError):
        RasterizerSettings(4, 6)


def test_every_option_is_kept():
    """One other value of each: a field without an annotation would not be one."""
    options = {
        "height": 3,
        "width": 5,
        "near": 0.25,
        "far": 7,
        "sigma": 0.5,
        "gamma": 2,
        "eps": -0.5,
        "coverage_cutoff": 0.25,
        "perspective_correct": False,
        "orthographic": True,
        "interpolation": "clipped",
        "coverage": "barycentric",
        "alpha": "sum",
        "color": "hard",
        "cull": "back",
        "cull_alpha": False,
        "supersampling": 2,
    }
    assert set(options) == {field.name for field in dataclasses.fields(RasterizerSettings)}
    settings = RasterizerSettings(**options)
    assert dataclasses.asdict(settings) == options
    assert settings == RasterizerSettings(**options)
    assert hash(settings) == hash(RasterizerSettings(**options))


def test_derived_numbers():
    settings = RasterizerSettings(height=4, width=6, coverage_cutoff=0.25)
    assert settings.aspect == 1.5
    assert settings.cutoff == pytest.approx(math.log(3))
    assert 1 / (1 + math.exp(settings.cutoff)) == pytest.approx(0.25)
