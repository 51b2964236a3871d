"""The state folder."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tpconfig.errors import TpError, UsageError
from tpconfig.local import state


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TP_STATE_DIR": "/x/y", "XDG_STATE_HOME": "/z", "HOME": "/h"}, "/x/y"),
        ({"XDG_STATE_HOME": "/z", "HOME": "/h"}, "/z/tp"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/tp"),
        ({"TP_STATE_DIR": "", "HOME": "/h"}, "/h/.local/state/tp"),
    ],
)
def test_where_the_folder_is(environment: dict[str, str], expected: str) -> None:
    """TP_STATE_DIR, else the XDG folder if it is absolute, else the home folder's."""
    assert state.folder(environment) == Path(expected)


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    """It is made with mode 0700, and a wider one is narrowed."""
    place = tmp_path / "a" / "tp"
    state.prepare(place)
    place.chmod(0o755)
    state.prepare(place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    """A file in its place is an error with the variable that helps."""
    (tmp_path / "tp").touch()
    with pytest.raises(TpError, match="cannot use the state folder") as raised:
        state.prepare(tmp_path / "tp")
    assert "TP_STATE_DIR" in (raised.value.hint or "")


def test_a_session_has_its_places(tmp_path: Path) -> None:
    """Socket, log, record and files lie in one folder per session, and it is found again."""
    paths = state.open_session(tmp_path, "shop-7f3a")
    assert [p.parent for p in (paths.socket, paths.log, paths.record, paths.files)] == [
        paths.folder
    ] * 4
    assert state.sessions(tmp_path) == ("shop-7f3a",)


def test_no_sessions_without_a_folder(tmp_path: Path) -> None:
    """A machine on which tp never ran has none."""
    assert state.sessions(tmp_path / "nothing") == ()


def test_a_session_cannot_leave_its_folder(tmp_path: Path) -> None:
    """An id with a path in it is refused."""
    with pytest.raises(ValueError, match="not a session's id"):
        state.session(tmp_path, "../x")


def test_too_long_a_path_for_a_socket_is_said(tmp_path: Path) -> None:
    """The kernel takes 107 bytes; the message says what to set."""
    with pytest.raises(UsageError, match="too long"):
        state.open_session(tmp_path / ("x" * 90), "shop")
