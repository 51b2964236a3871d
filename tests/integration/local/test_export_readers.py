"""Exported files, read by the programs that they are for."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tpconfig.local import exports

BITS = [*"ab'\"\\$`{}#= \n\t!;&|<>*?~%^()[]éü€😀‘’\x01\x7f\u2028\u00a0\x85", "${HOME}", "\\n"]
BITS += ["$HOME", "\\'", '\\"', "\\\\", "$$", "$(id)", "\r", "\r\n", " #", "export "]
CHANCE = random.Random(20)
VALUES = {f"K{n}": "".join(CHANCE.choices(BITS, k=CHANCE.randrange(7))) for n in range(1000)}
READERS = [
    ("shell", "bash", ". {}; env -0"),
    ("shell", "sh", ". {}; env -0"),
    ("dotenv", "sh", "set -a; . {}; env -0"),
    ("shell", "zsh", ". {}; env -0"),
    ("fish", "fish", "source {}; env -0"),
]


@pytest.mark.parametrize(
    ("form", "reader", "script"),
    [reader for reader in READERS if shutil.which(reader[1])],
)
def test_what_is_read_is_what_was_written(
    form: str, reader: str, script: str, tmp_path: Path
) -> None:
    """A thousand odd values come back byte by byte, but for those that were named."""
    path = tmp_path / "exported"
    rendered = exports.render(VALUES, form)
    exports.write(path, rendered.content)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    done = subprocess.run(
        [reader, "-c", script.format(path)], env=environment, capture_output=True, check=True
    )
    pairs = (line.split(b"=", 1) for line in done.stdout.split(b"\0") if line)
    found = {os.fsdecode(name): os.fsdecode(value) for name, value in pairs}
    wrong = {
        name: (value, found.get(name))
        for name, value in VALUES.items()
        if name not in rendered.inexpressible and found.get(name) != value
    }
    assert wrong == {}


def test_sh_reads_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A value that is no UTF-8 reaches a shell's children as its bytes."""
    path = tmp_path / "exported"
    exports.write(path, exports.render({"ODD": os.fsdecode(b"\xff\xfe\n")}, "shell").content)
    done = subprocess.run(
        ["sh", "-c", f'. {path}; printf %s "$ODD"'], capture_output=True, check=True
    )
    assert done.stdout == b"\xff\xfe\n"
