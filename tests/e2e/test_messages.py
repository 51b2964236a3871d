"""What a user can get wrong: one clear message, the documented exit code, the cluster unchanged."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.place import Place, free_port

NO_IMAGE = "localhost/no-such-image:1"


@dataclass(frozen=True)
class Case:
    """A file that cannot come up; ``says`` are words of the message.

    ``late``: only trying tells, so ``tp plan`` finds nothing wrong.
    """

    name: str
    code: int
    says: tuple[str, ...]
    workload: dict[str, Any]
    top: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    late: bool = False


def web(**more: Any) -> dict[str, Any]:
    """Return a workload that would come up but for what is given."""
    return {**objects.idle(), **more}


def run(command: Any, **more: Any) -> dict[str, Any]:
    """Return one whose command is another."""
    return web(run={"command": command, **more}, expose=["3000:8080"])


CASES = (
    Case(
        "no context",
        2,
        ("no context", "nowhere"),
        web(),
        {"cluster": {"context": "nowhere"}},
    ),
    Case(
        "no namespace",
        2,
        ("no namespace `kube-sistem`", "kube-system"),
        web(),
        {"cluster": {"namespace": "kube-sistem"}},
    ),
    Case(
        "no deployment",
        2,
        ("no deployment `webb`", "did you mean `web`", "telepresence.yaml:1:"),
        web(target="deployment/webb"),
    ),
    Case("no container", 2, ("no container `wev`", "`web`"), web(target="deployment/web:wev")),
    Case("two containers", 2, ("2 containers", "deployment/two:one"), web(target="deployment/two")),
    Case("no named port", 2, ("no tcp port named `htpt`", "`http`"), web(expose=["3000:htpt"])),
    Case(
        "a service's port", 2, ("80 is a port of service web", "3000:http"), web(expose=["3000:80"])
    ),
    Case("no command", 2, ("no command `no-such-program`",), run("no-such-program --flag")),
    Case("no command in a list", 2, ("no command `nope`",), run(["nope", "a b"])),
    Case("no folder", 2, ("nowhere",), run("sleep 60", cwd="nowhere")),
    Case("no workload", 2, ("no workload `wbe`", "`web`"), web(), arguments=("wbe",)),
    Case("no engine yet", 2, ("intercept", "telepresence.yaml:1:"), web(mode="intercept")),
    Case("another kind", 2, ("statefulset",), web(target="statefulset/web")),
    Case("no such key", 2, ("`exposes`", "`expose`"), {"target": "deployment/web", "exposes": []}),
    Case("protected", 2, ("protected", "--yes-i-mean"), web(), {"cluster": {"protected": ["*"]}}),
    Case(
        "no image",
        1,
        ("image of container web cannot be pulled", NO_IMAGE),
        web(),
        {"cluster": {"image": {"name": NO_IMAGE}}},
        late=True,
    ),
    Case(
        "no python in the image",
        1,
        ("/no/python3", "cluster.image.python"),
        web(),
        {"cluster": {"image": {"python": "/no/python3"}}},
        late=True,
    ),
    Case(
        "init fails",
        1,
        ("init container prepare failed with exit code 3", "no disk", "second line"),
        web(target="deployment/unprepared"),
        late=True,
    ),
    Case(
        "does not fit",
        1,
        ("cannot be scheduled", "node affinity/selector"),
        web(target="deployment/placeless"),
        late=True,
    ),
    Case(
        "no such secret",
        1,
        ("cannot be created", 'secret "no-such-secret" not found'),
        web(target="deployment/secretless"),
        late=True,
    ),
    Case("ends at once", 1, ("exit code 4", "no disk"), run("echo no disk; exit 4"), late=True),
    Case(
        "never listens",
        1,
        ("nothing listened on 3000", "still thinking"),
        run("echo still thinking; sleep 60", ready={"timeout": "1s"}),
        late=True,
    ),
)


@pytest.fixture(scope="module")
def shop(shared_place: Place) -> Place:
    """Deployments with one thing wrong each; their own Pods need not run."""
    place = shared_place
    two, unprepared, placeless, secretless = (
        objects.deployment(name, replicas=0)
        for name in ("two", "unprepared", "placeless", "secretless")
    )
    container = two["spec"]["template"]["spec"]["containers"][0]
    two["spec"]["template"]["spec"]["containers"] = [
        {**container, "name": name, "ports": []} for name in ("one", "two")
    ]
    fails = [objects.PYTHON, "-c", "print('no disk\\nsecond line'); raise SystemExit(3)"]
    unprepared["spec"]["template"]["spec"]["initContainers"] = [
        {"name": "prepare", "image": objects.BASE, "command": fails}
    ]
    placeless["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such"}
    secretless["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [
        {"secretRef": {"name": "no-such-secret"}}
    ]
    place.apply(objects.service("web"), objects.deployment("web"), two)
    place.apply(unprepared, placeless, secretless)
    return place


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_says_what_is_wrong_and_changes_nothing(shop: Place, case: Case) -> None:
    """The message has the words, the exit code is the documented one, no object has changed."""
    names = [one["metadata"]["name"] for one in shop.get_list("deployments", selector="")]
    before, contents = {name: shop.exact(name) for name in names}, shop.contents()
    shop.write({"web": case.workload}, **{key: dict(one) for key, one in case.top.items()})
    for command in ("plan", "up"):
        done = shop.tp(command, *case.arguments)
        said = done.stdout + done.stderr
        if case.late and command == "plan":
            assert done.returncode == 0, said
            continue
        assert done.returncode == case.code, said
        assert "Traceback" not in said
        for words in case.says:
            assert words in said, said
    assert {name: shop.exact(name) for name in names} == before
    if not case.late:
        assert shop.contents() == contents
    shop.nothing_left()
    assert shop.processes() == []


def test_a_missing_file(shop: Place) -> None:
    """It says what it looked for, and where."""
    (shop.folder / "telepresence.yaml").unlink(missing_ok=True)
    done = shop.tp("up")
    assert done.returncode == 2
    assert "telepresence.yaml" in done.stderr
    done = shop.tp("up", "-f", "nowhere.yaml")
    assert done.returncode == 2
    assert "nowhere.yaml" in done.stderr


def test_a_broken_file(shop: Place) -> None:
    """It points at the place; nothing is asked of the cluster."""
    (shop.folder / "telepresence.yaml").write_text("version: 1\nworkloads: {web: [}\n")
    for command in ("plan", "up"):
        done = shop.tp(command, KUBECONFIG="/nowhere")
        assert done.returncode == 2
        assert "telepresence.yaml:2:" in done.stderr


def test_everything_wrong_with_a_file_at_once(shop: Place) -> None:
    """Each problem with its line, sorted, and their number."""
    text = "version: 1\nworkloads:\n  web:\n    taget: deployment/web\n    expose: [70000:80]\n"
    (shop.folder / "telepresence.yaml").write_text(text)
    done = shop.tp("plan")
    assert done.returncode == 2
    places = [done.stderr.find(f"telepresence.yaml:{line}:") for line in (4, 5)]
    assert -1 not in places, done.stderr
    assert places == sorted(places)
    assert "problems" in done.stderr


def test_an_unreachable_cluster(shop: Place) -> None:
    """It names the address and how long it was tried."""
    port = free_port()
    config = json.loads(shop.kubectl("config", "view", "--raw", "-o", "json"))
    for cluster in config["clusters"]:
        cluster["cluster"]["server"] = f"https://127.0.0.1:{port}"
    path = shop.home / "unreachable"
    path.write_text(json.dumps(config))
    shop.write({"web": web()})
    for command in ("plan", "up", "down"):
        done = shop.tp(command, "--kubeconfig", str(path))
        assert done.returncode == 7, done.stderr
        assert f"https://127.0.0.1:{port}" in done.stderr
        assert "tried for" in done.stderr


def test_a_missing_kubeconfig(shop: Place) -> None:
    """It names the path."""
    shop.write({"web": web()})
    done = shop.tp("up", "--kubeconfig", "/nowhere/config")
    assert done.returncode == 2, done.stderr
    assert "/nowhere/config" in done.stderr


def test_a_local_port_in_use(shop: Place) -> None:
    """Without a network of its own the process needs the port: it says who has it."""
    contents = shop.contents()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shop.write({"web": web(expose=[f"{port}:8080"])}, method="none")
        for command in ("plan", "up"):
            done = shop.tp(command)
            assert done.returncode == 2, done.stderr
            assert f"local port {port} is in use by" in done.stderr
            assert str(os.getpid()) in done.stderr
        shop.write({"web": web(expose=[f"{port}:8080"])})
        assert shop.tp("plan").returncode == 0
    assert shop.contents() == contents


def test_wrong_usage_of_the_command_line(shop: Place) -> None:
    """A wrong word or option is 2, with the nearest right one."""
    for arguments, words in (
        (("upp",), "`up`"),
        (("up", "--dettach"), "--detach"),
        (("run", "web"), "CMD"),
        (("env", "web", "--format", "yml"), "yaml"),
    ):
        done = shop.tp(*arguments)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr, done.stderr
