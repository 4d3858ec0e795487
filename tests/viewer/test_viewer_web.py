"""The viewer's page, driven in a real browser without a screen. Skipped without one."""

import io
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import imageio.v3 as iio
import numpy as np
import pytest
from displays import wait_for

from taichi_softras.cli import main

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("viser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="chromium is not installed"),
]


class Page:
    """The page in a browser."""

    def __init__(self, page) -> None:
        self.page = page

    def picture(self) -> np.ndarray:
        """What the canvas shows, of which the middle is the mesh, (H, W, 3)."""
        canvas = self.page.locator("canvas").first
        return iio.imread(io.BytesIO(canvas.screenshot()))[..., :3].astype(int)

    def settle(self) -> np.ndarray:
        """Wait until the canvas shows the same for a while, and return that."""
        pictures = [self.picture()]

        def same() -> bool:
            self.page.wait_for_timeout(700)
            pictures.append(self.picture())
            return len(pictures) > 3 and all(np.array_equal(p, pictures[-1]) for p in pictures[-3:])

        wait_for(same, "the page to come to rest", 120)
        return pictures[-1]

    def center(self) -> tuple[float, float]:
        box = self.page.locator("canvas").first.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[subprocess.Popen, str]]:
    command = [sys.executable, "-m", "taichi_softras.cli", "view", "torus", "--web"]
    process = subprocess.Popen(
        [*command, "--port", "8711", "--height", "300"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Those who run tests in the background have SIGINT ignored, which would be inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    line = process.stdout.readline()
    found = re.match(r"serving at (http://127\.0\.0\.1:\d+); Ctrl\+C ends it", line)
    try:
        assert found, line + process.stdout.read()
        yield process, found.group(1)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as runner:
        options = ("--no-sandbox", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
        browser = runner.chromium.launch(executable_path=BROWSER, args=list(options))
        yield browser
        browser.close()


@pytest.fixture
def page(server, browser):
    page = browser.new_page(viewport={"width": 800, "height": 500})
    page.goto(server[1])
    page.get_by_text("rasterizer").wait_for(timeout=60_000)
    shown = Page(page)
    # The torus is drawn in grey on the dark background.
    wait_for(lambda: (shown.picture() > 100).mean() > 0.05, "a picture")
    yield shown
    page.close()


def changed(before: np.ndarray, after: np.ndarray) -> float:
    assert before.shape == after.shape
    return float((np.abs(before - after) > 12).any(axis=2).mean())


def test_mouse_and_sliders_drive_the_page(page):
    first = page.settle()

    x, y = page.center()
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    page.page.mouse.move(x + 20, y + 80, steps=6)
    page.page.mouse.up()
    wait_for(lambda: changed(first, page.picture()) > 0.02, "the torus to turn")
    turned = page.settle()

    slider = page.page.get_by_role("slider").nth(1)  # sigma
    assert float(slider.get_attribute("aria-valuenow")) == -6
    slider.focus()
    for _ in range(250):
        page.page.keyboard.press("ArrowRight")
    wait_for(lambda: changed(turned, page.picture()) > 0.02, "softer edges")
    assert float(slider.get_attribute("aria-valuenow")) == pytest.approx(-3.5)

    page.page.get_by_role("button", name="reset").click()
    wait_for(lambda: changed(page.picture(), first) < 0.01, "the first picture")
    wait_for(lambda: float(slider.get_attribute("aria-valuenow")) == -6, "the first sigma")


def test_a_click_inspects_a_pixel(page):
    first = page.settle()
    x, y = page.center()
    page.page.mouse.click(x - 120, y)
    corner = np.s_[10:60, first.shape[1] // 2 : -20]  # where the list of faces is to be
    wait_for(lambda: changed(first[corner], page.picture()[corner]) > 0.05, "the list of faces")
    face = page.page.get_by_role("slider").nth(0)
    wait_for(lambda: int(face.get_attribute("aria-valuenow")) > 0, "the face's number")


def test_pages_are_independent_and_pictures_come_down(page, server, browser):
    other = browser.new_page(viewport={"width": 800, "height": 500})
    other.goto(server[1])
    other.get_by_text("rasterizer").wait_for(timeout=60_000)
    first = page.settle()
    other.get_by_text("wireframe").click()
    wait_for(lambda: changed(first, Page(other).picture()) > 0.005, "the other page's wireframe")
    assert changed(first, page.settle()) == 0
    with page.page.expect_download(timeout=60_000) as download:
        page.page.get_by_role("button", name="save picture").click()
    saved = iio.imread(download.value.path())
    assert saved.shape[0] == 300
    other.close()


def test_the_server_is_reached_from_this_machine_alone_and_ends_when_interrupted(server):
    process, url = server
    port = int(url.rpartition(":")[2])
    with open("/proc/net/tcp") as table:
        listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
    assert f"0100007F:{port:04X}" in listening
    assert f"00000000:{port:04X}" not in listening
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert process.stdout.read() == ""


def test_without_viser_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    assert main(["view", "cube", "--web"]) == 1
    assert "pip install 'taichi_softras[web]'" in capsys.readouterr().err
