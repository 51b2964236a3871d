"""Writes a changed file back: whole or not at all, and only when the result is valid."""

from __future__ import annotations

import codecs
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tpconfig.config import edit, reading
from tpconfig.config.discover import STDIN, discover, shown
from tpconfig.config.load import load
from tpconfig.errors import ConfigError, TpError, UsageError
from tpconfig.source import Source


def set_value(
    named: Sequence[str], path: str, value: str, *, cwd: Path, environ: Mapping[str, str]
) -> Source | None:
    """Set one value in the first file; return the place of a later file's that lies over it.

    Raises:
        ConfigError: the result would not be valid; nothing is written.
        UsageError: there is no such place, or no such value.
    """
    if STDIN in named or len(named) > 1:
        raise UsageError("one file is changed, on the disk", hint="name it with one -f FILE")
    file = discover(named, cwd=cwd).paths[0]
    name = shown(file, cwd=cwd)
    try:
        content = file.read_bytes()
        text = reading.decode(content, name).content
    except reading.RefusedError as refused:
        raise ConfigError([refused.problem]) from None
    except OSError as error:
        raise TpError(f"cannot read {name}: {error.strerror}") from error
    where = edit.path_of(path)
    changed = edit.set_value(text, where, value, file=name).encode()
    if content.startswith(codecs.BOM_UTF8):
        changed = codecs.BOM_UTF8 + changed
    loaded = load(named, cwd=cwd, environ=environ, unsaved={file: changed})
    _replace(file, changed, name)
    winner = loaded.source_of(where) if loaded.sources.known(where) == where else None
    return winner if winner is not None and winner.file != name else None


def _replace(file: Path, content: bytes, name: str) -> None:
    """Put another file in its place, with its mode; a link stays one."""
    real = Path(os.path.realpath(file))
    temporary: str | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=real.parent, prefix=".tp-", delete=False) as new:
            temporary = new.name
            new.write(content)
            os.fchmod(new.fileno(), real.stat().st_mode & 0o7777)
        os.replace(temporary, real)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)
        raise TpError(f"cannot write {name}: {error.strerror}") from error
