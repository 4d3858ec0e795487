import os
import stat

import pytest

from taichi_softras.files.paths import whole_file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    with whole_file(path) as unfinished:
        assert unfinished.parent == path.parent
        assert unfinished.suffix == ".txt"
        unfinished.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_an_old_file_is_replaced_only_at_the_end(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with whole_file(str(path)) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with whole_file(path) as unfinished:
            unfinished.write_text("ne")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_failure_to_rename_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("no")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(PermissionError), whole_file(tmp_path / "a.txt") as unfinished:
        unfinished.write_text("new")
    assert names(tmp_path) == []


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a.txt"):
        pass


def test_two_at_once_do_not_meet(tmp_path):
    with whole_file(tmp_path / "a.txt") as first, whole_file(tmp_path / "a.txt") as second:
        assert first != second
        first.write_text("1")
        second.write_text("2")
    assert (tmp_path / "a.txt").read_text() == "1"  # the last to end


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_permissions(tmp_path):
    new, old, plain = (tmp_path / name for name in ("new", "old", "plain"))
    plain.write_text("")
    old.write_text("")
    old.chmod(0o604)
    for path in (new, old):
        with whole_file(path) as unfinished:
            unfinished.write_text("x")
    assert stat.S_IMODE(old.stat().st_mode) == 0o604
    assert new.stat().st_mode == plain.stat().st_mode  # as any new file's, not its owner's only


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_is_followed(tmp_path):
    (tmp_path / "target.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("target.txt")
    with whole_file(tmp_path / "link.txt") as unfinished:
        unfinished.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "target.txt").read_text() == "new"


def test_refusals(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"path must be in a folder that exists, got '.*a'"),
        whole_file(tmp_path / "missing" / "a"),
    ):
        pass
    with (
        pytest.raises(IsADirectoryError, match="path must be that of a file, got the folder"),
        whole_file(tmp_path),
    ):
        pass
