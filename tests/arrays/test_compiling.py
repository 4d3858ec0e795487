"""Who waits for kernels is told so, once, where someone reads it; errors name lines."""

import re

import pytest

from taichi_softras.arrays import compiling
from taichi_softras.arrays.compiling import first_launch
from taichi_softras.arrays.launcher import kernel
from taichi_softras.arrays.runtime import ensure_running
from taichi_softras.backend import BACKEND, ti


@pytest.fixture
def waited(monkeypatch):
    """A process in which kernels have taken three seconds so far."""
    monkeypatch.setattr(compiling, "_waited", 3.0)
    monkeypatch.setattr(compiling, "_told", False)


def test_it_is_said_once(waited, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for _ in range(3):
        with first_launch():
            pass
    assert capsys.readouterr().err.count("preparing kernels for their first use") == 1


def test_it_is_not_said_where_nobody_reads(waited, capsys):
    with first_launch():
        pass
    assert capsys.readouterr().err == ""


def test_it_is_not_said_before_its_time(waited, monkeypatch, capsys):
    monkeypatch.setattr(compiling, "_waited", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for _ in range(2):
        with first_launch():
            pass
    assert capsys.readouterr().err == ""
    assert 0 < compiling._waited < 2


def test_launches_are_timed_even_where_they_fail(waited):
    before = compiling._waited
    with pytest.raises(ValueError, match="no"), first_launch():
        raise ValueError("no")
    assert compiling._waited > before


@pytest.mark.skipif(BACKEND != "taichi", reason="Quadrants compiles in its own way")
def test_errors_of_a_kernel_name_the_line():
    """As Taichi's own do, which besides underline the piece of it that is wrong."""
    ensure_running("cpu")

    @kernel
    def wrong(x: ti.types.ndarray(dtype=ti.f32, ndim=1)):
        x[0] = not_there  # noqa: F821

    usual = ti.lang.ast.ast_transformer_utils.ASTTransformerContext.get_pos_info
    for launch in (wrong, wrong.plain):
        with pytest.raises(ti.TaichiCompilationError) as error:
            launch(ti.ndarray(ti.f32, 3))
        lines = str(error.value).splitlines()
        assert any(re.fullmatch(rf'File "{__file__}", line \d+, in wrong:', x) for x in lines)
        assert any(x.strip().startswith("x[0] = not_there") for x in lines)
        assert "not_there" in lines[-1]
    assert ti.lang.ast.ast_transformer_utils.ASTTransformerContext.get_pos_info is usual
