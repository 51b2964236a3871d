"""``tp bug-report``."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import time

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options
from tpconfig.cli.wish import reload_of

FOLDER = "tp-bug-report"


@click.command("bug-report", short_help="Write a bundle for whoever is to help.")
@click.option("-o", "--output", metavar="FILE", help="Else tp-bug-report-TIME.tar.gz, here.")
@common_options
def command(output: str | None, common: Common) -> None:
    """Write what somebody has to know who is to help: one archive, for you to look through first.

    Versions, what `tp doctor` finds, the file as it was understood, the plan, the status, the logs
    of `tp`, its agents and janitors, the objects of sessions, the targets and their events. Left
    out are values of environments, commands of containers, annotations of others and what your
    processes wrote; no Secret is read. Nothing is changed, and nothing is sent anywhere.
    """
    from tpconfig.errors import UsageError
    from tpconfig.session import bugreport

    path = output or time.strftime(f"{FOLDER}-%Y%m%d-%H%M%S.tar.gz")
    parts: list[tuple[str, str]] = []
    try:
        edge.run(
            bugreport.collect(
                reload_of(common), os.environ, lambda name, text: parts.append((name, text))
            )
        )
        try:
            _write(path, parts)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    for name, text in parts:
        print(f"{len(text.encode()):>9}  {name}", file=sys.stderr)
    print("look through it before you send it: tar -xzf", path, file=sys.stderr)
    print(path)


def _write(path: str, parts: list[tuple[str, str]]) -> None:
    """Write the archive, for its owner alone; one that is there is not written over."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in parts:
            content = text.encode()
            entry = tarfile.TarInfo(f"{FOLDER}/{name}")
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
            archive.addfile(entry, io.BytesIO(content))
