"""What the agent says about the Pod's volumes."""

from __future__ import annotations

from pathlib import Path

from tpconfig.agent import volumes


def test_only_what_the_kubelet_mounts_counts(tmp_path: Path) -> None:
    """Not the root, not the kernel's file systems, not the names' files; blanks are blanks."""
    config, data = tmp_path / "con fig", tmp_path / "data"
    for folder in (config, data):
        folder.mkdir()
    (config / "..data").symlink_to("..1")
    one = tmp_path / "one"
    one.touch()
    escaped = str(config).replace(" ", "\\040")
    lines = [
        "418 169 0:90 / / rw,relatime master:48 - overlay overlay rw",
        "419 418 0:92 / /proc rw,nosuid - proc proc rw",
        "420 418 0:93 / /dev/shm rw - tmpfs shm rw",
        "421 418 254:0 /x /etc/hosts rw - ext4 /dev/vda rw",
        f"437 418 254:0 /x {escaped} ro,relatime - ext4 /dev/vda rw",
        f"438 418 254:0 /x {data} rw,relatime - ext4 /dev/vda rw",
        f"439 418 254:0 /x {one} rw,relatime - ext4 /dev/vda rw",
        f"440 418 254:0 /x {tmp_path}/gone rw - ext4 /dev/vda rw",
    ]
    table = tmp_path / "mountinfo"
    table.write_text("\n".join(lines) + "\n")
    found = {
        one["path"]: (one["folder"], one["read_only"], one["atomic"])
        for one in volumes.mounts(str(table))
    }
    assert found == {
        str(config): (True, True, True),
        str(data): (True, False, False),
        str(one): (False, False, False),
    }


def test_volumes_in_a_volume_are_their_own(tmp_path: Path) -> None:
    """What is mounted inside is not sent twice."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "x").touch()
    (tmp_path / "own").touch()
    wire = b"".join(volumes.Volume(str(tmp_path), frozenset({f"{tmp_path}/inner"})).changes(99))
    assert b'"own"' in wire
    assert b"inner" not in wire
