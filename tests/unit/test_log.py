"""What a log says, and what it never does."""

from __future__ import annotations

import json
import logging
import stat
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tpconfig import log

SECRET = 'tok"en-0123456789'


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The program's logger, and nothing of a test left on it."""
    root = logging.getLogger("tpconfig")
    before = list(root.handlers)
    yield logging.getLogger("tpconfig.cluster.transport")
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)


@pytest.fixture(autouse=True)
def hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is hidden from the test before."""
    monkeypatch.setattr(log, "_HIDDEN", set())


def test_records_are_json_lines_of_ones_own(logger: logging.Logger, tmp_path: Path) -> None:
    """Each is an object with time, level, logger and values; nobody else may read it."""
    path = tmp_path / "tp.jsonl"
    with log.to_file(path):
        logger.debug("request", extra={"path": "/api", "status": 200, "took_s": 0.12345})
    (line,) = lines(path)
    assert line.pop("timestamp")
    assert line == {
        "event": "request",
        "level": "debug",
        "logger": "tpconfig.cluster.transport",
        "path": "/api",
        "status": 200,
        "took_s": 0.123,
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_records_wait_until_the_session_is_up(logger: logging.Logger, tmp_path: Path) -> None:
    """Before, only an error lets them out, with the time of each; afterwards each at once."""
    path = tmp_path / "tp.jsonl"
    began = time.time() - 60
    with log.to_file(path) as opened:
        record = logger.makeRecord(logger.name, logging.INFO, "", 0, "one", (), None)
        record.created = began
        logger.handle(record)
        assert lines(path) == []
        logger.error("two")
        assert [line["event"] for line in lines(path)] == ["one", "two"]
        made = datetime.fromisoformat(str(lines(path)[0]["timestamp"])).timestamp()
        assert made == pytest.approx(began, abs=0.5)
        opened.settle()
        logger.info("three")
        assert [line["event"] for line in lines(path)][2:] == ["three"]


def test_a_log_does_not_grow_for_ever(
    logger: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new file is begun, and one old one is kept."""
    monkeypatch.setattr(log, "FILE_BYTES", 1000)
    with log.to_file(tmp_path / "tp.jsonl"):
        for number in range(100):
            logger.info("line", extra={"number": number})
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"tp.jsonl", "tp.jsonl.1"}
    assert max(sizes.values()) <= 1000
    assert lines(tmp_path / "tp.jsonl")[-1]["number"] == 99


def test_secrets_are_hidden_wherever_they_stand(logger: logging.Logger, tmp_path: Path) -> None:
    """In a message, a value, an error's text; and no local variable of a traceback is shown."""
    path = tmp_path / "tp.jsonl"
    log.hide(SECRET)
    local = "canary-in-a-local-variable"
    with log.to_file(path):
        logger.info(f"with {SECRET}", extra={"value": [SECRET]})
        try:
            raise ValueError(f"{SECRET} of {len(local)}")
        except ValueError:
            logger.exception("it failed")
    text = path.read_text()
    assert "0123456789" not in text
    assert local not in text
    assert len(lines(path)) == 2


def test_short_words_are_no_secrets(logger: logging.Logger, tmp_path: Path) -> None:
    """Hiding ``on`` would leave no line readable."""
    log.hide("on")
    assert log.masked("one session") == "one session"


@pytest.mark.parametrize(("verbose", "shown"), [(1, ["told"]), (2, ["told", "request"])])
def test_verbose_once_and_twice(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str], verbose: int, shown: list[str]
) -> None:
    """Once says what is worth knowing, twice everything; events have words of their own."""
    log.to_terminal(verbose)
    logger.info("told", extra={"path": "/api"})
    logger.debug("request")
    logging.getLogger(log.EVENTS).info("SessionUp")
    found = capsys.readouterr().err
    assert [word for word in ("told", "request", "SessionUp") if word in found] == shown
    assert "path=/api" in found


def lines(path: Path) -> list[dict[str, object]]:
    """Read a log."""
    return [json.loads(line) for line in path.read_text().splitlines()]
