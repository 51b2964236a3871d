"""What can be wrong across a whole file whose parts are all valid, before the cluster is asked."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tpconfig.config import codes, nodes, values
from tpconfig.config.network import check_ports
from tpconfig.config.schema import File
from tpconfig.config.sources import Sources
from tpconfig.config.workload import Workload
from tpconfig.errors import Problem
from tpconfig.source import Source
from tpconfig.suggest import did_you_mean, listed

MIN_TTL_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies: the project folder, the files that were read, and the environment."""

    folder: Path
    files: tuple[Path, ...]
    environ: Mapping[str, str]

    def resolve(self, written: str) -> Path:
        """Return the real place of a path of the file: ``~`` and links followed."""
        home = self.environ.get("HOME")
        if home and (written == "~" or written.startswith("~/")):
            written = home + written[1:]
        return Path(os.path.realpath(self.folder / written))


@dataclass(frozen=True, slots=True)
class Context:
    """All that a check looks at; ``names`` are the workloads, those with problems too."""

    file: File
    sources: Sources
    place: Place
    names: frozenset[str]

    def at(self, *path: str | int) -> Source | None:
        """Return the place of a value."""
        return self.sources.source_of(path)


def check(file: File, sources: Sources, place: Place, *, names: frozenset[str]) -> list[Problem]:
    """Return everything that is wrong with a file as a whole."""
    context = Context(file, sources, place, names)
    found = [problem for checks in _CHECKS for problem in checks(context)]
    return found + list(check_ports(file, sources))


def _ttl(context: Context) -> Iterator[Problem]:
    ttl_s = context.file.session.ttl_s
    if ttl_s < MIN_TTL_S:
        yield Problem(
            codes.TTL_TOO_SHORT,
            f"`session.ttl` is shorter than {MIN_TTL_S:.0f}s",
            context.at("session", "ttl"),
            label=f"write {MIN_TTL_S:.0f}s or more",
            hint="a slow network would lose its swaps in the middle of a session",
        )


def _host_key(context: Context) -> Iterator[Problem]:
    """A pinned key that was not copied as a whole would refuse the right server."""
    bastion = context.file.cluster.bastion
    if bastion is None or " " not in bastion.host_key or values.is_host_key(bastion.host_key):
        return
    yield Problem(
        codes.BAD_HOST_KEY,
        "`cluster.bastion.host_key` is no public key",
        context.at("cluster", "bastion", "host_key"),
        label="is it the whole line?",
        hint="`ssh-keyscan HOST` prints the keys behind the name",
    )


def _targets(context: Context) -> Iterator[Problem]:
    """Two workloads stand in for one object, and cannot share it."""
    seen: dict[tuple[str | None, str, str], str] = {}
    for name, workload in context.file.workloads.items():
        if workload.mode == "none":
            continue
        target = workload.target
        namespace = target.namespace or context.file.cluster.namespace
        key = (namespace, target.kind, target.name)
        first = seen.setdefault(key, name)
        if first == name or _share(workload, context.file.workloads[first]):
            continue
        place = context.at("workloads", first, "target")
        yield Problem(
            codes.TARGET_TWICE,
            f"{target.kind}/{target.name} is the target of `{first}` and of `{name}`",
            context.at("workloads", name, "target"),
            label="again here",
            hint="one process at a time can stand in for it",
            related=(("first here", place),) if place else (),
        )


def _share(one: Workload, other: Workload) -> bool:
    """Say whether two workloads may have one target: the original runs on for both."""
    return {one.mode, other.mode} <= {"intercept", "mirror"}


def _dependencies(context: Context) -> Iterator[Problem]:
    for name, workload in context.file.workloads.items():
        for index, wanted in enumerate(workload.run.depends_on if workload.run else ()):
            if wanted not in context.names:
                others = sorted(context.names - {name})
                guess = did_you_mean(wanted, others)
                there_is = f"there is {listed(others, last='and')}" if others[:9] == others else ""
                yield Problem(
                    codes.UNKNOWN_DEPENDENCY,
                    f"workload `{name}` waits for `{wanted}`, which is not in the file",
                    context.at("workloads", name, "run", "depends_on", index),
                    label=guess,
                    hint=None if guess or not others else there_is or None,
                )


def _cycles(context: Context) -> Iterator[Problem]:
    """Workloads that wait for each other; each circle is named once."""
    waits = {
        name: workload.run.depends_on if workload.run else ()
        for name, workload in context.file.workloads.items()
    }
    done: set[str] = set()
    for start in waits:
        trail: list[str] = []
        pending: list[tuple[str, Iterator[str]]] = []
        name: str | None = start
        while name is not None or pending:
            if name is not None and name in trail:
                circle = [*trail[trail.index(name) :], name]
                yield _circle(context, circle)
            elif name is not None and name not in done and name in waits:
                trail.append(name)
                pending.append((name, iter(waits[name])))
            if not pending:
                break
            name = next(pending[-1][1], None)
            if name is None:
                done.add(trail.pop())
                pending.pop()


