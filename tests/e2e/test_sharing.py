"""Several people on one namespace: who holds, who waits, who takes over, who cleans up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.e2e import objects
from tests.e2e.namespace import eventually
from tests.e2e.place import Place
from tests.fakes.laptop import open_laptop, wanted
from tpconfig.errors import ConflictError
from tpconfig.model.desired import AgentImage

RACES = int(os.environ.get("TP_RACES", "2"))
RUN = {"command": "sleep 600"}


def write(place: Place, name: str, **session: str) -> None:
    """Write somebody's file for the one target that everybody wants."""
    web = {"target": "deployment/web", "expose": [], "run": RUN}
    place.write({"web": web}, name=name, session={"janitor": "off", **session})


@pytest.fixture
def anna(place: Place) -> Place:
    """The first laptop, and a Deployment behind a Service."""
    place.apply(objects.deployment("web"), objects.service("web"))
    write(place, "anna")
    return place


@pytest.fixture
def ben(anna: Place) -> Iterator[Place]:
    """A second laptop, with files and a state of its own."""
    found = Place(anna.namespace, anna.kubeconfig)
    write(found, "ben")
    yield found
    found.end()


def up(place: Place, *arguments: str) -> subprocess.Popen[bytes]:
    """Bring it up in the background."""
    program = place.start("up", *arguments)
    eventually(lambda: "up after" in place.log(), "not up", timeout_s=60)
    return program


def listed(place: Place, *arguments: str) -> dict[str, dict[str, object]]:
    """Return what ``tp ls`` says, by name."""
    found = json.loads(place.ok("ls", "--json", "-n", place.namespace, *arguments))
    return {one["name"]: one for one in found}


def test_a_takeover_is_told(anna: Place, ben: Place) -> None:
    """Theirs is undone, their `tp` says who did it in one line and exits with 5."""
    before = anna.exact("web")
    program = up(anna)
    done = ben.tp("up", "-d")
    assert done.returncode == 5, done.stderr
    assert "--on-conflict takeover" in done.stderr
    ben.ok("up", "-d", "--on-conflict", "takeover")
    assert program.wait(timeout=60) == 5, anna.log()
    (line,) = [one for one in anna.log().splitlines() if "taken over" in one]
    assert "ended by" in line
    assert list(listed(ben)) == ["ben"]
    ben.ok("down")
    assert anna.exact("web") == before
    anna.nothing_left()


def test_a_queue_shows_the_place_and_moves_on(anna: Place, ben: Place) -> None:
    """Who waits is told for whom; when the holder is gone for good, it goes on by itself."""
    write(anna, "anna", ttl="10s")
    program = up(anna)
    ben.start("up", "--on-conflict", "wait")
    eventually(lambda: "place 1 in the queue" in ben.log(), "not in the queue")
    found = listed(anna)
    assert (found["anna"]["state"], found["ben"]["state"]) == ("up", "waiting")
    assert found["anna"]["targets"] == found["ben"]["targets"] == ["deployment/web"]
    os.killpg(program.pid, signal.SIGKILL)
    eventually(lambda: "up after" in ben.log(), "the turn never came", timeout_s=60)


def test_ls_shows_everybody(anna: Place) -> None:
    """Who, since when, which file, how it stands; for people and for programs."""
    assert anna.ok("ls", "-n", anna.namespace) == ""
    anna.ok("up", "-d")
    one = listed(anna, "-A")["anna"]
    assert one["file"] == str(anna.folder / "telepresence.yaml")
    assert (one["state"], one["janitor"]) == ("up", False)
    text = anna.ok("ls", "-A")
    assert "deployment/web" in text
    assert text.startswith("NAMESPACE")


def test_a_colleague_restores_leftovers(anna: Place, ben: Place) -> None:
    """A living session is refused, a dead one put back."""
    before = anna.exact("web")
    write(anna, "anna", ttl="10s")
    program = up(anna)
    session = str(listed(anna)["anna"]["session"])
    done = ben.tp("restore", "--session", session, "-n", anna.namespace)
    assert done.returncode == 5, done.stderr
    assert "--force" in done.stderr
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    time.sleep(11)
    assert listed(ben)["anna"]["state"] == "expired"
    ben.ok("restore", "-n", anna.namespace)
    assert anna.exact("web") == before
    anna.nothing_left()


def test_down_all_by_force(anna: Place, ben: Place) -> None:
    """Every session of the namespace ends, and everything is as before."""
    before = anna.exact("web")
    anna.apply(objects.deployment("api"), objects.service("api"))
    api = {"target": "deployment/api", "expose": [], "run": RUN}
    ben.write({"api": api}, name="ben")
    first, second = up(anna), up(ben)
    state = str(anna.home / "admin")
    anna.ok("down", "--all", "--force", "-n", anna.namespace, TP_STATE_DIR=state)
    assert (first.wait(timeout=60), second.wait(timeout=60)) == (0, 0)
    assert anna.exact("web") == before
    anna.nothing_left()


def test_another_namespace_does_not_move_a_living_session(anna: Place) -> None:
    """A second checkout with `-n` elsewhere is refused, and the first goes on."""
    anna.ok("up", "-d")
    done = anna.tp("up", "-d", "-n", "default")
    assert done.returncode == 2, done.stderr
    assert "would move it to default" in done.stderr
    assert anna.get("deployment", "web")["spec"]["replicas"] == 0


def test_of_two_that_race_exactly_one_wins(anna: Place) -> None:
    """On a real API server, too."""
    before = anna.exact("web")
    image = AgentImage(objects.BASE, objects.PYTHON)

    async def race() -> None:
        async with (
            open_laptop(anna.kubeconfig, f"{anna.namespace}-a", image=image) as one,
            open_laptop(anna.kubeconfig, f"{anna.namespace}-b", image=image) as other,
        ):
            both = (one.session, other.session)
            desired = wanted("web", namespace=anna.namespace, janitor="off")
            for _ in range(RACES):
                tried = [session.converge(desired) for session in both]
                outcomes = await asyncio.gather(*tried, return_exceptions=True)
                assert sorted(isinstance(found, ConflictError) for found in outcomes) == [
                    False,
                    True,
                ], outcomes
                await asyncio.gather(*(session.undo() for session in both))

    asyncio.run(race())
    assert anna.exact("web") == before
    anna.nothing_left()
