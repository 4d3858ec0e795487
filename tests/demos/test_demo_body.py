import json
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest
from experiments import run_experiment

from demos.paper.body.__main__ import main
from demos.paper.body.fitting import make_problem
from demos.paper.body.model import JOINTS, SKIN, color_of, is_right_arm

PREPARE = """
import gzip

import anny
import numpy as np
import torch
from anny.models import full_model


def load_blend_shape(filename, vertices_count, world_transformation, dtype):
    with gzip.open(filename, "rt") as lines:
        numbers = np.fromstring(lines.read(), sep=" ").reshape(-1, 4)
    offsets = torch.zeros((vertices_count, 3), dtype=dtype)
    offsets[numbers[:, 0].astype(int)] = torch.as_tensor(numbers[:, 1:], dtype=dtype)
    return world_transformation.apply(offsets)


full_model.load_blend_shape = load_blend_shape
anny.Anny(topology="notoes_collapse10pc", skinning_method="lbs")
"""
"""Fills anny's cache with the numbers that anny would, but reads their 1,136 files in seconds: anny
goes through them line by line, for minutes."""


@pytest.fixture(scope="module")
def anny_cache():
    pytest.importorskip("anny")
    subprocess.run([sys.executable, "-c", PREPARE], check=True, capture_output=True)


@pytest.mark.slow
def test_soft_images_have_gradients_at_a_hidden_arm_and_fit(anny_cache, tmp_path):
    assert "reveal" in run_experiment("body", "--quick", "--output", tmp_path / "new" / "body")
    results = {
        (row["scenario"], row["variant"]): row
        for row in json.loads((tmp_path / "new" / "body" / "results.json").read_text())
    }
    start, hard, soft = (results["reveal", name] for name in ("start", "hard", "soft"))
    assert start["visible at the start"] < 0.2 < 0.8 < start["visible in the picture"]
    assert hard["reached"] < 0.5 < 0.99 < soft["reached"]
    before, by_hard, by_soft = (np.mean(row["errors"]["loss"]) for row in (start, hard, soft))
    assert by_soft < 0.8 * before
    assert by_soft < 0.8 * by_hard
    frames = iio.imread(tmp_path / "new" / "body" / "body.gif")
    assert frames.shape[1:3] == (128, 192)
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 50
    assert iio.imread(tmp_path / "new" / "body" / "body.png").std() > 10


def test_without_anny_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "anny", None)
    with pytest.raises(SystemExit, match=r"pip install 'taichi_softras\[body\]'"):
        main(["--quick", "--output", str(tmp_path)])


@pytest.mark.parametrize("name", ["steps", "size", "targets"])
def test_refuses_numbers_that_are_too_small(capsys, name):
    with pytest.raises(SystemExit):
        main([f"--{name}", "0"])
    assert f"--{name} must be at least" in capsys.readouterr().err


def test_forearm_and_hand_are_the_arm():
    bones = ("lowerarm01.R", "wrist.R", "finger3-1.R", "upperarm01.R", "lowerarm01.L", "foot.R")
    assert [is_right_arm(bone) for bone in bones] == [True, True, True, False, False, False]
    assert color_of("finger3-1.R") == SKIN != color_of("spine03")


def test_scenarios_are_each_other_reversed_but_for_noise():
    hide_start, hide_end = make_problem("hide", 3, seed=1)
    reveal_start, reveal_end = make_problem("reveal", 3, seed=1)
    moved = reveal_start.rotations - hide_start.rotations
    bent = [JOINTS.index(name) for name in ("upperarm01.R", "lowerarm01.R")]
    assert moved.any(2).any(0).nonzero()[:, 0].tolist() == bent
    np.testing.assert_allclose(hide_end.rotations - reveal_end.rotations, moved, atol=1e-6)
    assert not hide_start.logits.any()
    assert 0.25 < hide_end.logits.sigmoid().min() < hide_end.logits.sigmoid().max() < 0.75
    assert not np.allclose(hide_end.logits[0], hide_end.logits[1])
