"""Who waits for kernels is told so, once, where someone reads it."""

import pytest

from taichi_softras.arrays import compiling
from taichi_softras.arrays.compiling import first_launch


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
