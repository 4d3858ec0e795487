"""Schedules of softness: their values, their errors, and that kernels don't mind."""

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
import torch

import taichi_softras as sr
from taichi_softras import GeometricDecay, RasterizerSettings, StepDecay, anneal
from taichi_softras.backend import ti

SETTINGS = RasterizerSettings(height=8, width=8, sigma=0.5, gamma=0.25, near=0.5)


def test_geometric_decay_has_one_ratio_and_then_stays():
    decay = GeometricDecay(2.0, 0.02, steps=10)
    values = [decay(step) for step in range(14)]
    ratios = [b / a for a, b in pairwise(values)]
    assert values[0] == pytest.approx(2.0)
    assert ratios[:10] == pytest.approx([0.01**0.1] * 10)
    assert values[10:] == pytest.approx([0.02] * 4)
    assert decay(math.inf) == pytest.approx(0.02)


def test_geometric_decay_may_grow():
    assert GeometricDecay(1, 100, steps=2)(1) == pytest.approx(10)


def test_geometric_decay_does_not_overflow():
    assert GeometricDecay(1e300, 1e-300, steps=2)(1) == pytest.approx(1.0)


def test_step_decay_multiplies_at_its_milestones():
    decay = StepDecay(1.0, 0.5, milestones=[3, 5])
    assert [decay(step) for step in range(7)] == [1, 1, 1, 0.5, 0.5, 0.25, 0.25]
    assert StepDecay(1.0, 0.5, ())(10) == 1.0


def test_schedules_take_numbers_of_numpy():
    decay = GeometricDecay(np.float32(2), np.int64(1), steps=np.int8(100))
    assert decay(np.int8(50)) == GeometricDecay(2.0, 1.0, 100)(50)
    step_decay = StepDecay(np.float32(1), np.float64(0.5), np.array([3, 5]))
    assert step_decay == StepDecay(1.0, 0.5, (3, 5))
    assert step_decay(np.float32(4)) == 0.5


def test_schedules_are_frozen_and_equal_by_value():
    decay = StepDecay(1.0, 0.5, [3])
    assert {decay} == {StepDecay(1.0, 0.5, (3,))}
    with pytest.raises(dataclasses.FrozenInstanceError):
        decay.start = 2.0


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: GeometricDecay(0.0, 1.0, 5), ValueError, "start must be above 0, got 0.0"),
        (lambda: GeometricDecay(1.0, -1.0, 5), ValueError, "end must be above 0, got -1.0"),
        (lambda: GeometricDecay(1.0, math.inf, 5), ValueError, "end must be finite, got inf"),
        (lambda: GeometricDecay("1", 1.0, 5), TypeError, "start must be a number, got '1'"),
        (lambda: GeometricDecay(1.0, 0.1, 0), ValueError, "steps must be at least 1, got 0"),
        (lambda: GeometricDecay(1.0, 0.1, 2.0), TypeError, "steps must be an int, got 2.0"),
        (lambda: StepDecay(1.0, 0.0, (1,)), ValueError, "factor must be above 0, got 0.0"),
        (lambda: StepDecay(-1.0, 0.3, (1,)), ValueError, "start must be above 0"),
        (lambda: StepDecay(1.0, 0.3, (-1,)), ValueError, r"milestones\[0\] must be at least 0"),
        (lambda: StepDecay(1.0, 0.3, (1.5,)), TypeError, r"milestones\[0\] must be an int"),
        (lambda: StepDecay(1.0, 0.3, (5, 5)), ValueError, r"milestones must ascend, got \(5, 5\)"),
        (lambda: GeometricDecay(1.0, 0.1, 5)(-1), ValueError, "step must be at least 0, got -1"),
        (lambda: GeometricDecay(1.0, 0.1, 5)(math.nan), ValueError, "step must be at least 0"),
        (lambda: StepDecay(1.0, 0.3, ())("2"), TypeError, "step must be a number, got '2'"),
        (lambda: anneal(SETTINGS, 1, sigma=lambda step: -1.0), ValueError, "sigma must be above"),
    ],
)
def test_refusals(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_anneal_changes_what_it_is_told_to():
    sigma, gamma = GeometricDecay(1e-2, 1e-4, 10), StepDecay(1e-1, 0.1, (5,))
    assert anneal(SETTINGS, 5) == SETTINGS
    assert anneal(SETTINGS, 5, sigma=sigma) == dataclasses.replace(SETTINGS, sigma=sigma(5))
    both = anneal(SETTINGS, 5, sigma=sigma, gamma=gamma)
    assert both == dataclasses.replace(SETTINGS, sigma=sigma(5), gamma=gamma(5))
    assert both.gamma == pytest.approx(1e-2)


@pytest.fixture
def compiled(monkeypatch):
    """Names of the kernels that Taichi compiles in a test."""
    names = []
    materialize = ti.lang.kernel_impl.Kernel.materialize

    def note(kernel, *arguments, **options):
        before = len(kernel.compiled_kernels)
        materialize(kernel, *arguments, **options)
        if len(kernel.compiled_kernels) > before:
            names.append(kernel.func.__name__)

    monkeypatch.setattr(ti.lang.kernel_impl.Kernel, "materialize", note)
    return names


def test_annealing_compiles_nothing_again(compiled, rng):
    faces = torch.rand(1, 4, 3, 3, generator=rng) + torch.tensor([-0.5, -0.5, 1.0])
    faces.requires_grad_()
    colors = torch.rand(1, 4, 3, 3, generator=rng)
    schedules = {"sigma": GeometricDecay(1e-2, 1e-4, 8), "gamma": StepDecay(1e-1, 0.3, (2, 4))}
    images = []
    for step in range(6):
        image = sr.rasterize(faces, colors, anneal(SETTINGS, step, **schedules))
        image.sum().backward()
        images.append(image.detach())
        if step == 0:
            compiled.clear()
    assert compiled == []
    assert all(not torch.equal(a, b) for a, b in pairwise(images))

    @ti.kernel
    def another():
        pass

    another()  # or nothing would be counted
    assert compiled == ["another"]
