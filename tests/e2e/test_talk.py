"""The two demonstrations of the talk that the project started from, on a real terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
import time

import pytest

from tests.e2e import objects
from tests.e2e.place import Place, eventually


class Terminal:
    """``tp`` on a pseudo-terminal, typed to and read as a person would."""

    def __init__(self, place: Place, *arguments: str) -> None:
        self.text = ""
        command = place.tp_command(*arguments)
        environment = place.environment(SHELL="/bin/bash", TERM="dumb", HOME=str(place.folder))
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.chdir(place.folder)
            os.execvpe(command[0], command, environment)

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._file, text.encode() + b"\n")

    def read_until(self, pattern: str, *, timeout_s: float = 60) -> str:
        """Read until the new text matches; return that text."""
        start, deadline_s = len(self.text), time.monotonic() + timeout_s
        while not re.search(pattern, self.text[start:]):
            assert time.monotonic() < deadline_s, self.text
            if not self._read():
                break
        assert re.search(pattern, self.text[start:]), self.text
        return self.text[start:]

    def wait(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        if select.select([self._file], [], [], 0.2)[0]:
            try:
                data = os.read(self._file, 65536)
            except OSError:
                return False
            self.text += data.decode(errors="replace")
            return bool(data)
        return True


def test_the_first_demonstration(place: Place) -> None:
    """A shell in the cluster: the Secret is there, a Service answers by name, exit restores."""
    qotm = objects.deployment("qotm", replicas=2, env=[{"name": "PORT", "value": "5000"}])
    container = qotm["spec"]["template"]["spec"]["containers"][0]
    container["ports"][0]["containerPort"] = 5000
    container["readinessProbe"]["httpGet"]["port"] = 5000
    test = objects.deployment(
        "telepresence-test",
        env=[
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "word"}}},
        ],
        volumeMounts=[{"name": "datum", "mountPath": "/data"}],
    )
    spec = test["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "datum", "emptyDir": {}}]
    spec["initContainers"] = [
        {
            "name": "init",
            "image": objects.BASE,
            "command": ["sh", "-c", "echo random > /data/string"],
            "volumeMounts": [{"name": "datum", "mountPath": "/data"}],
        }
    ]
    ports = [{"port": 5000, "targetPort": "http"}]
    place.apply(objects.secret("keys", {"word": "xyzzy"}), qotm, test)
    place.apply(objects.service("qotm", ports=ports))
    before = place.exact("telepresence-test")
    place.write({"test": {"target": "deployment/telepresence-test"}})
    terminal = Terminal(place, "up")
    terminal.read_until(r"\(tp test\)")
    terminal.type("echo got=$SECRET; curl -s http://qotm:5000/ | tr -d '\\n'; echo; echo do''ne")
    said = terminal.read_until("done")
    assert "got=xyzzy" in said
    assert '"name": "qotm"' in said
    pod = place.get_list("pods")[0]
    assert [one["name"] for one in pod["spec"]["initContainers"]] == ["init"]
    read = place.kubectl("exec", pod["metadata"]["name"], "--", "cat", "/data/string")
    assert read == "random\n"
    terminal.type("exit")
    assert terminal.wait() == 0, terminal.text
    assert place.exact("telepresence-test") == before
    place.nothing_left()


def test_the_second_demonstration(place: Place) -> None:
    """First a shell; the traffic moves when the server is started in it; an edit is seen live."""
    place.apply(objects.deployment("ui"), objects.service("ui"), objects.client())
    page = place.folder / "index.html"
    page.write_text("<h1>Apps</h1>")
    place.write({"ui": {"target": "deployment/ui", "expose": ["3000:8080"]}})
    terminal = Terminal(place, "up")
    terminal.read_until(r"\(tp ui\)")
    assert place.load("http://ui", seconds=0.4)["served_by"] == {"ui": 20}
    terminal.type(f"{sys.executable} -m http.server 3000")
    get = "import urllib.request as r; print(r.urlopen('http://ui/index.html', timeout=5).read())"
    fetch = ("exec", "deploy/client", "--", objects.PYTHON, "-c", get)
    place.settled("ui")
    assert "<h1>Apps</h1>" in place.kubectl(*fetch)
    page.write_text("<h1>Live</h1>")
    assert "<h1>Live</h1>" in place.kubectl(*fetch)
    os.write(terminal._file, b"\x03")
    terminal.read_until(r"\(tp ui\)")
    terminal.type("exit")
    assert terminal.wait() == 0, terminal.text
    eventually(lambda: place.load("http://ui", seconds=0.2)["failed"] == 0, "not back")
    assert place.load("http://ui", seconds=0.4)["served_by"] == {"ui": 20}


@pytest.mark.parametrize("command", ["stty size", "tty"])
def test_run_keeps_the_terminal(place: Place, command: str) -> None:
    """``tp run`` gives the user's own terminal to the command."""
    place.apply(objects.deployment("ui"), objects.service("ui"))
    place.write({"ui": {"target": "deployment/ui", "run": {"command": "sleep 600"}, "expose": []}})
    place.ok("up", "-d")
    terminal = Terminal(place, "run", "ui", "--", *command.split())
    assert terminal.wait() == 0, terminal.text
    assert "/dev/pts/" in terminal.text or re.search(r"\d+ \d+", terminal.text)
