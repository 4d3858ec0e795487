"""The page on which a mesh of photographs grows, driven in a real browser. Skipped without one."""

import io
import re
import shutil
import signal
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import photographed
import pytest
from displays import wait_for

import taichi_softras as sr
from taichi_softras.cli import main

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("viser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="chromium is not installed"),
]
MESH = photographed.colorful(sr.icosphere(3))


@pytest.fixture
def folder(tmp_path):
    """IDR's folder of a ball's photographs."""
    captures = photographed.photograph(MESH, 8, height=48, width=64)
    arrays = {}
    for name, images in (("image", captures.pictures), ("mask", captures.masks)):
        (tmp_path / name).mkdir()
        for i, image in enumerate(images):
            iio.imwrite(tmp_path / name / f"{i}.png", image)
            arrays[f"world_mat_{i}"] = np.vstack([captures.projections[i], [0, 0, 0, 1]])
    np.savez(tmp_path / "cameras.npz", **arrays)
    return tmp_path


def test_a_mesh_grows_on_the_page_and_ends_when_interrupted(folder):
    command = [sys.executable, "-m", "taichi_softras.cli", "reconstruct", str(folder)]
    quick = ("--resolution", "24", "--finest", "0.2", "--texture", "0", "--pace", "1000")
    process = subprocess.Popen(
        [*command, "-o", str(folder / "out"), *quick, "--view", "--port", "8731"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Those who run tests in the background have SIGINT ignored, which would be inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        line = process.stdout.readline()
        found = re.match(r"the mesh grows at (http://127\.0\.0\.1:\d+)", line)
        assert found, line + process.stderr.read()
        look_at(found.group(1))
        process.send_signal(signal.SIGINT)
        printed, problems = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "mesh.glb as it was; --resume goes on" in printed
        assert problems.strip() == "softras: interrupted"
        assert sr.read_mesh(folder / "out" / "mesh.glb").num_faces > 100
    finally:
        process.kill()
        process.communicate()


def look_at(url):
    with playwright.sync_playwright() as runner:
        options = ["--no-sandbox", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
        browser = runner.chromium.launch(executable_path=BROWSER, args=options)
        page = browser.new_page(viewport={"width": 800, "height": 500})
        page.goto(url)
        page.get_by_text(re.compile("Stage 1 of")).wait_for(timeout=60_000)

        def step() -> int:
            text = page.get_by_text(re.compile(r"step \d+ of")).first.inner_text()
            return int(re.search(r"step (\d+) of", text)[1])

        first = step()
        wait_for(lambda: step() > first, "steps to go on")
        page.get_by_text(re.compile(r"loss 0\.\d+")).first.wait_for(timeout=60_000)

        def colorful() -> bool:
            """Whether the ball is there: nothing else on the page is so many-coloured."""
            canvas = page.locator("canvas").first.screenshot()
            picture = iio.imread(io.BytesIO(canvas))[..., :3].astype(int)
            return (np.ptp(picture, axis=2) > 60).mean() > 0.01

        wait_for(colorful, "the mesh")
        browser.close()


def test_without_viser_it_says_what_to_install(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    quick = ("--resolution", "24", "--view")
    assert main(["reconstruct", str(folder), "-o", str(folder / "out"), *quick]) == 1
    assert "pip install 'taichi_softras[web]'" in capsys.readouterr().err
    assert not (folder / "out").exists()
