"""The secret of the user who runs peers: outside every peer folder, kept, and believed only where it is this user's alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goop2.folder.user_secret import FILE, SECRET_BYTES, UserSecretError, derived_key


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the secret of this test's user will be."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / FILE


def key(folder: Path, purpose: str = "passes", known: bytes = b"known") -> bytes:
    return derived_key(folder / "peer", purpose, known)


def test_a_key_is_the_same_at_every_start_and_another_for_each_purpose_and_user(file: Path, tmp_path: Path) -> None:
    first = key(tmp_path)
    assert key(tmp_path) == first
    assert len({first, key(tmp_path, "ports"), key(tmp_path, "passes", b"other"), key(tmp_path, "passes\0k", b"nown")}) == 4
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    file.unlink()
    assert key(tmp_path) != first


def test_it_lies_where_the_user_keeps_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for no_place in ("", "relative/state"):
        monkeypatch.setenv("XDG_STATE_HOME", no_place)
        key(tmp_path)
        assert (tmp_path / "home/.local/state" / FILE).is_file()


def test_a_user_without_a_home_is_told_what_to_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", "nowhere")
    with pytest.raises(UserSecretError, match="no home folder to keep a secret in: name a folder of this user's own in XDG_STATE_HOME"):
        key(tmp_path)


@pytest.mark.parametrize("content", [b"", b"ab" * (SECRET_BYTES - 1), b"x" * 2 * SECRET_BYTES, b"\xff" * 100, b"a" * 5000])
def test_what_is_no_secret_is_refused_and_never_overwritten(file: Path, tmp_path: Path, content: bytes) -> None:
    key(tmp_path)
    file.write_bytes(content)
    with pytest.raises(UserSecretError, match="delete it"):
        key(tmp_path)
    assert file.read_bytes() == content


def test_what_others_may_have_read_or_written_is_not_believed(file: Path, tmp_path: Path) -> None:
    key(tmp_path)
    file.chmod(0o640)
    with pytest.raises(UserSecretError, match="not this user's alone: delete it"):
        key(tmp_path)
    file.chmod(0o600)
    file.parent.chmod(0o777)
    with pytest.raises(UserSecretError, match="can be written by others"):
        key(tmp_path)


def test_a_link_or_a_pipe_in_its_place_is_refused(file: Path, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text("00" * SECRET_BYTES)
    known.chmod(0o600)
    file.parent.mkdir(parents=True, mode=0o700)
    file.symlink_to(known)
    with pytest.raises(UserSecretError, match="leads out"):
        key(tmp_path)
    file.unlink()
    os.mkfifo(file, 0o600)
    with pytest.raises(UserSecretError, match="named pipe"):
        key(tmp_path)


def test_one_that_lies_in_the_peer_folder_came_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A home that is the peer folder itself, as in a container.
    shipped = tmp_path / "peer/.local/state" / FILE
    shipped.parent.mkdir(parents=True, mode=0o700)
    shipped.write_text("00" * SECRET_BYTES)
    shipped.chmod(0o600)
    monkeypatch.setenv("XDG_STATE_HOME", "")
    (tmp_path / "link").symlink_to(tmp_path / "peer")
    for home in (tmp_path / "peer", tmp_path / "link"):
        monkeypatch.setenv("HOME", str(home))
        with pytest.raises(UserSecretError, match="lies in the peer folder"):
            key(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_root_makes_nothing_in_the_home_of_another_user(file: Path, tmp_path: Path) -> None:
    home = tmp_path / "state"
    home.mkdir()
    os.chown(home, 65_534, 65_534)
    with pytest.raises(UserSecretError, match="is another user's"):
        key(tmp_path)
    assert list(home.iterdir()) == []
    os.chown(home, 0, 0)
    key(tmp_path)
    os.chown(file, 65_534, 65_534)
    with pytest.raises(UserSecretError, match="not this user's alone"):
        key(tmp_path)
