"""After `softras warm-up` a picture and a fit compile nothing."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_what_was_warmed_up_is_found_again(tmp_path):
    cache = tmp_path / "cache"
    env = {**os.environ, "TI_OFFLINE_CACHE_FILE_PATH": str(cache), "TI_LOG_LEVEL": "error"}

    def softras(*arguments):
        command = [sys.executable, "-W", "ignore", "-m", "taichi_softras.cli", *arguments]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = softras("warm-up")
    assert "taichi, float32" in said
    assert str(cache) in said
    kept = {path.name for path in cache.rglob("*.tic")}
    assert len(kept) > 10
    softras("render", "teapot", "-o", "teapot.png", "--size", "16")
    softras("fit", "teapot", "-o", "fitted", "--steps", "2", "--size", "16")
    assert {path.name for path in cache.rglob("*.tic")} == kept
