"""Programs of the rig, found and ended by what was written down about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import processes
from tests.rig.failure import RigError
from tests.rig.places import Places
from tests.rig.processes import Component
from tests.rig.steps import wait_until

SLEEP = Component("sleeper", ("sleep", "60"))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Places]:
    """A state folder whose programs end with the test."""
    found = Places(tmp_path, tmp_path)
    yield found
    processes.end(processes.marked(found), timeout_s=0)


def test_a_started_component_is_alive_and_current(rig: Places) -> None:
    """It runs, from the words that it was started from."""
    pid = processes.start(rig, SLEEP)
    assert processes.alive(rig, "sleeper") == pid
    assert processes.current(rig, SLEEP)


def test_other_words_make_it_outdated(rig: Places) -> None:
    """Then ``up`` restarts it."""
    processes.start(rig, SLEEP)
    assert not processes.current(rig, Component("sleeper", ("sleep", "61")))


def test_a_killed_component_is_not_alive(rig: Places) -> None:
    """Even as a zombie of this very process."""
    processes.start(rig, SLEEP)
    processes.kill(rig, "sleeper")
    assert processes.alive(rig, "sleeper") is None


def test_a_reused_process_id_is_somebody_else(rig: Places) -> None:
    """The start time differs, so nobody else's process is ever stopped."""
    processes.start(rig, SLEEP)
    record = rig.state / "pids" / "sleeper.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"started": "1"}))
    assert processes.alive(rig, "sleeper") is None


def test_a_component_without_a_record_is_still_found(rig: Places) -> None:
    """Its environment names the rig."""
    pid = processes.start(rig, SLEEP)
    (rig.state / "pids" / "sleeper.json").unlink()
    assert processes.marked(rig) == [pid]


def test_a_dead_component_shows_its_log(rig: Places) -> None:
    """The error carries the component's last words."""
    processes.start(rig, Component("sleeper", ("sh", "-c", "echo no such disk; exit 3")))
    wait_until(lambda: processes.alive(rig, "sleeper") is None, "its end", 5)
    with pytest.raises(RigError, match="no such disk"):
        processes.require_alive(rig, "sleeper")
