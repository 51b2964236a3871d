"""Which volumes come here, and how."""

from __future__ import annotations

import pytest

from tpconfig.errors import UsageError
from tpconfig.local import volumes
from tpconfig.local.volumes import Choice, PodMount

TOKEN = PodMount(volumes.TOKEN, read_only=True, atomic=True)
CONFIG = PodMount("/etc/c", read_only=True, atomic=True)
FILE = PodMount("/etc/one", folder=False)
DATA = PodMount("/data")
INNER = PodMount("/data/conf", read_only=True, atomic=True)
ALL = [TOKEN, CONFIG, FILE, DATA, INNER]

CASES = [
    # the file's words, what is missing here; each volume's path with how it comes
    ({}, None, {volumes.TOKEN: "copy", "/etc/c": "copy", "/etc/one": "copy", "/data": "mount"}),
    ({"paths": ("/data",)}, None, {"/data": "mount"}),
    ({"paths": ("/data/deep",)}, None, {"/data/deep": "mount"}),
    ({"paths": ("/var/run/secrets",)}, None, {volumes.TOKEN: "copy"}),
    ({"paths": ("/etc",), "local": ("/etc/one",)}, None, {"/etc/c": "copy"}),
    ({"local": ("/var/run/secrets", "/etc", "/data")}, None, {}),
    ({"mode": "none"}, None, {}),
    ({"mode": "copy", "paths": ("/data",)}, None, {"/data": "copy", "/data/conf": "copy"}),
    ({"paths": ("/data",)}, "no fuse", {"/data": "copy", "/data/conf": "copy"}),
]


@pytest.mark.parametrize(("words", "problem", "expected"), CASES)
def test_how_each_volume_comes(
    words: dict[str, object], problem: str | None, expected: dict[str, str]
) -> None:
    """What is written as a whole is copied; what others write to is mounted, where that works."""
    choice = Choice(**words)  # type: ignore[arg-type]
    decision = volumes.decide(ALL, choice, mount_problem=problem)
    assert {one.path: one.how for one in decision.volumes} == expected


def test_falling_back_is_said_and_has_a_limit() -> None:
    """Nobody has asked for a copy of a whole database."""
    decision = volumes.decide([CONFIG, DATA], Choice(), mount_problem="no fuse")
    assert decision.remarks == ("/data: copied, not mounted, because no fuse",)
    assert decision.limit == volumes.FALLBACK_LIMIT
    assert volumes.decide([CONFIG], Choice(), mount_problem="no fuse").remarks == ()


def test_a_path_without_a_volume_is_refused_with_those_there_are() -> None:
    """The agent's Pod has the original's volumes, not its image."""
    with pytest.raises(UsageError, match=r"no volume at /app \(volumes.paths\)") as raised:
        volumes.decide([CONFIG, DATA], Choice(paths=("/app",)))
    assert raised.value.hint == "it has: /data, /etc/c"


def test_paths_are_shown_as_the_spec_writes_them() -> None:
    """The kernel says /run where Kubernetes says /var/run."""
    mounts = [TOKEN, PodMount("/run/x"), PodMount("/run/y")]
    shown = volumes.decide(mounts, Choice(), spec_paths=["/var/run/x", "/run/y"]).volumes
    assert [one.shown for one in shown] == ["/var" + volumes.TOKEN, "/var/run/x", "/run/y"]


def test_read_only_is_the_pods_or_the_files() -> None:
    """Either is enough."""
    assert not volumes.decide([DATA], Choice()).volumes[0].read_only
    assert volumes.decide([DATA], Choice(read_only=True)).volumes[0].read_only
    assert volumes.decide([CONFIG], Choice()).volumes[0].read_only


@pytest.mark.parametrize(
    ("target", "hidden"), [("/home", "/home/anna/src"), ("/home/anna/src/x", None), ("/ho", None)]
)
def test_what_a_mount_would_hide(target: str, hidden: str | None) -> None:
    """Whole folders count, not beginnings of names."""
    assert volumes.hidden_by(target, ["/home/anna/src"]) == hidden
