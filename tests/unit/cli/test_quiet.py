"""What is said with --quiet, and that it is one of two."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tpconfig.cli.main import tp
from tpconfig.cli.render import EventView
from tpconfig.errors import TpError
from tpconfig.model import events as e
from tpconfig.model.plan import Plan

NOISE = [
    e.Planned(Plan(), "kind", "https://x", ("shop",), "ada", "me@here", 60.0),
    e.SessionUp(1.0),
    e.SessionEnded("asked"),
    e.LinkChanged("web", True, ""),
    e.ProcessEnded("web", 0),
    e.FileApplied(0.1),
]
MATTERS = [
    e.Remark("somebody edited the template"),
    e.LinkChanged("web", False, "cut"),
    e.ProcessEnded("web", 3),
    e.ProcessRestarts("web", 3, 0.5),
    e.FileRefused(TpError("broken")),
]


def said(event: e.Event, capsys: pytest.CaptureFixture[str], *, loudness: int) -> str:
    """Show an event; return what came of it."""
    EventView(as_json=False, loudness=loudness).show(event)
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.mark.parametrize("event", NOISE, ids=lambda one: type(one).__name__)
def test_what_goes_well_is_not_said(event: e.Event, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the option it is."""
    assert said(event, capsys, loudness=-1) == ""
    assert said(event, capsys, loudness=0) != ""


@pytest.mark.parametrize("event", MATTERS, ids=lambda one: type(one).__name__)
def test_what_goes_wrong_is(event: e.Event, capsys: pytest.CaptureFixture[str]) -> None:
    """In the same words as ever."""
    assert said(event, capsys, loudness=-1) == said(event, capsys, loudness=0) != ""


def test_what_processes_write_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not ours to leave out."""
    assert "hello" in said(e.ProcessOutput("web", "stdout", b"hello"), capsys, loudness=-1)


def test_quiet_and_verbose_are_one_too_many() -> None:
    """Also when one stands before the command and the other behind it."""
    done = CliRunner().invoke(tp, ["-q", "plan", "-v"])
    assert done.exit_code == 2
    assert "--quiet and --verbose: one of them" in done.output
