"""Who runs the scenarios: root and an ordinary user, wherever the checkout lies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).parent
PACKAGE = HERE.parents[2] / "tpconfig"
ORDINARY = 65534
IDENTITIES = ["root", "ordinary"] if os.geteuid() == 0 else ["ordinary"]
PYTHONS = (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3")

_OWN_MACHINE = """
mount -t tmpfs tmpfs /mnt
cp -a /etc /mnt/etc 2>/dev/null || true
rm -f /mnt/etc/resolv.conf
cp -L /etc/resolv.conf /mnt/etc/
mount --bind /mnt/etc /etc
mount -t tmpfs tmpfs /run
mkdir /run/systemd
{prepare}
exec "$@"
"""


@dataclass(frozen=True)
class Workshop:
    """A folder that everybody may read: the package, the scenarios and built clients."""

    folder: Path

    def build(self, name: str, source: str, *compiler: str) -> str:
        """Build a program from one source file, once."""
        program = self.folder / name.partition(".")[0]
        if not program.exists():
            (self.folder / name).write_text(source)
            subprocess.run(
                [*compiler, "-o", program.name, name],
                cwd=self.folder,
                env={
                    **os.environ,
                    "CGO_ENABLED": str(int("netcgo" in compiler)),
                    "GO111MODULE": "off",
                },
                check=True,
            )
        return str(program)


@dataclass(frozen=True)
class Person:
    """Somebody who runs scenarios."""

    name: str
    python: str
    workshop: Workshop

    @property
    def uid(self) -> int:
        """The user's number."""
        return self._changes.get("user", os.geteuid())

    @property
    def _changes(self) -> dict[str, Any]:
        if self.name == "ordinary" and os.geteuid() == 0:
            return {"user": ORDINARY, "group": ORDINARY, "extra_groups": []}
        return {}

    def argv(self, scenario: str, **arguments: Any) -> list[str]:
        """Return the command line of a scenario."""
        folder = self.workshop.folder
        program = str(folder / "keeper_scenarios.py")
        return [self.python, "-I", program, str(folder), scenario, json.dumps(arguments)]

    def start(self, argv: list[str], **options: Any) -> subprocess.Popen[str]:
        """Start a program as this person, in a clean environment."""
        environment = {"PATH": os.environ["PATH"], "HOME": "/", "LANG": "C.UTF-8"}
        return subprocess.Popen(
            argv, env=environment, cwd="/", text=True, **self._changes, **options
        )

    def become(self, argv: list[str]) -> NoReturn:
        """Be this person and this program: for the child of a fork."""
        if self._changes:
            os.setgroups([])
            os.setresgid(ORDINARY, ORDINARY, ORDINARY)
            os.setresuid(ORDINARY, ORDINARY, ORDINARY)
        os.chdir("/")
        environment = {"PATH": os.environ["PATH"], "HOME": "/", "LANG": "C.UTF-8", "TERM": "dumb"}
        os.execve(argv[0], argv, environment)

    def run(self, scenario: str, **arguments: Any) -> dict[str, Any]:
        """Run a scenario to its end and return what it found."""
        return self.result(self.argv(scenario, **arguments))

    def result(self, argv: list[str]) -> dict[str, Any]:
        """Run a command line of `argv` to its end and return what it found."""
        with self.start(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            out, err = running.communicate()
        assert running.returncode == 0, err
        found: dict[str, Any] = json.loads(out)
        return found

    def in_own_machine(self, prepare: str, argv: list[str]) -> dict[str, Any]:
        """Run a command line of `argv` where ``/etc`` and ``/run`` are copies of their own.

        ``prepare`` is a shell script that root runs there before.
        """
        steps = _OWN_MACHINE.format(prepare=prepare)
        uid = str(self.uid)
        outer, inner = ["unshare", "--mount"], list[str]()
        if self._changes:
            inner = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"]
        elif os.geteuid() != 0:
            outer += ["--map-root-user"]
            inner = ["unshare", "--user", "--map-user", uid, "--map-group", uid]
        return _finish([*outer, "sh", "-ec", steps, "sh", *inner, *argv])

    def without_user_namespaces(self, argv: list[str]) -> dict[str, Any]:
        """Run a command line of `argv` where no user namespace may be made.

        As root of a user namespace without capabilities, whose limit is 0.
        """
        steps = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
        drop = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
        outer = ["unshare", "--user", "--map-root-user", "sh", "-ec", steps, "sh"]
        return _finish([*outer, *drop, *argv])

    def inner_python(self, code: str) -> list[str]:
        """Return the command line of a piece of Python that this person may run."""
        return [self.python, "-I", "-c", code]


def find_person(name: str, workshop: Workshop) -> Person:
    for python in PYTHONS:
        person = Person(name, python, workshop)
        check = "import sys; sys.exit(sys.version_info < (3, 11))"
        try:
            if person.start(person.inner_python(check), stderr=subprocess.DEVNULL).wait() == 0:
                return person
        except OSError:
            continue
    raise AssertionError(f"the {name} user may run no Python 3.11 or newer: tried {PYTHONS}")


def _finish(argv: list[str]) -> dict[str, Any]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/", "LANG": "C.UTF-8"}
    done = subprocess.run(
        argv, env=environment, cwd="/", text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
