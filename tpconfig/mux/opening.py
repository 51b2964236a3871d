"""What a stream is for: the first line of each stream, and the first line of the answer.

The opener sends its bytes right behind its line and does not wait; the accepting side answers
``ok``, or ``error CODE TEXT`` and the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, assert_never, get_args

MAX_LINE: Final = 1024
"""Bytes of one line, its end included."""

MAX_HOST: Final = 255
"""Characters of a host: a DNS name's limit (RFC 1035 2.3.4)."""

RefusalCode: TypeAlias = Literal[
    "refused", "unreachable", "name", "timeout", "denied", "limit", "unknown"
]
REFUSAL_CODES: Final[tuple[RefusalCode, ...]] = get_args(RefusalCode)


class OpeningError(Exception):
    """A line that is none of these, or too long."""


@dataclass(frozen=True, slots=True)
class Control:
    """The client's requests to the agent, and what the agent has to say."""


@dataclass(frozen=True, slots=True)
class TcpTo:
    """Connect to a host as the Pod sees it."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class UdpTo:
    """Exchange datagrams with a host as the Pod sees it."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Dns:
    """Exchange DNS messages with the Pod's resolver."""


@dataclass(frozen=True, slots=True)
class TcpFrom:
    """Somebody connected to the Pod's ``port``, at its address ``pod_host``."""

    port: int
    peer_host: str
    peer_port: int
    pod_host: str


@dataclass(frozen=True, slots=True)
class UdpFrom:
    """Somebody sends datagrams to the Pod's ``port``."""

    port: int
    peer_host: str
    peer_port: int


@dataclass(frozen=True, slots=True)
class Files:
    """Copy volumes of the Pod, and go on with what changes in them; see ``filerecords``."""


@dataclass(frozen=True, slots=True)
class Sftp:
    """Speak SFTP with a server in the Pod."""


Opening: TypeAlias = Control | TcpTo | UdpTo | Dns | TcpFrom | UdpFrom | Files | Sftp


@dataclass(frozen=True, slots=True)
class Accepted:
    """The stream carries what it was opened for."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The stream carries nothing: why, in a word for programs and in words for people."""

    code: RefusalCode
    text: str


Answer: TypeAlias = Accepted | Refusal


def encode(opening: Opening) -> bytes:
    """Return the line that opens a stream, its end included.

    Raises:
        OpeningError: a host or port that a line cannot carry.
    """
    match opening:
        case Control():
            return b"control\n"
        case Dns():
            return b"dns\n"
        case Files():
            return b"files\n"
        case Sftp():
            return b"sftp\n"
        case TcpTo(host, port):
            return _line("tcp", host, port)
        case UdpTo(host, port):
            return _line("udp", host, port)
        case TcpFrom(port, peer_host, peer_port, pod_host):
            return _line("tcp-in", port, peer_host, peer_port, pod_host)
        case UdpFrom(port, peer_host, peer_port):
            return _line("udp-in", port, peer_host, peer_port)
        case _:
            assert_never(opening)


def decode(line: bytes) -> Opening:
    """Return what a line (without its end) opens.

    Raises:
        OpeningError: it opens nothing.
    """
    match _text(line).split(" "):
        case ["control"]:
            return Control()
        case ["dns"]:
            return Dns()
        case ["files"]:
            return Files()
        case ["sftp"]:
            return Sftp()
        case ["tcp", host, port]:
            return TcpTo(_host(host), _port(port))
        case ["udp", host, port]:
            return UdpTo(_host(host), _port(port))
        case ["tcp-in", port, peer_host, peer_port, pod_host]:
            return TcpFrom(_port(port), _host(peer_host), _port(peer_port), _host(pod_host))
        case ["udp-in", port, peer_host, peer_port]:
            return UdpFrom(_port(port), _host(peer_host), _port(peer_port))
        case _:
            raise OpeningError(f"not an opening: {line[:80]!r}")


def encode_answer(answer: Answer) -> bytes:
    """Return the line that answers an opening, its end included; a long text is cut."""
    match answer:
        case Accepted():
            return b"ok\n"
        case Refusal(code, text):
            words = " ".join(text.split()).encode("utf-8", "replace")
            line = b"error %s %s" % (code.encode("ascii"), words)
            return line[: MAX_LINE - 1].decode("utf-8", "ignore").encode() + b"\n"
        case _:
            assert_never(answer)


def decode_answer(line: bytes) -> Answer:
    """Return what a line (without its end) answers; a code from the future is ``unknown``.

    Raises:
        OpeningError: it is no answer.
    """
    if line == b"ok":
        return Accepted()
    match line.decode("utf-8", "replace").split(" ", 2):
        case ["error", word, *rest]:
            code: RefusalCode = next((code for code in REFUSAL_CODES if code == word), "unknown")
            return Refusal(code, " ".join(rest))
        case _:
            raise OpeningError(f"not an answer: {line[:80]!r}")


class LineReader:
    """Takes the first line off a stream; what is behind it is ``leftover``.

    line = reader.feed(data)
    if line is not None: ...            # decode(line), then pass on reader.leftover
    """

    __slots__ = ("_head", "leftover")

    def __init__(self) -> None:
        self._head = b""
        self.leftover = b""

    def feed(self, data: bytes) -> bytes | None:
        """Return the line without its end, once it is complete, else None.

        Raises:
            OpeningError: no end within ``MAX_LINE`` bytes.
        """
        held = len(self._head)
        end = data.find(b"\n", 0, MAX_LINE - held)
        if end < 0:
            if held + len(data) >= MAX_LINE:
                raise OpeningError(f"a first line of more than {MAX_LINE} bytes")
            self._head += data
            return None
        line = self._head + data[:end]
        self._head = b""
        self.leftover = bytes(data[end + 1 :])
        return line


def _line(word: str, *fields: str | int) -> bytes:
    for field in fields:
        if isinstance(field, str):
            _host(field)
        elif not 0 < field <= 0xFFFF:
            raise OpeningError(f"not a port: {field}")
    return " ".join((word, *map(str, fields))).encode("ascii") + b"\n"


def _text(line: bytes) -> str:
    try:
        return line.decode("ascii")
    except UnicodeDecodeError as error:
        raise OpeningError(f"not an opening: {line[:80]!r}") from error


def _host(word: str) -> str:
    if not 0 < len(word) <= MAX_HOST or not word.isascii() or not word.isprintable() or " " in word:
        raise OpeningError(f"not a host: {word[:80]!r}")
    return word


def _port(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 5 and 0 < int(word) <= 0xFFFF):
        raise OpeningError(f"not a port: {word[:80]!r}")
    return int(word)
