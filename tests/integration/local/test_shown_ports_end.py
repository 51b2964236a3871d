"""The end of showing ports, whatever the processes inside are about."""

from __future__ import annotations

import asyncio
import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from tpconfig.local import shown


async def test_a_connection_that_is_never_made_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server inside that takes no more connections: its caller is reset when all of it ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    asked = asyncio.Event()

    async def connect(_: int) -> None:
        asked.set()
        await asyncio.Event().wait()

    async def diag() -> None:
        return None

    keeper: Any = SimpleNamespace(isolated=True, pid=os.getpid(), connect=connect, diag=diag)
    monkeypatch.setattr(shown, "loopback_ports", lambda *_: {port})
    said: list[str] = []
    async with asyncio.timeout(20):
        async with shown.show_ports(
            keeper, without=lambda: (), say=lambda _, who: said.append(who)
        ):
            await asyncio.sleep(0)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await asked.wait()
        with pytest.raises(ConnectionResetError):
            await reader.read()
    writer.close()
    assert said == []
