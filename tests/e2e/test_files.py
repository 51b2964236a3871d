"""The Pod's files: at their own paths, under TP_ROOT, live where others write to them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.namespace import eventually
from tests.e2e.place import Place

SIDECAR = "while true; do date +%s%N > /data/tick; sleep 0.2; done"
TOKEN = "var/run/secrets/kubernetes.io/serviceaccount/token"

needs_sshfs = pytest.mark.skipif(shutil.which("sshfs") is None, reason="needs sshfs")


def _deploy(place: Place) -> None:
    """A workload with a volume of every common kind, and a sidecar that shares one."""
    web = objects.deployment("web")
    pod = web["spec"]["template"]["spec"]
    pod["volumes"] = [
        {"name": "config", "configMap": {"name": "settings"}},
        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
        {"name": "shared", "emptyDir": {}},
        {
            "name": "self",
            "downwardAPI": {
                "items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]
            },
        },
    ]
    pod["containers"][0]["volumeMounts"] = [
        {"name": "config", "mountPath": "/etc/tp-test/config"},
        {"name": "config", "mountPath": "/srv/tp-test.conf", "subPath": "mode"},
        {"name": "keys", "mountPath": "/tp-test-keys"},
        {"name": "shared", "mountPath": "/data"},
        {"name": "self", "mountPath": "/srv/tp-test/self"},
    ]
    pod["containers"].append(
        {
            "name": "sidecar",
            "image": objects.BASE,
            "command": ["sh", "-c", SIDECAR],
            "volumeMounts": [{"name": "shared", "mountPath": "/data"}],
        }
    )
    place.apply(
        objects.config_map("settings", {"mode": "test"}), objects.secret("keys", {"k": "s3"}), web
    )


def _write(place: Place, volumes: Any, **top: Any) -> None:
    workload = {
        "target": "deployment/web:web",
        "mode": "none",
        "expose": [],
        "volumes": volumes,
        "run": {"command": "sleep 600"},
    }
    place.write({"web": workload}, **top)


def _cat(place: Place, *paths: str) -> str:
    return place.ok("run", "web", "--", "cat", *paths)


@needs_sshfs
def test_every_kind_of_volume_is_where_the_pod_has_it(place: Place) -> None:
    """Also at paths that this machine has not; what is shared is live, both ways."""
    _deploy(place)
    _write(place, "mount")
    place.ok("up", "-d")
    agent = place.get_list("pods")[0]["metadata"]["name"]
    fixed = ["/etc/tp-test/config/mode", "/srv/tp-test.conf", "/tp-test-keys/k"]
    assert _cat(place, *fixed, "/srv/tp-test/self/name") == f"testtests3{agent}"
    assert _cat(place, f"/{TOKEN}").count(".") == 2
    first = _cat(place, "/data/tick")
    eventually(lambda: _cat(place, "/data/tick") != first, "the sidecar's file does not change")
    place.ok("run", "web", "--", "sh", "-c", "echo from here > /data/mine")
    there = place.kubectl("exec", agent, "-c", "sidecar", "--", "cat", "/data/mine")
    assert there == "from here\n"
    for path in ("/etc/tp-test", "/srv/tp-test", "/tp-test-keys", "/data/tick"):
        assert not os.path.exists(path)
    refused = place.tp("run", "web", "--", "sh", "-c", "echo x > /etc/tp-test/config/mode")
    assert "Read-only file system" in refused.stderr
    place.ok("down")
    assert str(place.state) not in Path("/proc/mounts").read_text()


@needs_sshfs
def test_a_killed_session_leaves_no_mount_and_no_file(place: Place) -> None:
    """The next command of any kind removes what is left."""
    _deploy(place)
    _write(place, "mount")
    program = place.start("up")
    eventually(lambda: place.tp("run", "web", "--", "true").returncode == 0, "it did not come up")
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    place.tp("status")
    assert str(place.state) not in Path("/proc/mounts").read_text()
    assert not list(Path(place.state).rglob("files"))


def test_copies_are_under_tp_root_in_every_method(place: Place) -> None:
    """Without a network namespace they are under TP_ROOT, and under `at` in the project."""
    _deploy(place)
    _write(place, {"mode": "copy", "at": "./pod", "read_only": True}, method="none")
    place.ok("up", "-d")
    at = place.folder / "pod"
    assert (at / "etc/tp-test/config/mode").read_text() == "test"
    assert (at / "tp-test-keys/k").read_text() == "s3"
    assert (at / TOKEN).read_text().count(".") == 2
    first = (at / "data/tick").read_text()
    eventually(lambda: (at / "data/tick").read_text() != first, "the copy is not refreshed")
    root = place.ok("run", "web", "--", "sh", "-c", 'printf %s "$TP_ROOT"')
    assert os.path.realpath(at) == os.path.realpath(root)
    mounts = place.ok("run", "web", "--", "sh", "-c", 'printf %s "$TP_MOUNTS"').split(":")
    assert {"/data", "/tp-test-keys", f"/{os.path.dirname(TOKEN)}"} <= set(mounts)
    place.kubectl("patch", "configmap", "settings", "--patch", '{"data": {"mode": "new"}}')
    config = at / "etc/tp-test/config/mode"
    eventually(lambda: config.read_text() == "new", "not refreshed", timeout_s=120)
    place.ok("down")
    assert not os.path.lexists(at)


def test_the_sidecars_are_on_the_processes_localhost(place: Place) -> None:
    """What listens on the Pod's loopback only is reached on the loopback here, and only there."""
    web = objects.deployment("web")
    serve = ["-m", "http.server", "8910", "--bind", "127.0.0.1", "--directory", "/etc"]
    sidecar = {"name": "sidecar", "image": objects.BASE, "command": [objects.PYTHON, *serve]}
    web["spec"]["template"]["spec"]["containers"].append(sidecar)
    place.apply(web)
    workload = {"target": "deployment/web:web", "mode": "none", "pod_localhost": [8910]}
    place.write({"web": {**workload, "run": {"command": "sleep 600"}}})
    place.ok("up", "-d")
    url = "http://localhost:8910/hostname"
    ask = ["curl", "-sSm", "9", "--retry", "9", "--retry-all-errors", url]
    assert place.ok("run", "web", "--", *ask).startswith("tp-")
    assert subprocess.run(["curl", "-sm", "9", url], check=False).returncode == 7


