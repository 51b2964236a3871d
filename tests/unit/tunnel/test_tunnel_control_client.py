"""The client's end of the control stream, as a dialogue."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tpconfig.tunnel.control import (
    ControlClient,
    Description,
    GarbledAnswerError,
    Mounted,
    RequestRefusedError,
)

DESCRIBED: dict[str, Any] = {
    "env": {"RAW": "\udcff", "LINES": "a\nb"},
    "resolv_conf": "nameserver 10.0.0.10\n",
    "hosts": "127.0.0.1 localhost\n",
    "hostname": "orders-0",
    "uid": 1000,
    "gid": 0,
    "cwd": "/",
    "python": "3.13.1",
    "capabilities": ["tcp"],
    "pid": 1,
    "mounts": [{"path": "/etc/c", "folder": True, "read_only": True, "atomic": True}],
    "sftp": False,
}


class Stream(asyncio.Transport):
    """Collects what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[dict[str, Any]] = []
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Collect."""
        self.written += [json.loads(line) for line in bytes(data).splitlines()]

    def abort(self) -> None:
        """Note it."""
        self.aborted = True


class Dialogue:
    """A client and the agent's side of its stream."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self.stream = Stream()
        self.client = ControlClient(self.ends.append)
        self.client.connection_made(self.stream)

    def hear(self, message: object) -> None:
        """Have the client receive a line."""
        self.client.data_received(json.dumps(message).encode() + b"\n")


async def test_the_description_is_read() -> None:
    """The first line says how the Pod looks; bytes that are no UTF-8 stay what they were."""
    dialogue = Dialogue()
    dialogue.hear({"describe": DESCRIBED})
    described = await dialogue.client.described
    assert described.env["RAW"].encode("utf-8", "surrogateescape") == b"\xff"
    assert (described.hostname, described.capabilities) == ("orders-0", ("tcp",))
    assert described.mounts == (Mounted("/etc/c", read_only=True, atomic=True),)


@pytest.mark.parametrize("path", ["etc", "/etc/../x", "/a//b", "/a/", ""])
async def test_a_mount_point_that_could_lead_elsewhere_is_no_description(path: str) -> None:
    """What names a place on this machine later is checked when it comes in."""
    one = {"path": path, "folder": True, "read_only": False, "atomic": False}
    with pytest.raises(ValueError, match="mount point"):
        Description.from_json({**DESCRIBED, "mounts": [one]})


async def test_a_description_in_pieces() -> None:
    """A large environment arrives in many pieces."""
    dialogue = Dialogue()
    data = json.dumps({"describe": {**DESCRIBED, "env": {"BIG": "x" * 100_000}}}).encode() + b"\n"
    for start in range(0, len(data), 999):
        dialogue.client.data_received(data[start : start + 999])
    assert len((await dialogue.client.described).env["BIG"]) == 100_000


async def test_answers_find_their_requests() -> None:
    """Each answer is for the request of its id, in whatever order."""
    dialogue = Dialogue()
    first = dialogue.client.request("listen", port=80, protocol="tcp")
    second = dialogue.client.request("ready", value=True)
    assert dialogue.stream.written == [
        {"id": 1, "do": "listen", "port": 80, "protocol": "tcp"},
        {"id": 2, "do": "ready", "value": True},
    ]
    dialogue.hear({"id": 2, "ok": True})
    dialogue.hear({"id": 1, "error": "in-use", "text": "port 80 is taken"})
    await second
    with pytest.raises(RequestRefusedError, match="port 80 is taken") as caught:
        await first
    assert caught.value.code == "in-use"


async def test_the_end_fails_what_waits() -> None:
    """Nobody waits for ever: requests and description fail with the stream."""
    dialogue = Dialogue()
    waiting = dialogue.client.request("ping")
    dialogue.client.connection_lost(ConnectionResetError("the pipe broke"))
    for one in (waiting, dialogue.client.described, dialogue.client.request("ping")):
        with pytest.raises(ConnectionResetError, match="the pipe broke"):
            await one
    assert dialogue.ends == ["the pipe broke"]


@pytest.mark.parametrize(
    "line", [b"{\n", b"[]\n", b'{"ok": true}\n', b'{"describe": {"env": 1}}\n', b"1\n"]
)
async def test_an_answer_that_cannot_be_read_ends_the_stream(line: bytes) -> None:
    """What is not understood is not guessed at."""
    dialogue = Dialogue()
    waiting = dialogue.client.request("ping")
    dialogue.client.data_received(line + b'{"id": 1, "ok": true}\n')
    assert dialogue.stream.aborted
    assert "cannot be read" in dialogue.ends[0]
    with pytest.raises(GarbledAnswerError, match="cannot be read"):
        await dialogue.client.described
    with pytest.raises(ConnectionResetError, match="cannot be read"):
        await waiting


async def test_an_answer_to_nobody_is_ignored() -> None:
    """A request that was given up may still be answered."""
    dialogue = Dialogue()
    dialogue.client.request("ping").cancel()
    dialogue.hear({"id": 1, "ok": True})
    dialogue.hear({"id": 7, "ok": True})
    assert not dialogue.stream.aborted


@pytest.mark.parametrize("missing", sorted(DESCRIBED))
def test_a_description_must_be_whole(missing: str) -> None:
    """Every field is needed."""
    given = {key: value for key, value in DESCRIBED.items() if key != missing}
    with pytest.raises(ValueError, match="cannot be read"):
        Description.from_json(given)
