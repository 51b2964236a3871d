"""``tp doctor``."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from tpconfig.cli import exit as edge
from tpconfig.cli.options import Common, common_options, wants_color
from tpconfig.cli.wish import reload_of

if TYPE_CHECKING:
    from tpconfig.model.finding import Finding

_MARKS: Final = {
    "ok": ("✓", "\x1b[32m"),
    "warning": ("!", "\x1b[33m"),
    "failure": ("✗", "\x1b[31m"),
    "unknown": ("?", "\x1b[2m"),
}


@click.command("doctor", short_help="Examine cluster, permissions and this machine.")
@common_options
def command(common: Common) -> None:
    """Examine everything that a session needs, and change nothing.

    This machine, the file, the cluster, the namespace and what is in it, and each permission. What
    is wrong is shown with its cure. Exits with 1 where something would keep a session from coming
    up. With --json, one object a line.
    """
    from tpconfig.session import doctor

    findings: list[Finding] = []

    def show(finding: Finding) -> None:
        findings.append(finding)
        color = wants_color(sys.stdout.isatty())
        text = json.dumps(asdict(finding)) if common.json else finding_text(finding, color=color)
        print(text, flush=True)

    try:
        edge.run(doctor.examine(reload_of(common), os.environ, show))
    except (Exception, KeyboardInterrupt) as error:
        edge.fail(error)
    sys.exit(any(one.verdict == "failure" for one in findings))


def finding_text(finding: Finding, *, color: bool) -> str:
    """Describe a finding: its mark, its topic and what was found; its cure below."""
    mark, paint = _MARKS[finding.verdict]
    shown = f"{paint}{mark}\x1b[0m" if color else mark
    text = f"{shown} {finding.topic:<17} {finding.text}"
    return f"{text}\n{'':<20}→ {finding.cure}" if finding.cure else text
