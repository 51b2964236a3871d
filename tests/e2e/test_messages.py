"""What a user can get wrong: one clear message, the documented exit code, the cluster unchanged."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.place import Place

RUN = {"command": "sleep 60"}


@dataclass(frozen=True)
class Case:
    """A workload that cannot come up; ``says`` are words of the message."""

    name: str
    code: int
    says: tuple[str, ...]
    workload: dict[str, Any]
    top: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()


def web(**more: Any) -> dict[str, Any]:
    """Return a workload that would come up but for what is given."""
    return {"target": "deployment/web", "run": RUN, "expose": [], **more}


CASES = (
    Case(
        "no deployment",
        2,
        ("no deployment `webb`", "did you mean `web`"),
        web(target="deployment/webb"),
    ),
    Case("no container", 2, ("no container `wev`", "`web`"), web(target="deployment/web:wev")),
    Case("no named port", 2, ("no tcp port named `htpt`", "`http`"), web(expose=["3000:htpt"])),
    Case(
        "a service's port", 2, ("80 is a port of service web", "3000:http"), web(expose=["3000:80"])
    ),
    Case(
        "no command",
        2,
        ("no command `no-such-program`",),
        web(run={"command": "no-such-program"}),
    ),
    Case("no workload", 2, ("no workload `wbe`", "`web`"), web(), arguments=("wbe",)),
    Case(
        "no namespace", 2, ("no namespace `no-such`",), web(), {"cluster": {"namespace": "no-such"}}
    ),
    Case("no context", 2, ("no context", "nowhere"), web(), {"cluster": {"context": "nowhere"}}),
    Case("no engine yet", 2, ("intercept", "telepresence.yaml:1:"), web(mode="intercept")),
    Case("no such key", 2, ("`exposes`", "`expose`"), {"target": "deployment/web", "exposes": []}),
    Case("two containers", 2, ("2 containers", "deployment/two:one"), web(target="deployment/two")),
    Case(
        "no image",
        1,
        ("image of container web cannot be pulled", "no-such-image"),
        web(),
        {"cluster": {"image": {"name": "localhost/no-such-image:1"}}},
    ),
    Case(
        "ends at once",
        1,
        ("exit code 4", "no disk"),
        web(run={"command": "echo no disk; exit 4"}, expose=["3000:8080"]),
    ),
    Case(
        "never listens",
        1,
        ("nothing listened on 3000",),
        web(run={"command": "sleep 60", "ready": {"timeout": "1s"}}, expose=["3000:8080"]),
    ),
    Case(
        "init fails",
        1,
        ("init container prepare failed with exit code 3", "no disk"),
        web(target="deployment/unprepared"),
    ),
    Case("does not fit", 1, ("cannot be scheduled", "node"), web(target="deployment/placeless")),
    Case("protected", 2, ("protected", "--yes-i-mean"), web(), {"cluster": {"protected": ["*"]}}),
)


@pytest.fixture(scope="module")
def shop(kubeconfig: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One namespace for the whole table: nothing of it is ever changed."""
    place = Place(tmp_path_factory.mktemp("messages"), "", kubeconfig)
    place.namespace = f"e2e-messages-{place.state[-6:].lower().strip('_')}".replace("_", "x")
    place.kubectl("create", "namespace", place.namespace)
    two = objects.deployment("two", replicas=0)
    spec = two["spec"]["template"]["spec"]
    spec["containers"] = [
        {**spec["containers"][0], "name": name, "ports": []} for name in ("one", "two")
    ]
    unprepared = objects.deployment("unprepared", replicas=0)
    fails = [objects.PYTHON, "-c", "print('no disk'); raise SystemExit(3)"]
    unprepared["spec"]["template"]["spec"]["initContainers"] = [
        {"name": "prepare", "image": objects.BASE, "command": fails}
    ]
    placeless = objects.deployment("placeless", replicas=0)
    placeless["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such"}
    place.apply(objects.deployment("web"), objects.service("web"), two, unprepared, placeless)
    yield place
    place.end()
    place.kubectl("delete", "namespace", place.namespace, "--wait=false")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_says_what_is_wrong_and_changes_nothing(shop: Place, case: Case) -> None:
    """The message has the words, the exit code is the documented one, no object has changed."""
    name = case.workload["target"].split("/")[1].split(":")[0]
    known = name in ("two", "unprepared", "placeless")
    before = shop.exact(name if known else "web")
    shop.write({"web": case.workload}, **dict(case.top))
    done = shop.tp("up", *case.arguments)
    said = done.stdout + done.stderr
    assert done.returncode == case.code, said
    assert "Traceback" not in said
    for words in case.says:
        assert words in said, said
    assert shop.exact(name if known else "web") == before
    shop.nothing_left()


def test_a_missing_file(shop: Place) -> None:
    """It says what it looked for."""
    (shop.folder / "telepresence.yaml").unlink(missing_ok=True)
    done = shop.tp("up")
    assert done.returncode == 2
    assert "telepresence.yaml" in done.stderr


def test_a_broken_file(shop: Place) -> None:
    """It points at the place."""
    (shop.folder / "telepresence.yaml").write_text("version: 1\nworkloads: {web: [}\n")
    done = shop.tp("up")
    assert done.returncode == 2
    assert "telepresence.yaml:2:" in done.stderr


def test_an_unreachable_cluster(shop: Place) -> None:
    """It names the address and how long it was tried."""
    config = json.loads(shop.kubectl("config", "view", "--raw", "-o", "json"))
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path = shop.folder / "unreachable"
    path.write_text(json.dumps(config))
    shop.write({"web": web()})
    done = shop.tp("up", "--kubeconfig", str(path))
    assert done.returncode == 7
    assert "https://127.0.0.1:1" in done.stderr
    assert "tried for" in done.stderr


def test_a_local_port_in_use(shop: Place) -> None:
    """Without a network of its own the process needs the port: it says who has it."""
    import os
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shop.write({"web": web(expose=[f"{port}:8080"])}, method="none")
        done = shop.tp("up")
    assert done.returncode == 2, done.stderr
    assert f"local port {port} is in use by" in done.stderr
    assert str(os.getpid()) in done.stderr
