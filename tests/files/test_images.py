"""Images of materials: every kind that Pillow knows has the colours that are in it."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from taichi_softras.files import _images
from taichi_softras.files._images import Textures

GREYS = np.array([[0.30, 0.59], [0.11, 0.89]])


def encoded(values, suffix, **options):
    content = io.BytesIO()
    Image.fromarray(values).save(content, suffix, **options)
    return content.getvalue()


def read(content):
    textures = Textures()
    image = textures.read(content, "'a'")
    assert textures.problems == []
    assert image.dtype == np.float32
    assert not image.flags.writeable
    return image


def test_bytes():
    values = np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20
    np.testing.assert_array_equal(read(encoded(values, "PNG")), np.float32(values) / 255)


@pytest.mark.parametrize("suffix", ["PNG", "TIFF"])
def test_greys_of_16_bits(suffix):
    """Which some Pillows call by another mode, and none turns into bytes well."""
    values = np.rint(GREYS * 65535).astype(np.uint16)
    image = read(encoded(values, suffix))
    np.testing.assert_allclose(image, np.repeat(GREYS[..., None], 3, axis=2), atol=1e-5)


def test_greys_of_16_bits_in_the_mode_that_older_pillows_give_them(monkeypatch):
    content = encoded(np.rint(GREYS * 65535).astype(np.uint16), "PNG")
    real_open = Image.open

    def open_as_integers(source):
        image = real_open(source)
        return image if image.mode == "I" else image.convert("I")

    monkeypatch.setattr(_images.Image, "open", open_as_integers)
    np.testing.assert_allclose(read(content)[..., 0], GREYS, atol=1e-5)


def test_greys_of_32_bits():
    image = read(encoded(np.rint(GREYS * (2**32 - 1)).astype(np.uint32).view(np.int32), "TIFF"))
    np.testing.assert_allclose(image[..., 0], GREYS, atol=1e-6)


def test_colors_of_16_bits():
    """A PNG made by hand; Pillow keeps the upper byte."""
    values = np.rint(np.stack([GREYS, 1 - GREYS, GREYS**2], axis=-1) * 65535).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    chunks = {
        b"IHDR": struct.pack(">2I5B", 2, 2, 16, 2, 0, 0, 0),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks.items()
    )
    np.testing.assert_allclose(read(content), values / 65535, atol=1 / 255)


def test_floats():
    values = np.float32([[0.25, 1e-4], [0.99999, 1.5]])
    image = read(encoded(values, "TIFF"))
    np.testing.assert_array_equal(image, np.repeat(values[..., None], 3, axis=2))


def test_more_pixels_than_pillow_cares_for(monkeypatch):
    """Its limit is set back, and ours is not reached."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    assert read(encoded(np.zeros((4, 5, 3), np.uint8), "PNG")).shape == (4, 5, 3)
    assert Image.MAX_IMAGE_PIXELS == 4


def problem_of(content):
    textures = Textures()
    assert textures.read(content, "'a'") is None
    (problem,) = textures.problems
    assert problem.endswith(": drawn without")
    return problem


def test_more_pixels_than_are_read_are_said(monkeypatch):
    monkeypatch.setattr(_images, "LARGEST_IMAGE", 19)
    reason = problem_of(encoded(np.zeros((4, 5, 3), np.uint8), "PNG"))
    assert "as its 5 x 4 pixels are over 19" in reason


def test_what_cannot_be_read_is_said():
    whole = encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), "PNG")
    assert "as it is damaged" in problem_of(whole[:-2000])
    assert "it is no image of a kind that Pillow reads" in problem_of(b"#?RADIANCE\n")
    assert "a number in it is not finite" in problem_of(encoded(np.float32([[np.nan]]), "TIFF"))


def test_each_is_read_and_said_once(tmp_path):
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(tmp_path / "a.png")
    textures = Textures()
    assert textures.named(tmp_path, "a.png") is textures.named(tmp_path, "a.png")
    assert textures.named(tmp_path, "b.png") is textures.named(tmp_path, "b.png") is None
    assert textures.problems == ["there is no texture 'b.png': drawn without"]
