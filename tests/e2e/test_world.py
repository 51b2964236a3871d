"""The workload's world: names, network and environment of the Pod, for any process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.place import DEMO, Place

VALUE = "two lines\nand 'quotes' \"both\" $HOME \\ ü"


@pytest.fixture
def inside(place: Place) -> Place:
    """A session that is up, with everything around it that can be named."""
    web = objects.deployment(
        "web",
        env=[
            {"name": "ODD", "value": VALUE},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            {
                "name": "TOKEN",
                "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}},
            },
        ],
        envFrom=[{"configMapRef": {"name": "settings"}}],
    )
    headless = objects.service("headless", clusterIP="None", selector={"app": "named"})
    named = objects.deployment("named")
    named["spec"]["template"]["spec"] |= {"hostname": "one", "subdomain": "headless"}
    alias = f"other.{place.namespace}.svc.cluster.local"
    external = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "elsewhere"},
        "spec": {"type": "ExternalName", "externalName": alias},
    }
    place.apply(
        objects.config_map("settings", {"MODE": "test", "LINES": "a\nb\n"}),
        objects.secret("keys", {"token": "s3cret"}),
        web,
        objects.service("web"),
        objects.deployment("other", env=[{"name": "UDP_PORT", "value": "5005"}]),
        objects.service(
            "other",
            ports=[
                {"name": "web", "port": 80, "targetPort": 8080},
                {"name": "echo", "port": 5005, "protocol": "UDP"},
            ],
        ),
        named,
        headless,
        external,
    )
    workload: dict[str, Any] = {
        "target": "deployment/web",
        "env": {
            "set": {"ADDED": "1.10"},
            "unset": ["LINE?"],
            "export": [{"path": ".env.web", "format": "shell"}],
        },
        "run": {"command": "sleep 600"},
        "expose": [],
    }
    place.write({"web": workload})
    place.ok("up", "-d")
    return place


def probe() -> str:
    """Return the path of the static Go binary."""
    given = os.environ.get("TP_TEST_PROBE")
    if given:
        return given
    from tests import rig

    return str(rig.probe())


def test_every_name_is_reached_by_every_kind_of_program(inside: Place) -> None:
    """curl, Python and a static Go binary reach short, qualified, headless and external names."""
    space = inside.namespace
    asked = (
        "http://other",
        f"http://other.{space}",
        f"http://other.{space}.svc.cluster.local",
        f"http://one.headless.{space}.svc.cluster.local:8080",
        "http://elsewhere",
    )
    read = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=10).read())"
    for url in asked:
        for program in (["curl", "-sSm", "10"], [sys.executable, "-c", read], [probe(), "http"]):
            done = inside.tp("run", "web", "--", *program, url)
            assert done.returncode == 0, (program, url, done.stderr)
            assert '"name": "' in done.stdout, (program, url, done.stdout)


def test_service_records_and_udp(inside: Place) -> None:
    """SRV records are what the Pod would get, and datagrams come back."""
    srv = f"_web._tcp.other.{inside.namespace}.svc.cluster.local"
    assert "80" in inside.ok("run", "web", "--", probe(), "srv", srv)
    assert "hello" in inside.ok("run", "web", "--", probe(), "udp", "other:5005", "hello")


def test_a_name_that_does_not_exist_fails(inside: Place) -> None:
    """It is an error of the name, at once, not a time-out."""
    done = inside.tp("run", "web", "--", "curl", "-sSm", "5", "http://no-such-name")
    assert done.returncode == 6, done.stderr


def test_a_port_that_refuses_is_refused(inside: Place) -> None:
    """The process sees a reset, not a connection that hangs."""
    done = inside.tp("run", "web", "--", "curl", "-sSm", "5", "http://web:81")
    assert done.returncode in (7, 28, 52, 56), done.stderr


def test_localhost_is_the_workloads_own(inside: Place) -> None:
    """Nothing of the Pod or of this machine listens on localhost inside."""
    done = inside.tp("run", "web", "--", "curl", "-sSm", "5", "http://127.0.0.1:22")
    assert done.returncode == 7, done.stderr


def test_the_environment_is_the_pods_byte_by_byte(inside: Place) -> None:
    """Literals, fields, Secrets, ConfigMaps and service variables, then what the file says."""
    env = json.loads(inside.ok("env", "web", "--format", "json"))
    pod = inside.get_list("pods")[0]["metadata"]["name"]
    expected = {
        "ODD": VALUE,
        "POD_NAME": pod,
        "TOKEN": "s3cret",
        "MODE": "test",
        "ADDED": "1.10",
        "OTHER_SERVICE_PORT": "80",
    }
    assert {key: env.get(key) for key in expected} == expected
    assert "LINES" not in env
    assert not [key for key in env if key.startswith("TPCONFIG")]
    out = inside.ok("run", "web", "--", sys.executable, "-c", "import os; print(os.environ['ODD'])")
    assert out == VALUE + "\n"


def test_exports_are_private_and_go_with_the_session(inside: Place) -> None:
    """The file is there while up, for its owner alone, and removed by ``down``."""
    export = inside.folder / ".env.web"
    assert export.stat().st_mode & 0o777 == 0o600
    shell = f'. {export} && printf %s "$ODD"'
    read = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    assert read.stdout == VALUE
    inside.ok("down")
    assert not export.exists()


def test_run_gives_through_what_goes_in_and_out(inside: Place) -> None:
    """Exit code, input and output are the command's own; 125 is ours."""
    assert inside.tp("run", "web", "--", "sh", "-c", "exit 42").returncode == 42
    assert inside.tp("run", "web", "--", "no-such-command").returncode in (125, 127)
    assert inside.tp("run", "nobody", "--", "true").returncode == 125
    done = subprocess.run(
        inside.tp_command("run", "web", "--", "cat"),
        cwd=inside.folder,
        env=inside.environment(),
        input=b"\0\1\2",
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == b"\0\1\2"


def test_the_exit_code_is_the_named_process(place: Place) -> None:
    """``--exit-code-from`` ends the session with that process."""
    place.apply(objects.deployment("web"), objects.service("web"))
    place.write(
        {"job": {"target": "deployment/web", "expose": [], "run": {"command": "sleep 1; exit 7"}}}
    )
    assert place.tp("up", "--exit-code-from", "job").returncode == 7
    place.nothing_left()


def test_ports_below_1024_several_and_udp(place: Place) -> None:
    """Different numbers, several at once, below 1024 in the Pod, and datagrams."""
    web = objects.deployment("web")
    container = web["spec"]["template"]["spec"]["containers"][0]
    container["ports"] += [
        {"name": "low", "containerPort": 443},
        {"name": "dns", "containerPort": 53, "protocol": "UDP"},
    ]
    ports = [
        {"name": "web", "port": 80, "targetPort": "http"},
        {"name": "low", "port": 443, "targetPort": "low"},
        {"name": "dns", "port": 53, "targetPort": "dns", "protocol": "UDP"},
    ]
    place.apply(web, objects.service("web", ports=ports), objects.client())
    env = {"PORT": "3000,3443", "UDP_PORT": "3053", "SERVED_BY": "here", "DRAIN": "0"}
    place.write(
        {
            "web": {
                "target": "deployment/web",
                "expose": ["3000:8080", "3443:443", "3053:53/udp"],
                "env": {"set": env},
                "run": {"command": [sys.executable, str(DEMO)]},
            }
        }
    )
    place.ok("up", "-d")
    place.settled("web")
    for url in ("http://web", "http://web:443"):
        assert place.load(url, seconds=0.2)["served_by"] == {"here": 10}
    ask = (
        "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(5); "
        "s.connect(('web', 53)); s.send(b'hello'); print(s.recv(99))"
    )
    out = place.kubectl("exec", "deploy/client", "--", objects.PYTHON, "-c", ask)
    assert "hello" in out
