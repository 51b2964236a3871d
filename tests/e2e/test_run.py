"""``tp run``, ``tp env``, ``tp status`` and ``--exit-code-from``: what scripts lean on."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.namespace import eventually
from tests.e2e.place import Place
from tests.e2e.terminal import Terminal


@pytest.fixture
def shop(place: Place) -> Place:
    """A session that is up."""
    place.apply(objects.deployment("web", env=[{"name": "MODE", "value": "test"}]))
    place.write({"web": objects.idle()})
    place.ok("up", "-d")
    return place


def run(place: Place, *command: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a command inside with bytes for input and output."""
    return subprocess.run(
        place.tp_command("run", "web", "--", *command),
        cwd=place.folder,
        env=place.environment(),
        capture_output=True,
        timeout=60,
        check=False,
        **options,
    )


def test_everything_of_the_command_passes_through(shop: Place) -> None:
    """Input, output, errors, exit code and folder are the command's own, byte by byte."""
    every = bytes(range(256)) * 4096
    done = run(shop, "cat", input=every)
    assert (done.returncode, done.stdout, done.stderr) == (0, every, b"")
    done = run(shop, "sh", "-c", "printf out; printf err >&2; exit 42")
    assert (done.returncode, done.stdout, done.stderr) == (42, b"out", b"err")
    assert run(shop, "sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM
    assert run(shop, "pwd").stdout.decode().strip() == str(shop.folder)
    assert run(shop, "printf", "%s|", "a b", "", "$HOME", "--help").stdout == b"a b||$HOME|--help|"


def test_our_own_failure_is_125(shop: Place) -> None:
    """Where there is no such workload or session; a command that is not there is 127, as in sh."""
    done = shop.tp("run", "web", "--", "no-such-command")
    assert (done.returncode, done.stdout) == (127, "")
    assert "no-such-command" in done.stderr
    done = shop.tp("run", "webb", "--", "true")
    assert (done.returncode, done.stdout) == (125, "")
    assert "webb" in done.stderr
    shop.ok("down")
    assert shop.tp("run", "web", "--", "true").returncode == 125


def test_a_signal_reaches_the_command(shop: Place) -> None:
    """Whoever ends ``tp run`` ends the command: it is the same process."""
    program = shop.start(
        "run", "web", "--", "sh", "-c", "trap 'exit 7' TERM; echo on; sleep 60 & wait"
    )
    eventually(lambda: "on" in shop.log(), "it does not start")
    program.terminate()
    assert program.wait(timeout=10) == 7


def test_several_commands_at_once(shop: Place) -> None:
    """They share the workload's network: one answers the other."""
    code = (
        "import socket; s = socket.create_server(('', 4000)); print('on', flush=True); s.accept()"
    )
    server = shop.start("run", "web", "--", "python3", "-c", code)
    eventually(lambda: "on" in shop.log(), "it does not listen")
    connect = "import socket; socket.create_connection(('127.0.0.1', 4000))"
    assert run(shop, "python3", "-c", connect).returncode == 0
    assert server.wait(timeout=10) == 0


def test_env_and_status_are_data(shop: Place) -> None:
    """One JSON object on standard output, nothing else; options before or after the command."""
    done = shop.tp("env", "web", "--format", "json")
    assert json.loads(done.stdout)["MODE"] == "test"
    assert done.stderr == ""
    assert json.loads(shop.ok("--json", "env", "web")) == json.loads(done.stdout)
    status = json.loads(shop.ok("status", "--json"))
    assert status == {**json.loads(shop.ok("--json", "status")), "workloads": status["workloads"]}
    web = status["workloads"][0]
    assert (web["name"], web["link"], web["process"]) == ("web", "up", "running")
    assert (status["name"], status["method"]) == (shop.namespace, "namespace")
    assert "web" in shop.ok("status")


def test_status_without_a_session(place: Place) -> None:
    """It says so, and exits with 1; ``env`` too."""
    place.write({"web": objects.idle()})
    for command in (("status",), ("env", "web")):
        done = place.tp(*command)
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert "no session is up" in done.stderr


@pytest.mark.parametrize(("command", "code"), [("sleep 1; exit 7", 7), ("true", 0)])
def test_the_exit_code_is_the_named_process(place: Place, command: str, code: int) -> None:
    """``--exit-code-from`` ends the session with that process, as it ended."""
    place.apply(objects.deployment("web"), objects.deployment("other"))
    before = place.exact("web")
    job = {**objects.idle(), "run": {"command": command}}
    place.write({"job": job, "other": objects.idle("other")})
    done = place.tp("up", "--exit-code-from", "job")
    assert done.returncode == code, done.stderr
    assert place.exact("web") == before
    place.nothing_left()


def test_the_named_process_must_be_in_the_file(place: Place) -> None:
    """Before anything is touched."""
    place.apply(objects.deployment("web"))
    place.write({"web": objects.idle()})
    done = place.tp("up", "--exit-code-from", "job")
    assert done.returncode == 2
    assert "job" in done.stderr
    place.nothing_left()


def test_the_end_of_every_process_is_the_sessions(place: Place) -> None:
    """Without a name, too: 0 where all went well, else 1; what they printed is data."""
    place.apply(objects.deployment("web"))
    before = place.exact("web")
    place.write({"web": {**objects.idle(), "run": {"command": "echo all done"}}})
    done = place.tp("up")
    assert (done.returncode, "all done" in done.stdout) == (0, True), done.stderr
    assert "up after" not in done.stdout
    place.write({"web": {**objects.idle(), "run": {"command": "sleep 1; exit 3"}}})
    assert place.tp("up").returncode == 1
    assert place.exact("web") == before


def test_a_shell_is_in_the_same_world(shop: Place) -> None:
    """It says where it is, its exit code is the command's, and the session goes on."""
    terminal = Terminal(shop, "shell")
    try:
        terminal.read_until(r"\(tp web\)")
        assert "is-test" in terminal.answer("echo is-$MODE")
        terminal.type("exit 3")
        assert terminal.wait() == 3
    finally:
        terminal.close()
    assert shop.status()["workloads"][0]["link"] == "up"


def test_who_waits_is_let_go_when_it_is_up_and_when_it_is_down(place: Place) -> None:
    """Before the session has begun already; past the time it is said what is missing."""
    place.apply(objects.deployment("web"))
    place.write({"web": objects.idle()})
    late = place.tp("wait", "--timeout", "1s")
    assert late.returncode == 1
    assert "not up after 1 s: no session is up" in late.stderr
    waiting = place.start("wait", "--timeout", "2m")
    place.ok("up", "-d")
    assert waiting.wait(timeout=60) == 0
    assert place.tp("wait", "wob").returncode == 2
    waiting = place.start("wait", "--for", "down", "--timeout", "2m")
    place.ok("down")
    assert waiting.wait(timeout=60) == 0
