"""The control stream as a dialogue: what the peer says, and what it hears."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tpconfig.agent.control import MAX_LINE, ControlStream, RefusedError


class Stream(asyncio.Transport):
    """Collects what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Collect."""
        self.written += data

    def is_closing(self) -> bool:
        """Whether it was aborted."""
        return self.aborted

    def abort(self) -> None:
        """Note it."""
        self.aborted = True

    def heard(self) -> list[dict[str, Any]]:
        """Return and forget what was written."""
        written, self.written = self.written, b""
        return [json.loads(line) for line in written.splitlines()]


class Pod:
    """Carries out commands by noting them."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    def listen(self, port: int, protocol: str) -> None:
        """Note it; 81 is taken."""
        if port == 81:
            raise RefusedError("in-use", "port 81 is taken")
        self.done.append(("listen", port, protocol))

    def unlisten(self, port: int, protocol: str) -> None:
        """Note it."""
        self.done.append(("unlisten", port, protocol))

    def ready(self, value: bool) -> None:
        """Note it."""
        self.done.append(("ready", value))

    def grace(self, seconds: float) -> None:
        """Note it."""
        self.done.append(("grace", seconds))

    def keep(self, seconds: float) -> None:
        """Note it."""
        self.done.append(("keep", seconds))


class Dialogue:
    """A control stream with both of its ends."""

    def __init__(self) -> None:
        self.pod = Pod()
        self.stream = Stream()
        self.ends: list[str] = []
        self.control = ControlStream(self.pod, description={"pid": 1}, ended=self.ends.append)
        self.control.connection_made(self.stream)

    def say(self, *requests: dict[str, Any] | bytes) -> list[dict[str, Any]]:
        """Send requests in one piece; return what is heard."""
        lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in requests]
        self.control.data_received(b"".join(line + b"\n" for line in lines))
        return self.stream.heard()


@pytest.fixture
def dialogue() -> Dialogue:
    """A dialogue behind its first line."""
    made = Dialogue()
    made.stream.heard()
    return made


def test_the_first_line_describes_the_pod() -> None:
    """The peer need not ask for the description."""
    assert Dialogue().stream.heard() == [{"describe": {"pid": 1}}]


def test_requests_are_carried_out_and_answered_in_order(dialogue: Dialogue) -> None:
    """Every request has an answer with its id."""
    heard = dialogue.say(
        {"id": 1, "do": "grace", "seconds": 5},
        {"id": 2, "do": "listen", "port": 80, "protocol": "tcp"},
        {"id": 3, "do": "ready", "value": True},
        {"id": 4, "do": "unlisten", "port": 80, "protocol": "tcp"},
        {"id": 5, "do": "ping"},
        {"id": 6, "do": "keep", "seconds": 2.5},
    )
    assert heard == [{"id": number, "ok": True} for number in range(1, 7)]
    assert dialogue.pod.done == [
        ("grace", 5.0),
        ("listen", 80, "tcp"),
        ("ready", True),
        ("unlisten", 80, "tcp"),
        ("keep", 2.5),
    ]


def test_a_refusal_has_a_code_and_words(dialogue: Dialogue) -> None:
    """What cannot be done is answered with both."""
    assert dialogue.say({"id": 1, "do": "listen", "port": 81, "protocol": "tcp"}) == [
        {"id": 1, "error": "in-use", "text": "port 81 is taken"}
    ]


@pytest.mark.parametrize(
    "request_",
    [
        {"id": 1, "do": "listen", "port": 0, "protocol": "tcp"},
        {"id": 1, "do": "listen", "port": 70000, "protocol": "tcp"},
        {"id": 1, "do": "listen", "port": True, "protocol": "tcp"},
        {"id": 1, "do": "listen", "port": 80, "protocol": "sctp"},
        {"id": 1, "do": "listen", "port": "80", "protocol": "tcp"},
        {"id": 1, "do": "ready", "value": "yes"},
        {"id": 1, "do": "grace", "seconds": -1},
        {"id": 1, "do": "dance"},
        {"id": 1},
    ],
)
def test_what_cannot_be_understood_is_refused(dialogue: Dialogue, request_: dict[str, Any]) -> None:
    """A wrong request changes nothing and is answered."""
    [answer] = dialogue.say(request_)
    assert (answer["id"], answer["error"]) == (1, "unknown")
    assert dialogue.pod.done == []


@pytest.mark.parametrize("line", [b"{", b"[]", b"\xff"])
def test_what_is_no_object_is_refused(dialogue: Dialogue, line: bytes) -> None:
    """Something that is no JSON object has no id to answer with."""
    [answer] = dialogue.say(line)
    assert (answer["id"], answer["error"]) == (None, "unknown")


def test_pieces_are_put_together(dialogue: Dialogue) -> None:
    """A request may arrive byte by byte."""
    for byte in b'{"id": 1, "do": "ping"}\n':
        dialogue.control.data_received(bytes((byte,)))
    assert dialogue.stream.heard() == [{"id": 1, "ok": True}]


def test_a_line_without_an_end_is_given_up(dialogue: Dialogue) -> None:
    """Memory is bounded."""
    dialogue.control.data_received(b"x" * (MAX_LINE + 1))
    assert dialogue.stream.aborted


def test_the_end_is_told(dialogue: Dialogue) -> None:
    """Without control there is no link."""
    dialogue.control.connection_lost(ConnectionResetError("gone"))
    assert dialogue.ends == ["gone"]
