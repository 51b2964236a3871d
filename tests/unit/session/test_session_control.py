"""One JSON line each way, for the same user alone."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tpconfig.errors import ExitCode, TpError
from tpconfig.session import control, errors_json


async def echo(request: control.Message) -> control.Message:
    """Answer with what was asked."""
    return {"asked": dict(request)}


async def say(path: Path, line: bytes) -> dict[str, Any]:
    """Send a line as it is; return the answer."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    answer = await reader.readline()
    writer.close()
    found: dict[str, Any] = json.loads(answer)
    return found


async def test_a_request_carries_the_protocols_number(tmp_path: Path) -> None:
    """So that another version of tp is recognised."""
    async with control.serve(tmp_path / "s", echo):
        answer = await control.ask(tmp_path / "s", {"do": "status"})
    assert answer == {"asked": {"protocol": control.PROTOCOL, "do": "status"}}


async def test_another_version_is_told_what_to_do(tmp_path: Path) -> None:
    """Its request is not guessed at."""
    async with control.serve(tmp_path / "s", echo):
        answer = await say(tmp_path / "s", b'{"protocol": 99, "do": "status"}\n')
    assert answer["code"] == 1
    assert "another version" in answer["error"]
    assert answer["hint"]


@pytest.mark.parametrize("line", [b"\n", b"{\n", b"7\n", b"[]\n", b"\xff\n", b"null\n"])
async def test_what_is_no_request_is_said_to_be_none(tmp_path: Path, line: bytes) -> None:
    """The session lives on."""
    async with control.serve(tmp_path / "s", echo):
        assert (await say(tmp_path / "s", line))["code"] == 2
        assert await control.ask(tmp_path / "s", {"do": "status"}) is not None


async def test_an_error_arrives_whole(tmp_path: Path) -> None:
    """Message, hint, details, and the exit code that it means."""

    class LateError(TpError):
        exit_code = ExitCode.UNREACHABLE

    async def fail(request: control.Message) -> control.Message:
        raise LateError("no route", hint="look at the VPN", details=("one", "two"))

    async with control.serve(tmp_path / "s", fail):
        with pytest.raises(errors_json.RemoteError) as raised:
            await control.ask(tmp_path / "s", {"do": "reload"})
    error = raised.value
    assert (error.message, error.hint, error.details) == (
        "no route",
        "look at the VPN",
        ("one", "two"),
    )
    assert error.exit_code is ExitCode.UNREACHABLE


async def test_a_large_answer_arrives_whole(tmp_path: Path) -> None:
    """An environment may hold certificates."""
    env = {f"KEY_{n}": "x" * 1000 for n in range(300)}

    async def answer(request: control.Message) -> control.Message:
        return {"env": env}

    async with control.serve(tmp_path / "s", answer):
        found = await control.ask(tmp_path / "s", {"do": "env"})
    assert found == {"env": env}


async def test_requests_are_answered_side_by_side(tmp_path: Path) -> None:
    """A slow reload does not keep a status waiting."""
    release = asyncio.Event()

    async def answer(request: control.Message) -> control.Message:
        if request["do"] == "slow":
            await release.wait()
        return {"done": request["do"]}

    async with control.serve(tmp_path / "s", answer):
        slow = asyncio.ensure_future(control.ask(tmp_path / "s", {"do": "slow"}))
        assert await control.ask(tmp_path / "s", {"do": "fast"}) == {"done": "fast"}
        release.set()
        assert await slow == {"done": "slow"}


async def test_who_hangs_up_hurts_nobody(tmp_path: Path) -> None:
    """A command that was killed while it asked."""
    async with control.serve(tmp_path / "s", echo):
        _, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.close()
        _, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(b'{"do": ')
        writer.close()
        assert await control.ask(tmp_path / "s", {"do": "status"}) is not None


async def test_a_dead_sessions_socket_is_nobody(tmp_path: Path) -> None:
    """The file is there, no process behind it."""
    path = tmp_path / "s"
    server = await asyncio.start_unix_server(lambda reader, writer: None, path)
    server.close()
    path.touch()
    assert await control.ask(path, {"do": "status"}) is None
    async with control.serve(path, echo):
        assert await control.ask(path, {"do": "status"}) is not None
    assert not path.exists()


async def test_a_session_that_dies_while_it_is_asked_has_not_answered(tmp_path: Path) -> None:
    """The same as if there were none."""
    path = tmp_path / "s"

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async with await asyncio.start_unix_server(hang_up, path):
        assert await control.ask(path, {"do": "status"}) is None


async def test_the_socket_is_the_users_own(tmp_path: Path) -> None:
    """Made so, not changed to it later; the process's umask is as before."""
    before = os.umask(0o022)
    try:
        async with control.serve(tmp_path / "s", echo):
            assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
            assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


async def test_another_user_gets_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it could open the socket: the kernel says who is at the other end."""
    monkeypatch.setattr(control, "_peer_uid", lambda writer: os.getuid() + 1)
    async with control.serve(tmp_path / "s", echo):
        assert await control.ask(tmp_path / "s", {"do": "env"}) is None


async def test_the_kernel_tells_the_peers_uid(tmp_path: Path) -> None:
    """Ours."""
    seen: list[int] = []

    async def look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(control._peer_uid(writer))
        writer.close()

    async with await asyncio.start_unix_server(look, tmp_path / "s"):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        await reader.read()
        writer.close()
    assert seen == [os.getuid()]
