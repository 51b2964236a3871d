"""The Pod's files at the Pod's paths, on a machine that has no such paths."""

from __future__ import annotations

import os

import pytest
from conftest import Person

from tpconfig.agent.volumes import SFTP_SERVERS
from tpconfig.local import sshfs


def test_paths_that_this_machine_has_not(person: Person) -> None:
    """Below /, below folders of root, several below one, and files; whoever enters sees them."""
    targets = {
        "/tp-places": "folder",
        "/etc/tp-places/deep/er": "fixed",
        "/etc/tp-places/one": "file",
        "/var/run/tp-places": "folder",
        "/usr/share/tp-places.conf": "file",
    }
    script = (
        "cat /tp-places/x /etc/tp-places/deep/er/x /etc/tp-places/one /run/tp-places/x "
        "/usr/share/tp-places.conf; echo; ls -d /etc/passwd /usr/bin/env /proc/self; "
        "echo new > /tp-places/new; (echo y > /etc/tp-places/deep/er/y) 2>&1 | grep -o Read-only; "
        "ls /run/tp-places; getent hosts alias.example"
    )
    result = person.run("places", script=script, targets=targets, own=[])
    assert result["out"][0] == "pod" * 5
    assert result["out"][1:] == [
        *("/etc/passwd", "/proc/self", "/usr/bin/env"),
        "Read-only",
        *("doc", "new", "x"),
        "10.1.1.1        alias.example",
    ]
    assert result["entered"] == "later"
    assert result["wrote"] == ["doc", "new", "x"]
    assert not any(os.path.exists(path) for path in targets)


@pytest.mark.skipif(sshfs.problem() is not None, reason="needs sshfs and /dev/fuse")
def test_a_mount_is_seen_inside_and_is_no_empty_folder_once_it_is_lost(person: Person) -> None:
    """Reads and writes go through; when its server is gone there is an error."""
    server = next(path for path in SFTP_SERVERS if os.path.exists(path))
    result = person.run("mounted", server=server)
    assert (result["outside"], result["inside"], result["wrote"]) == ("pod", ["pod"], "y\n")
    assert result["lost"] != 0
    assert result["left"] == []


def test_a_path_of_this_machine_may_stay_its_own(person: Person) -> None:
    """Inside of a volume of the Pod, what the file names is the machine's."""
    script = "cat /usr/share/x; echo; ls /usr/share/doc | head -1 | wc -l; ls /usr/share"
    result = person.run(
        "places",
        script=script,
        targets={"/usr/share": "folder"},
        own=["/usr/share/doc", "/usr/share/no-such"],
    )
    assert result["out"] == ["pod", "1", "doc", "x"]
