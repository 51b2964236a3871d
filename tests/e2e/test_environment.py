"""The environment is the one that the kubelet gave the original, byte by byte."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.place import Place

ODD = {
    "LINES": "two lines\nand 'quotes' \"both\" $HOME `id` \\ ü\n",
    "BLANKS": "  before, inside and behind \t ",
    "EMPTY": "",
    "EQUALS": "a=b=c",
    "JSON": '{"key": "a\\nb", "list": [1, "2"]}',
    "LONG": "x" * 60_000,
}
PEM = "-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n"
NOT_OF_THE_POD = {"HOSTNAME", "HOME", "PATH", "LANG", "PWD", "SHLVL", "_", "LC_CTYPE"}
OF_ONE_POD = {"POD_NAME", "POD_IP", "POD_UID"}
OURS = ("TP_", "TELEPRESENCE_")


def field(name: str, path: str) -> dict[str, Any]:
    """Return a variable of the downward API."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def limit(name: str, resource: str) -> dict[str, Any]:
    """Return a variable that holds a limit or request of the container."""
    return {"name": name, "valueFrom": {"resourceFieldRef": {"resource": resource}}}


@pytest.fixture
def shop(place: Place) -> Place:
    """A Deployment with every kind of variable."""
    web = objects.deployment(
        "web",
        env=[
            *({"name": name, "value": value} for name, value in ODD.items()),
            {"name": "BUILT", "value": "$(EQUALS)/$$(EQUALS)/$(NOBODY)"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
            {
                "name": "ABSENT",
                "valueFrom": {"secretKeyRef": {"name": "keys", "key": "no", "optional": True}},
            },
            field("POD_NAME", "metadata.name"),
            field("POD_IP", "status.podIP"),
            field("POD_UID", "metadata.uid"),
            field("SPACE", "metadata.namespace"),
            field("APP", "metadata.labels['app']"),
            field("NODE", "spec.nodeName"),
            field("ACCOUNT", "spec.serviceAccountName"),
        ],
        envFrom=[
            {"configMapRef": {"name": "settings"}},
            {"prefix": "KEYS_", "secretRef": {"name": "keys"}},
        ],
    )
    place.apply(
        objects.config_map(
            "settings", {"MODE": "test", "config.file": "a\nb\n", "dashed-key": "1"}
        ),
        objects.secret("keys", {"token": "s3cret", "pem": PEM}),
        objects.service("web"),
        objects.service("other-one"),
    )
    place.apply(web)
    place.write({"web": objects.idle()})
    return place


def test_it_is_the_originals(shop: Place) -> None:
    """Literals, envFrom, Secrets, fields and service variables: what the original has, we have."""
    original = of_the_original(shop)
    shop.ok("up", "-d")
    pod = shop.agents()[0]
    wanted = {
        **{key: one for key, one in original.items() if key not in NOT_OF_THE_POD},
        "POD_NAME": pod["metadata"]["name"],
        "POD_UID": pod["metadata"]["uid"],
        "POD_IP": pod["status"]["podIP"],
    }
    found: dict[str, str] = json.loads(shop.ok("env", "web", "--format", "json"))
    assert {key: one for key, one in found.items() if not key.startswith(OURS)} == wanted
    assert (found["LINES"], found["KEYS_pem"], found["TOKEN"]) == (ODD["LINES"], PEM, "s3cret")
    inside = parse(run_cat_environ(shop))
    assert {key: inside[key] for key in wanted} == wanted
    assert not [key for key in inside if key.startswith("TPCONFIG")]


def test_limits_are_the_originals(place: Place) -> None:
    """What the downward API says of the container's resources is about the original's."""
    resources = {"limits": {"cpu": "1500m", "memory": "96Mi"}, "requests": {"cpu": "50m"}}
    env = [
        limit("CPU", "limits.cpu"),
        limit("MEMORY", "limits.memory"),
        limit("REQUEST", "requests.memory"),
    ]
    place.apply(objects.deployment("web", resources=resources, env=env))
    place.write({"web": objects.idle()})
    original = of_the_original(place)
    place.ok("up", "-d")
    found = json.loads(place.ok("env", "web", "--format", "json"))
    for key in ("CPU", "MEMORY", "REQUEST"):
        assert found[key] == original[key], key


def test_the_machines_own_variables_stay_below(shop: Place) -> None:
    """The developer's own are there, the Pod's win over them, and HOME and PATH stay local."""
    shop.ok("up", "-d", MODE="mine", EDITOR="vi")
    inside = parse(run_cat_environ(shop))
    assert (inside["MODE"], inside["EDITOR"]) == ("test", "vi")
    own = shop.environment()
    assert (inside["HOME"], inside["PATH"]) == (own["HOME"], own["PATH"])
    printed = json.loads(shop.ok("env", "web", "--format", "json"))
    assert "EDITOR" not in printed
    assert "EDITOR" in json.loads(shop.ok("env", "web", "--format", "json", "--all"))


def test_the_file_adds_and_takes_away(shop: Place) -> None:
    """``set`` wins over the Pod, ``unset`` over both; a number stays as it was written."""
    file = shop.write(
        {"web": {**objects.idle(), "env": {"set": {"MODE": "mine"}, "unset": ["K*"]}}}
    )
    file.write_text(file.read_text().replace('"mine"', '"mine", "VERSION": 1.10'))
    shop.ok("up", "-d")
    found = json.loads(shop.ok("env", "web", "--format", "json"))
    assert (found["MODE"], found["VERSION"]) == ("mine", "1.10")
    assert not [key for key in found if key.startswith("K")]


@pytest.mark.parametrize("form", ["shell", "dotenv", "json"])
def test_exports_are_private_exact_and_go_with_the_session(shop: Place, form: str) -> None:
    """The file is there while up, for its owner alone, byte-exact, and removed by ``down``."""
    export = {"path": ".env.web", "format": form}
    shop.write({"web": {**objects.idle(), "env": {"export": [export]}}})
    shop.ok("up", "-d")
    path = shop.folder / ".env.web"
    assert path.stat().st_mode & 0o777 == 0o600
    printed = shop.ok("env", "web", "--format", form)
    assert path.read_text() == printed
    if form == "shell":
        shell = f"set -a; . {path}; exec cat /proc/self/environ"
        read = subprocess.run(["bash", "-c", shell], capture_output=True, check=True, env={})
        found = parse(read.stdout)
    else:
        found = json.loads(shop.ok("env", "web", "--format", "json"))
    assert {key: found[key] for key in ODD} == ODD
    shop.ok("down")
    assert not path.exists()


def test_an_export_may_stay(shop: Place) -> None:
    """``keep`` leaves the file there after ``down``."""
    export = {"path": ".env.web", "keep": True}
    shop.write({"web": {**objects.idle(), "env": {"export": [export]}}})
    shop.ok("up", "-d")
    shop.ok("down")
    assert "MODE" in (shop.folder / ".env.web").read_text()


def of_the_original(place: Place) -> dict[str, str]:
    """Return the environment of the first process of the original."""
    words = ["exec", "deploy/web", "--", "cat", "/proc/1/environ"]
    done = subprocess.run([*place.kubectl_command(), *words], capture_output=True, check=True)
    return parse(done.stdout)


def run_cat_environ(place: Place) -> bytes:
    """Return the environment of a process inside, as the kernel has it."""
    done = subprocess.run(
        place.tp_command("run", "web", "--", "cat", "/proc/self/environ"),
        cwd=place.folder,
        env=place.environment(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def parse(environ: bytes) -> dict[str, str]:
    """Read what ``/proc/PID/environ`` holds."""
    pairs = (one.partition("=") for one in environ.decode().split("\0") if one)
    return {key: value for key, _, value in pairs}
