"""What a new user asks the site's search: the page that answers is among the first found."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
PAGES = 2
"""How many pages a reader looks at in the list of what was found."""

FOUND = """[...document.querySelectorAll("a.md-search-result__link")].map(
    link => link.pathname.slice(1) + link.hash).join(" ")"""
"""What the page lists, in JavaScript: places, best first."""

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("mkdocs")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="chromium is not installed"),
]

QUESTIONS = {
    "colmap cameras": "cameras.html#colmap",
    "opencv camera": "cameras.html#opencv",
    "texture from file": "textures.html#from-a-file",
    "which sigma": "softness.html#which-sigma-and-which-gamma",
    "gradient to uv": "textures.html#the-gradient-to-uv-coordinates",
    "batch of meshes": "fitting.html#several-meshes-and-meshes-of-several-sizes",
    "headless server": "start.html#install",
    "number of cpu threads": "start.html#cpu-threads",
    "TexturesUV": "migration.html#from-pytorch3d",
    "save a mesh": "textures.html#save-a-mesh",
    "empty picture": "cameras.html#when-the-picture-is-empty-near-and-far",
    "photographs": "reconstruct.html#photographs-whose-cameras-are-known",
}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """The site's search: what is found by words, as places of pages, best first."""
    site = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(site)]
    subprocess.run(build, cwd=ROOT, check=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with playwright.sync_playwright() as runner:
        browser = runner.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        field = page.locator("input.md-search__input")
        field.click()

        def find(words):
            before = page.evaluate(FOUND)
            field.fill(words)
            field.press("End")  # a key, upon which it searches
            another = f"before => ({FOUND} != before && {FOUND})"
            found = page.wait_for_function(another, arg=before, timeout=20000).json_value()
            return found.split()

        yield find
        browser.close()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("words", QUESTIONS)
def test_the_answer_is_found(search, words):
    found = search(words)
    answer = QUESTIONS[words]
    pages = list(dict.fromkeys(place.partition("#")[0] for place in found))
    assert answer.partition("#")[0] in pages[:PAGES], found
    assert answer in found, found  # a section of it, so that the answer is in sight
