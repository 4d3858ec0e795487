"""Which of Taichi and Quadrants runs the kernels, and what is said where that can't be."""

import importlib.util

import numpy as np
import pytest
from programs import WITH_TORCH, WITHOUT_TORCH, run

import taichi_softras as sr
from taichi_softras import backend
from taichi_softras.arrays import launcher
from taichi_softras.arrays.launcher import kernel
from taichi_softras.backend import BACKEND, VARIABLE, ti
from taichi_softras.viewer import window


def import_with(monkeypatch, installed, chosen=None, missing=None):
    """Tell what is imported where these are installed; importing one may want another."""

    def import_module(name):
        if name not in installed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if missing is not None:
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return name

    monkeypatch.setattr(importlib, "import_module", import_module)
    monkeypatch.delenv(VARIABLE, raising=False)
    if chosen is not None:
        monkeypatch.setenv(VARIABLE, chosen)
    return backend._import_backend()


@pytest.mark.parametrize(
    ("installed", "chosen", "found"),
    [
        (("taichi",), None, "taichi"),
        (("quadrants",), None, "quadrants"),
        (("taichi", "quadrants"), None, "taichi"),
        (("taichi", "quadrants"), "taichi", "taichi"),
        (("taichi", "quadrants"), "quadrants", "quadrants"),
    ],
)
def test_what_is_installed_or_chosen_is_taken(monkeypatch, installed, chosen, found):
    assert import_with(monkeypatch, installed, chosen) == found


@pytest.mark.parametrize("chosen", ["", "Taichi", "cuda"])
def test_other_choices_are_refused(monkeypatch, chosen):
    words = f"{VARIABLE} must be 'taichi' or 'quadrants', got '{chosen}'"
    with pytest.raises(ValueError, match=words):
        import_with(monkeypatch, backend.BACKENDS, chosen)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (None, "neither Taichi nor Quadrants is installed"),
        ("quadrants", f"{VARIABLE} is 'quadrants', which is not installed: pip install"),
    ],
)
def test_what_is_not_installed_is_named(monkeypatch, chosen, words):
    with pytest.raises(ModuleNotFoundError, match=words):
        import_with(monkeypatch, (), chosen)


def test_what_taichi_itself_lacks_is_not_taken_for_taichi(monkeypatch):
    with pytest.raises(ModuleNotFoundError, match="No module named 'colorama'"):
        import_with(monkeypatch, backend.BACKENDS, missing="colorama")


def test_what_runs_is_what_the_package_uses():
    assert ti.__name__ == BACKEND
    assert BACKEND in type(backend.impl.get_runtime()).__module__


@kernel
def double(values: ti.types.ndarray(ti.f32, 1)):
    for i in values:
        values[i] *= 2


def test_kernels_are_launched_by_private_calls_where_there_are_all():
    assert launcher._has_private_calls(ti.kernel(lambda: None)) == (BACKEND == "taichi")
    assert (double._taichi is not None) == (BACKEND == "taichi")


def test_windows_need_taichi(monkeypatch):
    monkeypatch.setattr(window, "BACKEND", "quadrants")
    with pytest.raises(RuntimeError, match=r"the window needs Taichi\..*--web") as caught:
        window.open_window(None, 8, 8)
    assert "\n" not in str(caught.value)


def test_arrays_of_the_other_are_refused_by_its_name(monkeypatch):
    other = "quadrants" if BACKEND == "taichi" else "taichi"
    array = type("ScalarNdarray", (), {"__module__": f"{other}.lang._ndarray"})()
    words = f"face_vertices must be .* got one of {other.title()}: set {VARIABLE} to {other}"
    with pytest.raises(TypeError, match=words):
        sr.rasterize_silhouette(array, sr.RasterizerSettings(height=8, width=8))


# --- Both, where both are ---------------------------------------------------------------------


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, backend.BACKENDS)), reason="not both are installed"
)
def test_both_draw_and_differentiate_alike(monkeypatch, tmp_path):
    drawn = {}
    for name in backend.BACKENDS:
        monkeypatch.setenv(VARIABLE, name)
        path = tmp_path / f"{name}.npz"
        used = run(
            f"""
            import sys
            image, grad = draw(torch.float64)
            np.savez(r"{path}", image=image.numpy(), grad=grad.numpy(), losses=fit())
            from taichi_softras.backend import BACKENDS
            print(*[x for x in BACKENDS if x in sys.modules])
            """,
            setup=WITH_TORCH + WITHOUT_TORCH,
        )
        assert used.split() == [name]  # and the other isn't even imported
        drawn[name] = np.load(path)
    for key, by_taichi in drawn["taichi"].items():
        by_quadrants = drawn["quadrants"][key]
        tolerance = 1e-5 if key == "losses" else 1e-12  # of float32, of float64
        scale = np.abs(by_taichi).max()
        np.testing.assert_allclose(by_quadrants, by_taichi, rtol=0, atol=tolerance * scale)
