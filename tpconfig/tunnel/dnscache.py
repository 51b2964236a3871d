"""Answers that may be given again: for as long as their records live, and no longer (RFC 1035).

That there is no such name, or nothing of the type that was asked for, is remembered as long as the
zone's own record says (RFC 2308). What failed, or was cut, is not.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from tpconfig.clock import Clock
from tpconfig.tunnel import dnsmessage
from tpconfig.tunnel.dnsmessage import Query, Record

MAX_ANSWERS: Final = 4096
"""Answers that are kept; the one that was used least recently goes first."""

MAX_SIZE: Final = 4096
"""Bytes of an answer that is kept: with ``MAX_ANSWERS``, 16 MiB at most."""

MAX_TTL_S: Final = 3600.0
"""Seconds after which every answer is asked for again."""

MAX_NEGATIVE_TTL_S: Final = 60.0
"""The same for *there is none*: what does not exist is often about to be created."""

_KEPT: Final = frozenset({dnsmessage.NOERROR, dnsmessage.NXDOMAIN})


@dataclass(frozen=True, slots=True)
class _Answer:
    message: bytes
    ttls: tuple[Record, ...]
    since_s: float
    until_s: float


class DnsCache:
    """Answers by question.

    Args:
        clock: tells how old they are.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, message: bytes, query: Query) -> bytes | None:
        """Return the answer to a raw query, its times to live as they are by now."""
        key = _key(message, query)
        answer = self._answers.get(key)
        if answer is None:
            return None
        now_s = self._clock.monotonic_s()
        if now_s >= answer.until_s:
            del self._answers[key]
            return None
        self._answers.move_to_end(key)
        aged = bytearray(answer.message)
        for record in answer.ttls:
            left_s = max(0, record.ttl_s - int(now_s - answer.since_s))
            aged[record.ttl_at : record.ttl_at + 4] = left_s.to_bytes(4, "big")
        aged[: query.end] = message[:2] + answer.message[2:12] + message[12 : query.end]
        return bytes(aged)

    def put(self, message: bytes, query: Query, answer: bytes) -> None:
        """Keep the answer to a raw query, if it may be given again."""
        if len(answer) > MAX_SIZE or answer[12 : query.end].lower() != _question(message, query):
            return
        try:
            records = dnsmessage.records(answer)
            ttl_s = _ttl_s(answer, records)
        except dnsmessage.MessageError:
            return
        if ttl_s <= 0:
            return
        now_s = self._clock.monotonic_s()
        timed = tuple(record for record in records if record.type != dnsmessage.TYPE_OPT)
        self._answers[_key(message, query)] = _Answer(answer, timed, now_s, now_s + ttl_s)
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)


def _key(message: bytes, query: Query) -> bytes:
    """Return what makes two queries the same: all but their ids and the case of the name."""
    return message[2:12] + _question(message, query) + message[query.end :]


def _question(message: bytes, query: Query) -> bytes:
    return message[12 : query.end].lower()


def _ttl_s(answer: bytes, records: list[Record]) -> float:
    """Return how long an answer may be given again; 0 for one that may not."""
    code, cut = answer[3] & 0x0F, answer[2] & 0x02
    if code not in _KEPT or cut:
        return 0.0
    answers = [record.ttl_s for record in records if record.section == "answer"]
    if answers and code == dnsmessage.NOERROR:
        return min(*answers, MAX_TTL_S)
    for record in records:
        if record.section == "authority" and record.type == dnsmessage.TYPE_SOA:
            minimum_s = int.from_bytes(answer[record.end - 4 : record.end], "big")
            return min(record.ttl_s, minimum_s, *answers, MAX_NEGATIVE_TTL_S)
    return 0.0
