"""Reads ``tests/cases/config/*.cases``: documents with what the loader must say about them.

A case is ``=== fact``, the document, ``---->``, the expectation. ``+++ NAME`` starts a further file
beside ``telepresence.yaml``. An expectation is either problems, as ``describe`` writes them, or
``ok``, then lines ``PATH = JSON`` about the model and notes. ``plan`` instead of ``ok``: the file
is valid, and this is what this version cannot do of it. ``␀`` in a document is the byte 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpconfig.config import unsupported
from tpconfig.config.load import Loaded, load
from tpconfig.errors import ConfigError, Problem
from tpconfig.source import Source

FOLDER = Path(__file__).parents[2] / "cases" / "config"
ENVIRON = {"USER": "anna", "EMPTY": "", "PORT": "8080", "HOME": "/home/anna"}


@dataclass(frozen=True)
class Case:
    """One document, or several, and the expectation's lines."""

    file: str
    fact: str
    documents: dict[str, str]
    expected: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Say whether the document is valid."""
        return self.expected[0] in ("ok", "plan")

    def write(self, folder: Path) -> None:
        """Write the documents, and the folders that they may name."""
        (folder / "src").mkdir()
        for name, text in self.documents.items():
            (folder / name).write_text(text, encoding="utf-8")


def cases() -> list[Case]:
    """Return all cases of all files."""
    return [case for path in sorted(FOLDER.glob("*.cases")) for case in read(path)]


def read(path: Path) -> Iterator[Case]:
    """Read the cases of one file."""
    for block in path.read_text(encoding="utf-8").split("\n=== ")[1:]:
        head, _, expectation = block.partition("\n---->\n")
        fact, _, text = head.partition("\n")
        first, *others = f"{text}\n".replace("␀", "\0").split("\n+++ ")
        documents = {"telepresence.yaml": first.removesuffix("\n") + "\n"}
        for other in others:
            name, _, content = other.partition("\n")
            documents[name] = content.removesuffix("\n") + "\n"
        yield Case(path.stem, fact, documents, tuple(expectation.strip("\n").split("\n")))


def outcome(case: Case, folder: Path) -> tuple[str, ...]:
    """Load a case and describe what comes out, in the words of its expectation."""
    try:
        loaded = load(cwd=folder, environ=ENVIRON)
    except ConfigError as error:
        lines = [line for problem in error.problems for line in describe(problem)]
        return tuple(line.replace(str(folder), "FOLDER") for line in lines)
    if case.expected[0] == "plan":
        refused = unsupported.check(loaded)
        return ("plan", *(line for problem in refused for line in describe(problem)))
    return ("ok", *_answers(case, loaded))


def _answers(case: Case, loaded: Loaded) -> Iterator[str]:
    model = loaded.file.model_dump(mode="json", by_alias=True)
    for line in case.expected[1:]:
        if " = " in line and not line.startswith(("TP", " ")):
            path = line.partition(" = ")[0]
            yield f"{path} = {json.dumps(pick(model, path))}"
    for note in loaded.notes:
        yield from describe(note)


def pick(model: Any, path: str) -> Any:
    """Return the value at a dotted path, list items by their number."""
    for part in path.split("."):
        model = model[int(part) if isinstance(model, list) else part]
    return model


def describe(problem: Problem) -> Iterator[str]:
    """Write a problem as the case files have it."""
    yield f"{problem.code} {place(problem.source)} {problem.message}"
    if problem.label:
        yield f"  label: {problem.label}"
    if problem.hint:
        yield f"  hint: {problem.hint}"
    for said, source in problem.related:
        yield f"  {said}: {place(source)}"


def place(source: Source | None) -> str:
    """Write a range shortly; the file's name only where it is not the usual one."""
    if source is None:
        return "-"
    file = "" if source.file == "telepresence.yaml" else f"{source.file}:"
    return f"{file}{source.line}:{source.column}-{source.end_column}"
