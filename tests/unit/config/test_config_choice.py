"""Which of the file's workloads a command is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from tpconfig.config import load, resolve
from tpconfig.errors import UsageError

FILE = """
version: 1
workloads:
  ui: {target: deployment/ui, run: {command: x, depends_on: [api]}}
  api: {target: deployment/api, run: {command: x, depends_on: [db]}}
  db: {target: sts/db, profiles: [data], run: {command: x}}
  lab: {target: deployment/lab, profiles: [lab, data]}
  log: {target: ds/log, profiles: [lab], run: {command: x, depends_on: [lab]}}
"""


def chosen(folder: Path, *names: str, profiles: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Return the chosen workloads, and what each waits for."""
    (folder / "telepresence.yaml").write_text(FILE)
    loaded = load.load([], cwd=folder, environ={})
    found = resolve.resolve(loaded, resolve.Choice(names, profiles), environ={})
    workloads = found.desired.workloads
    return {one.name: one.run.depends_on if one.run else () for one in workloads}


@pytest.mark.parametrize(
    ("names", "profiles", "expected"),
    [
        ((), (), "ui api db"),
        (("db",), (), "db"),
        (("api",), (), "api db"),
        (("ui",), (), "ui api db"),
        (("log",), (), "lab log"),
        (("lab", "db"), (), "db lab"),
        ((), ("lab",), "ui api db lab log"),
        ((), ("data",), "ui api db lab"),
        (("db",), ("lab",), "db"),
    ],
)
def test_names_and_profiles_choose_with_what_they_depend_on(
    tmp_path: Path, names: tuple[str, ...], profiles: tuple[str, ...], expected: str
) -> None:
    """In the file's order; names alone choose where there are any."""
    assert list(chosen(tmp_path, *names, profiles=profiles)) == expected.split()


def test_nothing_that_is_chosen_loses_what_it_waits_for(tmp_path: Path) -> None:
    """So that one name starts as the whole file would start it."""
    assert chosen(tmp_path, "ui") == {"ui": ("api",), "api": ("db",), "db": ()}


def test_a_name_that_is_none_gets_the_nearest(tmp_path: Path) -> None:
    """A profile's name is none."""
    for name, hint in (("apis", "did you mean `api`?"), ("data", "it has: ui, api, db, lab, log")):
        with pytest.raises(UsageError) as caught:
            chosen(tmp_path, name)
        assert caught.value.hint == hint