def test_only_what_is_asked_for(place: Place) -> None:
    """`paths` limits, `local` wins, and a path without a volume is refused with those there are."""
    _deploy(place)
    _write(place, {"mode": "copy", "paths": ["/srv", "/tp-test-keys"], "local": ["/srv/tp-test"]})
    place.ok("up", "-d")
    mounts = place.ok("run", "web", "--", "sh", "-c", 'printf %s "$TP_MOUNTS"').split(":")
    assert sorted(mounts) == ["/srv/tp-test.conf", "/tp-test-keys"]
    place.ok("down")
    _write(place, {"paths": ["/app"]})
    refused = place.tp("up", "-d")
    assert refused.returncode == 2
    assert "no volume at /app" in refused.stderr
    place.nothing_left()


def test_a_killed_session_leaves_no_secrets_in_the_project(place: Place) -> None:
    """After kill -9 the next command of any kind puts an exported file back as it was."""
    place.apply(objects.deployment("web"))
    export = place.folder / ".env.web"
    export.write_text("MINE=1\n")
    env = {"export": [{"path": ".env.web", "format": "shell"}]}
    web = {"target": "deployment/web", "mode": "none", "env": env, "run": {"command": "sleep 600"}}
    place.write({"web": web})
    program = place.start("up")
    eventually(lambda: "TP_WORKLOAD" in export.read_text(), "nothing was exported", timeout_s=60)
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    assert f"put {export} back" in place.tp("status").stderr
    assert export.read_text() == "MINE=1\n"
