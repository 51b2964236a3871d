"""Whatever dies, and wherever: the way back is in the cluster."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e import objects
from tests.e2e.namespace import OURS, eventually
from tests.e2e.place import Place

SEEDS = int(os.environ.get("TP_E2E_SEEDS", "3"))
STEPS = 8
"""``up`` of one workload reports: lease, claim, Pod, link, environment, process, traffic, 0."""


@pytest.fixture
def shop(place: Place) -> Place:
    """Two replicas of ``web`` behind a Service, and another Deployment; no janitor is quicker."""
    place.apply(
        objects.service("web"), objects.deployment("web", replicas=2), objects.deployment("other")
    )
    place.write({"web": objects.swap(3000)}, session={"ttl": "10s", "janitor": "off"})
    return place


@pytest.mark.parametrize("whole", [False, True], ids=["alone", "all"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_killed_at_any_moment(shop: Place, tmp_path: Path, seed: int, whole: bool) -> None:
    """After SIGKILL, ``down`` from another folder with a copy of the file restores exactly."""
    before = shop.exact("web")
    program = shop.start("up")
    at_a_moment(shop, program, random.Random(2 * seed + whole))
    if whole:
        shop.kill()
    program.kill()
    program.wait()
    shutil.copy(shop.folder / "telepresence.yaml", tmp_path)
    shop.ok("down", cwd=tmp_path, TP_STATE_DIR=str(shop.home / "another"))
    assert shop.exact("web") == before
    shop.nothing_left()
    eventually(lambda: not shop.processes(), "processes are left", timeout_s=20)


def test_an_expired_session_is_restored_by_the_next_command(shop: Place) -> None:
    """Whoever looks at the namespace puts back what a dead session left."""
    before = shop.exact("web")
    killed_while_up(shop)
    time.sleep(11)
    shop.write({"other": objects.idle("other")}, name="next")
    done = shop.tp("plan")
    assert "put back" in done.stderr, done.stderr
    assert done.returncode == 0
    assert shop.exact("web") == before
    shop.nothing_left()


def test_a_living_session_is_left_alone(shop: Place) -> None:
    """Before its time has run out nobody but its owner restores anything."""
    shop.write({"web": objects.swap(3000)}, session={"ttl": "60s", "janitor": "off"})
    killed_while_up(shop)
    swapped = shop.exact("web")
    shop.write({"other": objects.idle("other")}, name="next")
    shop.ok("plan")
    assert shop.exact("web") == swapped


def test_a_session_without_lease_is_restored_by_the_next_command(shop: Place) -> None:
    """The journal is on the object itself: the Lease is not needed to find the way back."""
    before = shop.exact("web")
    killed_while_up(shop)
    shop.kubectl("delete", "lease", "-l", OURS)
    shop.write({"other": objects.idle("other")}, name="next")
    shop.ok("plan")
    assert shop.exact("web") == before
    shop.nothing_left()


def test_up_takes_over_what_a_killed_one_left(shop: Place) -> None:
    """The same file comes up again from wherever the last one died, and goes down exactly."""
    before = shop.exact("web")
    killed_while_up(shop)
    shop.ok("up", "-d")
    assert len(shop.agents()) == 1
    assert shop.tp("plan", "--exit-code").returncode == 0
    shop.ok("down")
    assert shop.exact("web") == before
    shop.nothing_left()


def test_the_exports_of_a_killed_session_go_too(shop: Place) -> None:
    """What it wrote here holds Secrets: the next command removes it."""
    export = shop.folder / ".env.web"
    shop.write({"web": {**objects.idle(), "env": {"export": [".env.web"]}}})
    killed_while_up(shop)
    assert export.exists()
    shop.ok("down")
    assert not export.exists()


def killed_while_up(shop: Place) -> None:
    """Bring the file up, and kill everything of it."""
    program = shop.start_up()
    shop.kill()
    program.wait()


def at_a_moment(shop: Place, program: subprocess.Popen[bytes], chance: random.Random) -> None:
    """Wait until a random step of ``up`` was done, and a random part of the next one."""
    steps, part_s = chance.randint(0, STEPS), chance.uniform(0, 0.6)
    eventually(
        lambda: shop.log().count("✓") >= steps or program.poll() is not None,
        shop.log,
        timeout_s=90,
    )
    time.sleep(part_s)
