"""The way from files to a checked model, with every problem at once.

Read, interpolate, lay over each other, validate, check across the file. Each step goes on past what
is wrong where what is left still means something, so a person sees everything in one go.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from tpconfig.config import codes, document, dotenv, limits, merge, nodes, problems, semantic
from tpconfig.config.discover import OVERRIDE_NAMES, STDIN, Found, absent, discover, shown
from tpconfig.config.include import Including
from tpconfig.config.interpolate import Interpolation
from tpconfig.config.nodes import MapNode, Node
from tpconfig.config.oldnames import notes_of
from tpconfig.config.problems import Fault
from tpconfig.config.schema import File, verbatim
from tpconfig.config.sources import Sources, flatten
from tpconfig.errors import ConfigError, Problem
from tpconfig.source import Source

EXTENSION: Final = "x-"
"""Keys at the top that start so are the user's own: a place for anchors."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid file.

    ``folder`` is the project folder, to which all paths of the file are relative; ``paths`` are the
    files that were read; ``notes`` is what a person should know about them.
    """

    file: File
    sources: Sources
    folder: Path
    paths: tuple[Path, ...]
    notes: tuple[Problem, ...] = ()

    @property
    def watched(self) -> tuple[Path, ...]:
        """The files that were read, and those that would be read if they were there."""
        beside = [self.folder / name for name in (*OVERRIDE_NAMES, dotenv.FILE_NAME)]
        return tuple(dict.fromkeys((*self.paths, *beside)))

    def source_of(self, path: nodes.Path) -> Source | None:
        """Return where a value was written: ``("workloads", "api", "expose", 0)``."""
        return self.sources.source_of(path)


def load(
    paths: Sequence[str | Path] = (),
    *,
    cwd: Path,
    environ: Mapping[str, str],
    seen: list[Path] | None = None,
    unsaved: Mapping[Path, bytes] | None = None,
) -> Loaded:
    """Read the named files, or those found from ``cwd`` upwards.

    Args:
        paths: the files, the later laid over the earlier; ``-`` is standard input.
        cwd: where the command was typed.
        environ: what ``${VAR}`` may name.
        seen: is given every file that was read or wanted, also when the load fails.
        unsaved: what files hold in place of what is on the disk.

    Raises:
        ConfigError: with everything that is wrong, sorted by place.
    """
    with _uncollected():
        found = discover(paths, cwd=cwd)
        reading = _Reading(found, cwd, environ, [] if seen is None else seen)
        reading.unsaved = unsaved or {}
        return _load(found, reading, environ)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let no garbage be looked for meanwhile: a third of the time of a large file otherwise.

    All that is made is bounded by ``limits``, and nearly all of it stays.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _load(found: Found, reading: _Reading, environ: Mapping[str, str]) -> Loaded:
    data, sources = flatten(reading.tree(), verbatim)
    wrong = reading.problems
    file, faults = validate(data, sources, broken=reading.broken)
    wrong += [fault.problem for fault in faults]
    if file is not None:
        place = semantic.Place(found.folder, tuple(reading.seen), environ)
        wrong += semantic.check(file, sources, place, names=_names(data))
    if wrong or file is None:
        over = sources.over()
        raise _error([reading.where(_with_chain(problem, over)) for problem in wrong])
    notes = (*found.notes, *reading.notes, *notes_of(file, data, sources))
    paths_read = tuple(dict.fromkeys(reading.seen))
    return Loaded(file, sources, found.folder, paths_read, tuple(problems.ordered(notes)))


def validate(
    data: Any, sources: Sources, *, broken: Set[nodes.Path] = frozenset()
) -> tuple[File | None, list[Fault]]:
    """Return the model and what is wrong.

    With problems, the model is what remains without the workloads and sections that have them, for
    the checks across the file, or ``None``. ``broken`` are paths that had their problem before.
    """
    faults = _empty_values(data, sources)
    bad = set(broken) | {fault.path for fault in faults}
    try:
        model = File.model_validate(data)
        if not bad:
            return model, faults
    except ValidationError as error:
        found = problems.translate(error, data, sources)
        faults += [fault for fault in found if not _inside_any(fault.path, bad)]
        bad |= {fault.path for fault in found}
    try:
        return File.model_validate(_without(data, bad)), faults
    except ValidationError:
        return None, faults


def _empty_values(data: Any, sources: Sources, path: nodes.Path = ()) -> list[Fault]:
    """Find keys and list items with nothing behind them, which no model takes."""
    if data is None:
        quoted = len(path) > 3 and path[2:4] == ("env", "set")
        problem = Problem(
            codes.NO_VALUE,
            f"`{nodes.dotted(path)}` has no value",
            sources.source_of(path),
            label='write "" for an empty one' if quoted else "give it one, or remove the line",
        )
        return [Fault(path, problem)]
    if not isinstance(data, dict | list):
        return []
    items = data.items() if isinstance(data, dict) else enumerate(data)
    return [fault for key, value in items for fault in _empty_values(value, sources, (*path, key))]


def _inside_any(path: nodes.Path, bad: Set[nodes.Path]) -> bool:
    return any(path[:length] in bad for length in range(len(path) + 1))


def _without(data: Any, bad: Set[nodes.Path]) -> Any:
    """Leave out every workload, and every other section, that has a problem."""
    if not isinstance(data, dict):
        return data
    kept = dict(data)
    for path in bad:
        if len(path) > 1 and path[0] == "workloads" and isinstance(kept.get("workloads"), dict):
            workloads = kept["workloads"]
            kept["workloads"] = {name: one for name, one in workloads.items() if name != path[1]}
        elif path:
            kept.pop(str(path[0]), None)
    return kept | {"version": 1}


def _names(data: Any) -> frozenset[str]:
    """Return the names of all workloads, those with problems too."""
    workloads = data.get("workloads") if isinstance(data, dict) else None
    return frozenset(workloads) if isinstance(workloads, dict) else frozenset()


def _with_chain(problem: Problem, over: Mapping[Source, tuple[Source, ...]]) -> Problem:
    """Name the values of earlier files that the one with a problem lies over."""
    chain = over.get(problem.source, ()) if problem.source else ()
    return replace(problem, related=(*problem.related, *(("lies over this", at) for at in chain)))


def _error(wrong: Sequence[Problem]) -> ConfigError:
    """Return all problems in their order, or as many as anybody reads."""
    shown_ones = problems.ordered(wrong)[: limits.MAX_PROBLEMS]
    if len(shown_ones) < len(wrong):
        message = f"{len(wrong) - len(shown_ones)} further problems are not shown"
        shown_ones.append(Problem(codes.TOO_LARGE, message))
    return ConfigError(shown_ones)


class _Reading:
    """Reads the found files into one tree."""

    def __init__(
        self, found: Found, cwd: Path, environ: Mapping[str, str], seen: list[Path]
    ) -> None:
        self.problems: list[Problem] = []
        self.seen = seen
        self.unsaved: Mapping[Path, bytes] = {}
        self.notes: list[Problem] = []
        self.broken: frozenset[nodes.Path] = frozenset()
        self._found = found
        self._cwd = cwd
        self._environ = environ
        self._known: Mapping[str, str] | None = None
        self._including = Including(
            self._file, self._variables, partial(shown, cwd=cwd), environ.get("HOME")
        )

    def tree(self) -> Node:
        """Return all files laid over each other, interpolated.

        Raises:
            ConfigError: a file cannot be read to its end.
        """
        layers = [self._layer(path) for path in self._found.paths]
        self.problems += self._including.problems
        readable = [layer for layer in layers if layer is not None]
        if len(readable) < len(layers):
            raise _error([self.where(problem) for problem in self.problems])
        merged = merge.settle(reduce(merge.overlay, readable))
        if isinstance(merged, MapNode):
            own = {k: v for k, v in merged.items.items() if not k.startswith(EXTENSION)}
            merged = replace(merged, items=own)
        interpolation = Interpolation(self._variables)
        tree = interpolation.apply(merged)
        self.problems += interpolation.problems
        self.broken = frozenset(interpolation.broken)
        return tree

    def where(self, problem: Problem) -> Problem:
        """Name the places that include the file that has a problem."""
        places, source = self._including.places, problem.source
        related = list(problem.related)
        while source is not None and source.file in places and len(related) < limits.MAX_DEPTH:
            source = places[source.file]
            if source in [at for _, at in related]:
                break
            related.append(("included here", source))
        return replace(problem, related=tuple(related))

    def _layer(self, path: Path) -> Node | None:
        """Return the tree of one file of the command line, and of what it includes."""
        folder = self._found.folder if path == Path(STDIN) else path.parent
        return self._including.tree(path, self._file(path), folder)

    def _file(self, path: Path, place: Source | None = None) -> Node | None:
        """Return the tree of one file; ``None`` when it cannot be read to its end."""
        self.seen.append(path)
        stdin = path == Path(STDIN)
        name = "<stdin>" if stdin else shown(path, cwd=self._cwd)
        try:
            if path in self.unsaved:
                content = self.unsaved[path]
            else:
                content = _content(path) if not stdin else sys.stdin.buffer.read(_ENOUGH)
        except FileNotFoundError:
            self.problems.append(replace(absent(name, path), source=place))
            return None
        except OSError as error:
            message = f"cannot read {name}: {error.strerror}"
            self.problems.append(Problem(codes.NO_FILE, message, place))
            return None
        node, wrong = document.parse(content, name)
        self.problems += wrong
        if node is None and not wrong:
            return MapNode({}, Source(name, 1, 1, 2), 1)
        return node

    def _variables(self) -> Mapping[str, str]:
        """Return what ``${…}`` may name: the environment, before the ``.env`` beside the file."""
        if self._known is None:
            path = self._found.folder / dotenv.FILE_NAME
            values: dict[str, str] = {}
            try:
                content = _content(path) if path.is_file() else b""
                values, self.notes = dotenv.parse(content, shown(path, cwd=self._cwd))
            except OSError as error:
                message = f"{path.name} beside the file cannot be read: {error.strerror}"
                self.notes.append(Problem(codes.BAD_DOTENV_LINE, message))
            self._known = {**values, **self._environ}
        return self._known


_ENOUGH: Final = limits.MAX_BYTES + 1


def _content(path: Path) -> bytes:
    """Read a file, at most as much as shows that it is too large."""
    with path.open("rb") as file:
        return file.read(_ENOUGH)
