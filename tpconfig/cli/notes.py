"""Shows what a valid file should be told: beside the data, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from tpconfig.cli.options import wants_color
from tpconfig.errors import Problem


def show(notes: Iterable[Problem], *, as_json: bool) -> None:
    """Show each note, to a person or as a line of JSON."""
    from tpconfig.cli import diagnostics, diagnostics_json, render

    color = wants_color(sys.stderr.isatty())
    for note in notes:
        if as_json:
            text = diagnostics_json.render_problem(note, word="note")
        else:
            text = diagnostics.render_problem(note, color=color)
        render.write(text, sys.stderr)
