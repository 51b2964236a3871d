"""The handshake on a fresh pipe, before any frame: both ends prove that they know the secret.

    server -> client    tp-link PROTOCOL NONCE
    client -> server    hello NONCE SESSION VERSION LINK ATTEMPT RECEIVED PROOF
    server -> client    welcome VERSION CAPABILITIES LINK RECEIVED PROOF      or   refused WHY

LINK is ``-`` for a new link, else the id of the one to be resumed; RECEIVED says how many of the
link's bytes the speaker has, and the server's answer names another LINK where it cannot resume.
ATTEMPT grows with each attempt to resume, so that a late one does not take over from a later one.

A proof is HMAC-SHA256 over the role that gives it, both nonces and every other word said, so none
can be replayed, reflected or altered. The server speaks first: the client needs one round trip.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

MAGIC: Final = "tp-link"
PROTOCOL: Final = 1
MAX_LINE: Final = 1024
"""Bytes of one line, its end included."""

NONCE_SIZE: Final = 32
MIN_SECRET: Final = 16
"""Bytes below which a secret could be guessed."""

_WORD: Final = re.compile(r"[!-~]{1,64}")
_CAPABILITIES: Final = re.compile(r"-|[a-z0-9.-]{1,32}(,[a-z0-9.-]{1,32}){0,15}")
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_NONE: Final = "-"

_REFUSALS: Final = {
    "secret": "the agent does not know this session's secret: another session's agent answers",
    "session": "the agent belongs to another session",
    "garbled": "the agent did not understand this client",
    "stale": "the agent has heard of a later connection of this link",
}


class HelloError(Exception):
    """The other end is not the one that this pipe was meant for.

    Send ``data_to_send()`` all the same, it tells the peer why; then close the pipe.
    """


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one end of a link stands.

    Attributes:
        link: the link's id, which the agent gave; empty for a link that does not exist yet.
        received: bytes of it that have arrived.
        attempt: which attempt to resume this is, from 1; 0 for a new link.
    """

    link: str = ""
    received: int = 0
    attempt: int = 0


