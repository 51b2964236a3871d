"""Writing an environment to a file for another program, byte by byte or saying what it cannot."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tpconfig.errors import TpError
from tpconfig.local import quoting

_LINES: Final[dict[str, quoting.Line]] = {
    "dotenv": quoting.dotenv,
    "docker": quoting.docker,
    "compose": quoting.compose,
    "shell": quoting.shell,
    "fish": quoting.fish,
    "powershell": quoting.powershell,
    "vscode": quoting.vscode,
    "intellij": quoting.intellij,
}
_DOCUMENTS: Final[dict[str, Callable[[Mapping[str, str]], str]]] = {
    "json": quoting.json_object,
    "yaml": quoting.yaml_mapping,
}

FORMATS: Final = (*_LINES, *_DOCUMENTS)

_ANY_BYTES: Final = frozenset({"shell"})
"""Formats whose readers take bytes that are no UTF-8."""

_PREFACE: Final = {"powershell": b"\xef\xbb\xbf"}
"""Windows PowerShell reads a file without a byte-order mark in the machine's code page."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file's content, and the names of the variables that its format has no way to write."""

    content: bytes
    inexpressible: tuple[str, ...] = ()


def render(variables: Mapping[str, str], form: str) -> Rendered:
    """Write variables in a format of `FORMATS`, in the order in which they come."""
    inexpressible = []
    expressible = {}
    for name, value in variables.items():
        if form in _ANY_BYTES or (_is_text(name) and _is_text(value)):
            expressible[name] = value
        else:
            inexpressible.append(name)
    if form in _DOCUMENTS:
        text = _DOCUMENTS[form](expressible)
    else:
        lines = {name: _LINES[form](name, value) for name, value in expressible.items()}
        inexpressible += [name for name, line in lines.items() if line is None]
        text = "".join(f"{line}\n" for line in lines.values() if line is not None)
    content = _PREFACE.get(form, b"") + text.encode(errors="surrogateescape")
    return Rendered(content, tuple(sorted(inexpressible)))


def write(path: Path, content: bytes) -> bool:
    """Put ``content`` at ``path`` in one step, readable by its owner alone.

    Returns:
        Whether anything changed: who watches the file should not be woken for nothing.

    Raises:
        TpError: the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        if _holds(target, content):
            target.chmod(0o600)
            return False
        if not target.parent.exists():
            target.parent.mkdir(parents=True)
        descriptor, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as error:
        raise TpError(f"cannot write {path}: {error.strerror}") from error
    return True


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
