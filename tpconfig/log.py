"""What ``tp`` did, for whoever has to find out later: JSON in a file, lines on the terminal.

Modules speak to the standard library's ``logging``, with their values as ``extra``; structlog makes
JSON or lines of it. It is imported when the first record is written out, which for a session that
comes up is after it is up.

What must never be read is hidden here, last of all, in the finished text.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import MemoryHandler, RotatingFileHandler
from pathlib import Path
from typing import Any, Final

FILE_BYTES: Final = 4 * 1024 * 1024
"""How long a log may get before a new one is begun; the last two are kept."""

KEPT_FILES: Final = 1
HELD_RECORDS: Final = 500
"""Records that wait for the session to be up; an error lets them all out at once."""

EVENTS: Final = "tpconfig.events"
"""The logger of what the terminal shows in its own words."""

SHORTEST_SECRET: Final = 8
"""Shorter ones would hide half of every line."""

_ROOT: Final = logging.getLogger("tpconfig")
_HIDDEN: Final[set[str]] = set()
_MASK: Final = "***"


def hide(secret: str) -> None:
    """Have a value hidden wherever it is about to be written."""
    if len(secret) >= SHORTEST_SECRET:
        _HIDDEN.add(secret)


def masked(text: str) -> str:
    """Return the text without what is hidden, as it is or as JSON writes it."""
    for secret in _HIDDEN:
        for shape in (secret, json.dumps(secret)[1:-1]):
            text = text.replace(shape, _MASK)
    return text


def to_terminal(verbose: int) -> None:
    """Write lines to standard error: 1 for what is worth knowing, 2 for everything."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(as_json=False))
    handler.addFilter(lambda record: record.name != EVENTS)
    handler.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    _listen(handler)


class SessionLog:
    """A session's file; what is written to it waits until ``settle`` or an error."""

    def __init__(self, path: Path) -> None:
        self._file = RotatingFileHandler(
            path, maxBytes=FILE_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True
        )
        self._file.setFormatter(_Formatter(as_json=True))
        self._waiting = MemoryHandler(HELD_RECORDS, logging.ERROR, self._file)
        _listen(self._waiting)

    def settle(self) -> None:
        """Write down what waits, and from now on everything at once."""
        self._waiting.flush()
        self._waiting.capacity = 1

    def close(self) -> None:
        """Write down what waits, and end."""
        _ROOT.removeHandler(self._waiting)
        self._waiting.close()
        self._file.close()


@contextmanager
def to_file(path: Path) -> Iterator[SessionLog]:
    """Write JSON to a file that only its owner may read while the block runs."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    opened = SessionLog(path)
    try:
        yield opened
    finally:
        opened.close()


def _listen(handler: logging.Handler) -> None:
    _ROOT.setLevel(logging.DEBUG)
    _ROOT.propagate = False
    _ROOT.addHandler(handler)


class _Formatter(logging.Formatter):
    """structlog's, made when it is first needed."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json
        self._inner: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        if self._inner is None:
            self._inner = _structured(as_json=self._as_json)
        return masked(self._inner.format(record))


def _structured(*, as_json: bool) -> logging.Formatter:
    import structlog
    from structlog import processors, stdlib
    from structlog.tracebacks import ExceptionDictTransformer

    first: list[Any] = [stdlib.add_log_level, stdlib.ExtraAdder(), _rounded]
    last: list[Any] = [stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        first += [stdlib.add_logger_name, _when(lambda at: at.astimezone(UTC).isoformat())]
        transform = ExceptionDictTransformer(show_locals=False)  # they hold secrets
        last += [processors.ExceptionRenderer(transform), processors.JSONRenderer(default=str)]
    else:
        first += [_when(lambda at: at.strftime("%H:%M:%S"))]
        color = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        traceback = structlog.dev.plain_traceback
        last += [structlog.dev.ConsoleRenderer(colors=color, exception_formatter=traceback)]
    return stdlib.ProcessorFormatter(processors=last, foreign_pre_chain=first)


def _when(shown: Callable[[datetime], str]) -> Any:
    """Say when a record was made, which may be long before it is written."""

    def stamp(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> Any:
        event["timestamp"] = shown(datetime.fromtimestamp(event["_record"].created))
        return event

    return stamp


def _rounded(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say seconds to the millisecond: nobody measures with a log."""
    for key, value in event.items():
        if isinstance(value, float):
            event[key] = round(value, 3)
    return event
