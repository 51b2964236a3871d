"""Words of Telepresence 1 that the file understands, each with a note of the new one."""

from __future__ import annotations

from typing import Any

from tpconfig.config import codes, fields
from tpconfig.config.schema import File
from tpconfig.config.sources import Sources
from tpconfig.errors import Problem


def notes_of(file: File, data: Any, sources: Sources) -> list[Problem]:
    """Return a note for every old word in a valid file."""
    notes: list[Problem] = []
    if (word := str(data.get("method"))) in fields.OLD_METHODS:
        notes.append(
            Problem(
                codes.OLD_NAME,
                f"`{word}` is called `{fields.OLD_METHODS[word]}` here",
                sources.source_of(("method",)),
                label=f"write `{fields.OLD_METHODS[word]}`",
            )
        )
    for name in file.workloads:
        target = data["workloads"][name]["target"]
        if isinstance(target, str) and "/" not in target:
            notes.append(
                Problem(
                    codes.OLD_NAME,
                    f"`{target}` is taken for a deployment, as `--swap-deployment` did",
                    sources.source_of(("workloads", name, "target")),
                    label=f"write `deployment/{target}`",
                )
            )
    if not file.workloads and not file.forwards:
        message = "the file has neither workloads nor forwards: there is nothing to do"
        notes.append(Problem(codes.NOTHING_ASKED, message, sources.source_of(())))
    return notes
