"""Exported files, read by the programs that they are for."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tpconfig.local import exports

BITS = [*"ab'\"\\$`{}#= \n\t!;&|<>*?~%^()[]éü€😀‘’\x01\x7f\u2028\u00a0\x85", "${HOME}", "\\n"]
BITS += ["$HOME", "\\'", '\\"', "\\\\", "$$", "$(id)", "\r", "\r\n", " #", "export "]
CHANCE = random.Random(20)
VALUES = {f"K{n}": "".join(CHANCE.choices(BITS, k=CHANCE.randrange(7))) for n in range(1000)}
JQ = r'to_entries[] | "\(.key)=\(.value)\u0000"'
NODE = """
const read = require('dotenv').parse(require('fs').readFileSync(process.argv[1]));
for (const [name, value] of Object.entries(read)) process.stdout.write(`${name}=${value}\\0`);
"""
PYTHON = """
import sys, {module}
found = {module}.{read}
sys.stdout.buffer.write("".join(f"{{k}}={{v}}\\0" for k, v in found.items()).encode())
"""
DOTENV = PYTHON.format(module="dotenv", read="dotenv_values(sys.argv[1], encoding='utf-8')")
YAML = PYTHON.format(module="yaml", read="safe_load(open(sys.argv[1], encoding='utf-8'))")

READERS = [
    ("shell", "bash", "-c", '. "$0"; env -0'),
    ("shell", "sh", "-c", '. "$0"; env -0'),
    ("dotenv", "sh", "-c", 'set -a; . "$0"; env -0'),
    ("shell", "zsh", "-c", '. "$0"; env -0'),
    ("fish", "fish", "-c", "source $argv[1]; env -0"),
    ("json", "jq", "-j", JQ),
    ("yaml", sys.executable, "-c", YAML),
    ("dotenv", sys.executable, "-c", DOTENV),
    ("dotenv", "node", "-e", NODE),
    ("vscode", "node", "-e", NODE),
]
"""A format, and a program that prints what it reads of a file: names, values, and NULs."""


def _is_here(script: str) -> bool:
    """Tell whether the libraries that a reader needs are installed; NODE_PATH may name node's."""
    if script == DOTENV:
        return importlib.util.find_spec("dotenv") is not None
    if script == NODE:
        asked = ["node", "-e", "require('dotenv')"]
        return subprocess.run(asked, check=False, capture_output=True).returncode == 0
    return True


@pytest.mark.parametrize(("form", "reader", "option", "script"), READERS)
def test_what_is_read_is_what_was_written(
    form: str, reader: str, option: str, script: str, tmp_path: Path
) -> None:
    """A thousand odd values come back byte by byte, but for those that were named."""
    if shutil.which(reader) is None or not _is_here(script):
        pytest.skip(f"needs {reader} and what it reads {form} with")
    path = tmp_path / "exported"
    rendered = exports.render(VALUES, form)
    exports.write(path, rendered.content)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    environment |= {name: os.environ.get(name, "") for name in ("NODE_PATH", "PYTHONPATH")}
    command = [reader, option, script, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
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