def _circle(context: Context, circle: list[str]) -> Problem:
    last = circle[-2]
    run = context.file.workloads[last].run
    index = run.depends_on.index(circle[-1]) if run else 0
    itself = len(circle) == 2
    chain = " -> ".join(circle)
    return Problem(
        codes.DEPENDENCY_CYCLE,
        f"workload `{last}` waits for itself" if itself else f"workloads wait in a circle: {chain}",
        context.at("workloads", last, "run", "depends_on", index),
        label="remove this one",
    )


def _modes(context: Context) -> Iterator[Problem]:
    """Keys that mean something in one mode only."""
    for name, workload in context.file.workloads.items():
        at = ("workloads", name)
        if workload.percent is not None and workload.mode != "mirror":
            yield Problem(
                codes.PERCENT_WITHOUT_MIRROR,
                f"`percent` of `{name}` says nothing with `mode: {workload.mode}`",
                context.sources.key_of((*at, "percent")),
                label="add `mode: mirror`, or remove this",
                related=_mode(context, name),
            )
        if workload.match is not None and workload.mode != "intercept":
            yield Problem(
                codes.MATCH_WITHOUT_INTERCEPT,
                f"`match` of `{name}` says nothing with `mode: {workload.mode}`",
                context.sources.key_of((*at, "match")),
                label="add `mode: intercept`, or remove this",
                related=_mode(context, name),
            )
        elif workload.match is not None and not (workload.match.headers or workload.match.path):
            yield Problem(
                codes.MATCH_WITHOUT_INTERCEPT,
                f"`match` of `{name}` is empty",
                context.sources.key_of((*at, "match")),
                label="add `headers` or `path`, or remove this",
            )
        if workload.expose and (workload.mode == "none" or workload.target.kind == "cronjob"):
            why = "`mode: none`" if workload.mode == "none" else "a CronJob"
            yield Problem(
                codes.EXPOSE_WITHOUT_TRAFFIC,
                f"`expose` of `{name}`: nothing comes here with {why}",
                context.sources.key_of((*at, "expose")),
                label="remove this",
            )


def _mode(context: Context, name: str) -> tuple[tuple[str, Source], ...]:
    """Return the place of a workload's mode, where the file says one."""
    path = ("workloads", name, "mode")
    place = context.at(*path) if path in context.sources else None
    return (("the mode is set here", place),) if place else ()


def _patterns(context: Context) -> Iterator[Problem]:
    """Regular expressions that are none."""
    for name, workload in context.file.workloads.items():
        match, run = workload.match, workload.run
        found: list[tuple[nodes.Path, str | None]] = [
            (("workloads", name, "match", "path"), match.path if match else None),
            (("workloads", name, "run", "ready", "log"), run.ready.log if run else None),
        ]
        for path, pattern in found:
            try:
                re.compile(pattern or "")
            except (re.error, OverflowError, RecursionError) as error:
                yield Problem(
                    codes.BAD_PATTERN,
                    f"`{nodes.dotted(path)}` is not a regular expression",
                    context.at(*path),
                    label=str(error)[:120],
                )


def _folders(context: Context) -> Iterator[Problem]:
    for name, workload in context.file.workloads.items():
        if workload.run is None:
            continue
        folder = context.place.resolve(workload.run.cwd)
        if not folder.is_dir():
            yield Problem(
                codes.NO_FOLDER,
                f"`cwd` of `{name}` is not a folder: {folder}",
                context.at("workloads", name, "run", "cwd"),
                label=_beside(folder, workload.run.cwd),
                hint="paths are relative to the folder of the first file",
            )


def _beside(folder: Path, written: str) -> str | None:
    """Ask for the folder whose name is nearest to one that is not there."""
    try:
        names = [entry.name for entry in folder.parent.iterdir() if entry.is_dir()][:500]
    except OSError:
        return None
    near = difflib.get_close_matches(folder.name, names, n=1, cutoff=0.6)
    return f"did you mean `{written[: -len(folder.name)]}{near[0]}`?" if near else None


def _exports(context: Context) -> Iterator[Problem]:
    """Files that would be written over each other, over ours, or outside of the project."""
    seen: dict[Path, nodes.Path] = {}
    ours = {Path(os.path.realpath(file)): file.name for file in context.place.files}
    root = Path(os.path.realpath(context.place.folder))
    for name, workload in context.file.workloads.items():
        for index, export in enumerate(workload.env.export):
            path = ("workloads", name, "env", "export", index)
            source = context.at(*path, "path")
            target = context.place.resolve(export.path)
            if target in ours:
                message = f"`{export.path}` would be written over {ours[target]} itself"
                yield Problem(codes.EXPORT_OVERWRITES, message, source)
            elif (first := seen.setdefault(target, path)) != path:
                place = context.at(*first, "path")
                yield Problem(
                    codes.EXPORT_OVERWRITES,
                    f"`{export.path}` is written twice",
                    source,
                    label="again here",
                    related=(("first here", place),) if place else (),
                )
            if not export.outside and not target.is_relative_to(root):
                yield Problem(
                    codes.EXPORT_OUTSIDE,
                    f"`{export.path}` is outside of the project folder",
                    source,
                    hint=f"if that is meant: {{path: {export.path}, outside: true}}",
                )


_CHECKS: Final[tuple[Callable[[Context], Iterator[Problem]], ...]] = (
    _ttl,
    _host_key,
    _targets,
    _dependencies,
    _cycles,
    _modes,
    _patterns,
    _folders,
    _exports,
)