class _Hello(ABC):
    """What both ends share: one bounded line at a time, and the proofs."""

    def __init__(self, secret: bytes, session: str, version: str, nonce: bytes | None) -> None:
        if len(secret) < MIN_SECRET:
            raise ValueError(f"a secret of {len(secret)} bytes")
        for word in (session, version):
            if not _WORD.fullmatch(word):
                raise ValueError(f"not a word for the handshake: {word!r}")
        own_nonce = secrets.token_bytes(NONCE_SIZE) if nonce is None else nonce
        if len(own_nonce) != NONCE_SIZE:
            raise ValueError(f"a nonce of {len(own_nonce)} bytes")
        self._secret = secret
        self._session = session
        self._version = version
        self._nonce = own_nonce.hex()
        self._head = b""
        self._out = b""
        self._failed = False
        self.done = False
        self.leftover = b""
        self.peer_version = ""
        self.peer_capabilities: tuple[str, ...] = ()
        self.peer = Standing()

    def data_to_send(self) -> bytes:
        """Return everything that is to go out, and forget it."""
        out, self._out = self._out, b""
        return out

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the pipe; once ``done``, what is not ours is added to ``leftover``.

        Raises:
            HelloError: the other end is not the right one; this handshake is over.
        """
        if self._failed:
            raise HelloError("the handshake has failed before")
        rest = self._head + data
        self._head = b""
        try:
            while not self.done:
                end = rest.find(b"\n", 0, MAX_LINE)
                if end < 0:
                    self._keep(rest)
                    return
                line, rest = rest[:end], rest[end + 1 :]
                self._line(line.decode("ascii", "replace").split(" "), behind=rest)
        except HelloError:
            self._failed = True
            raise
        self.leftover += rest

    def _keep(self, part: bytes) -> None:
        """Keep the start of a line, unless it can no longer become one of ours."""
        starts = [word.encode("ascii")[: len(part)] for word in self._starts()]
        if len(part) >= MAX_LINE or not part.startswith(tuple(starts)):
            raise self._garbled()
        self._head = part

    @abstractmethod
    def _starts(self) -> tuple[str, ...]:
        """The words that the next line may start with."""

    @abstractmethod
    def _line(self, words: list[str], *, behind: bytes) -> None:
        """Take a whole line; ``behind`` is what arrived with it."""

    @abstractmethod
    def _garbled(self) -> HelloError:
        """What to raise when the line is none of ours."""

    def _say(self, *words: str) -> None:
        self._out += " ".join(words).encode("ascii") + b"\n"

    def _proof(self, role: str, *words: str) -> str:
        message = " ".join((MAGIC, str(PROTOCOL), role, *words))
        return hmac.new(self._secret, message.encode(), hashlib.sha256).hexdigest()

    def _check_versions(self, *, client: str, agent: str) -> None:
        if client != agent:
            raise HelloError(
                f"this client is tp {client}, the agent in the Pod is tp {agent}: run `tp down` "
                f"and `tp up` with one version"
            )


class ClientHello(_Hello):
    """The client's end.

    Args:
        secret: the session's secret.
        session: the session's id.
        version: this client's version; the agent's must be the same.
        standing: the link to be resumed; left out: a new one is wanted.
        nonce: 32 bytes that were never used before; random unless a test gives them.

    Attributes:
        peer: once ``done``, the link that this pipe carries and what the agent has of it.
    """

    def __init__(
        self,
        secret: bytes,
        session: str,
        version: str,
        *,
        standing: Standing = Standing(),
        nonce: bytes | None = None,
    ) -> None:
        super().__init__(secret, session, version, nonce)
        wanted = (standing.link or _NONE, str(standing.attempt), str(standing.received))
        self._words = (self._nonce, session, version, *wanted)
        self._peer_nonce = ""

    def _starts(self) -> tuple[str, ...]:
        return ("welcome ", "refused ") if self._peer_nonce else (f"{MAGIC} ",)

    def _line(self, words: list[str], *, behind: bytes) -> None:
        match words, bool(self._peer_nonce):
            case [word, protocol, nonce], False if word == MAGIC and _HEX.fullmatch(nonce):
                self._greeted(protocol, nonce)
            case ["welcome", version, capabilities, link, received, proof], True if (
                _CAPABILITIES.fullmatch(capabilities)
                and _WORD.fullmatch(version)
                and _WORD.fullmatch(link)
                and _COUNT.fullmatch(received)
            ):
                self._welcomed(version, capabilities, link, received, proof=proof)
            case ["refused", why], True:
                raise HelloError(_REFUSALS.get(why, "the agent refused this client"))
            case [word, protocol, *_], False if word == MAGIC and protocol != str(PROTOCOL):
                self._greeted(protocol, "")
            case _:
                raise self._garbled()

    def _greeted(self, protocol: str, nonce: str) -> None:
        if protocol != str(PROTOCOL):
            raise HelloError(
                f"the agent in the Pod speaks another version of the link ({protocol[:16]!r}, this "
                f"client {PROTOCOL}): run `tp down` and `tp up` with one version"
            )
        self._peer_nonce = nonce
        self._say("hello", *self._words, self._proof("client", nonce, *self._words))

    def _welcomed(
        self, version: str, capabilities: str, link: str, received: str, *, proof: str
    ) -> None:
        said = (version, capabilities, link, received)
        if not _same(self._proof("server", self._peer_nonce, *self._words, *said), proof):
            raise HelloError("what answers does not know this session's secret: not our agent")
        self.peer_version = version
        self._check_versions(client=self._version, agent=version)
        self.peer_capabilities = () if capabilities == _NONE else tuple(capabilities.split(","))
        self.peer = Standing(link, int(received))
        self.done = True

    def _garbled(self) -> HelloError:
        return HelloError("what answers is not an agent of tp")


class ServerHello(_Hello):
    """The agent's end; it speaks first, and last: when ``asked``, answer with ``welcome``.

    Args:
        secret: the session's secret.
        session: the session's id.
        version: this agent's version; the client's must be the same.
        capabilities: short words (``[a-z0-9.-]``, at most 16) for what this agent can do.
        nonce: 32 bytes that were never used before; random unless a test gives them.

    Attributes:
        peer: once ``asked``, the link that the client wants to resume, and what it has of it.
        asked: whether the client has proven itself and waits for the answer.
    """

    def __init__(
        self,
        secret: bytes,
        session: str,
        version: str,
        capabilities: tuple[str, ...] = (),
        *,
        nonce: bytes | None = None,
    ) -> None:
        super().__init__(secret, session, version, nonce)
        self._capabilities = ",".join(capabilities) or _NONE
        if not _CAPABILITIES.fullmatch(self._capabilities):
            raise ValueError(f"not capabilities for the handshake: {capabilities!r}")
        self._said: tuple[str, ...] = ()
        self.asked = False
        self._say(MAGIC, str(PROTOCOL), self._nonce)

    def welcome(self, link: str, received: int) -> None:
        """Answer: this pipe carries ``link``, of which ``received`` bytes are here."""
        assert self.asked
        self.asked = False
        self._answer(link, received)
        self.done = True

    def refuse_stale(self) -> HelloError:
        """Refuse a connection that is late, and return what to raise."""
        self.asked, self._failed = False, True
        return self._refusal("stale", "a connection of the link that is older than another one")

    def _starts(self) -> tuple[str, ...]:
        return ("hello ",)

    def _line(self, words: list[str], *, behind: bytes) -> None:
        match words:
            case ["hello", nonce, session, version, link, attempt, received, proof] if (
                _HEX.fullmatch(nonce)
                and all(_WORD.fullmatch(word) for word in (session, version, link))
                and _COUNT.fullmatch(attempt)
                and _COUNT.fullmatch(received)
                and not behind
                and not self._said
            ):
                self._greeted(words[1:-1], proof)
            case _:
                raise self._garbled()

    def _greeted(self, words: list[str], proof: str) -> None:
        self._said = (self._nonce, *words)
        if not _same(self._proof("client", *self._said), proof):
            raise self._refusal("secret", "a client that does not know the session's secret")
        _, session, version, link, attempt, received = words
        if session != self._session:
            raise self._refusal("session", f"a client of another session ({session})")
        self.peer_version = version
        if version != self._version:
            self._answer(_NONE, 0)
            self._check_versions(client=version, agent=self._version)
        wanted = "" if link == _NONE else link
        self.peer = Standing(wanted, int(received), int(attempt))
        self.asked = True

    def _answer(self, link: str, received: int) -> None:
        words = (self._version, self._capabilities, link, str(received))
        self._say("welcome", *words, self._proof("server", *self._said, *words))

    def _refusal(self, why: str, text: str) -> HelloError:
        self._say("refused", why)
        return HelloError(text)

    def _garbled(self) -> HelloError:
        return self._refusal("garbled", "what connected is not a client of tp")


def _same(expected: str, given: str) -> bool:
    """Compare without telling by the time it takes how much of it is right."""
    return hmac.compare_digest(expected.encode(), given.encode())
