"""From the validated file to the planner's wish: defaults filled in, paths absolute."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tpconfig.config.environment import Environment, Volumes
from tpconfig.config.fields import Destination
from tpconfig.config.load import Loaded
from tpconfig.config.process import Run
from tpconfig.config.workload import Workload as Entry
from tpconfig.errors import UsageError
from tpconfig.model import desired as wish
from tpconfig.model.target import Target
from tpconfig.suggest import nearest

Environ = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a file asks for, and of which cluster."""

    session: wish.SessionWish
    desired: wish.Desired
    context: str | None
    namespace: str | None
    protected: tuple[str, ...]
    bastion: wish.Bastion | None


@dataclass(frozen=True, slots=True)
class Choice:
    """Which workloads: by name, else those without profiles and those of the named profiles.

    What these depend on comes with them. ``on_conflict`` is the command line's word over the
    file's.
    """

    names: Sequence[str] = ()
    profiles: Sequence[str] = ()
    on_conflict: str | None = None

    def takes(self, name: str, profiles: Sequence[str]) -> bool:
        """Tell whether a workload is meant."""
        if self.names:
            return name in self.names
        return not profiles or bool(set(profiles) & set(self.profiles))


def resolve(loaded: Loaded, choice: Choice, *, environ: Environ, now: bool = False) -> Resolved:
    """Resolve a file.

    Raises:
        UsageError: there is no workload of such a name.
    """
    file = loaded.file
    known = file.workloads
    _check_names(choice.names, known)
    taken = _with_dependencies(known, choice)
    chosen = [name for name in known if name in taken]
    outbound = file.outbound
    return Resolved(
        session=wish.SessionWish(
            name=file.name or loaded.folder.name,
            ttl_s=file.session.ttl_s,
            reconnect_s=file.session.reconnect_s,
            on_conflict=choice.on_conflict or file.session.on_conflict,
            file=str(loaded.paths[0]),
            image=_image(loaded, environ),
        ),
        desired=wish.Desired(
            workloads=tuple(_workload(loaded, name, set(chosen)) for name in chosen),
            method=file.method,
            outbound=wish.Outbound(
                default=outbound.default,
                machine=_destinations(outbound.machine),
                pod=_destinations(outbound.pod),
            ),
            now=now,
            forwards=_forwards(loaded),
            janitor=file.session.janitor,
        ),
        context=file.cluster.context,
        namespace=file.cluster.namespace,
        protected=tuple(file.cluster.protected),
        bastion=bastion_of(loaded),
    )


def bastion_of(loaded: Loaded) -> wish.Bastion | None:
    """Return the jump host that the file names."""
    one = loaded.file.cluster.bastion
    if one is None:
        return None
    return wish.Bastion(
        host=one.host,
        port=one.port,
        user=one.user,
        identity=str(_absolute(loaded.folder, one.identity)) if one.identity else None,
        host_key=one.host_key,
        config=str(_absolute(loaded.folder, one.config)) if one.config else None,
        source=loaded.source_of(("cluster", "bastion")),
    )


def _with_dependencies(known: Mapping[str, Entry], choice: Choice) -> set[str]:
    """Return the chosen names and all that their processes wait for."""
    found: set[str] = set()
    left = [name for name, one in known.items() if choice.takes(name, one.profiles)]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            run = known[name].run
            left += [one for one in (run.depends_on if run else ()) if one in known]
    return found


def _check_names(names: Sequence[str], known: Iterable[str]) -> None:
    there = list(known)
    for name in names:
        if name not in there:
            guess = nearest(name, there)
            hint = f"did you mean `{guess}`?" if guess else f"it has: {', '.join(there) or 'none'}"
            raise UsageError(f"the file has no workload `{name}`", hint=hint)


def _forwards(loaded: Loaded) -> tuple[wish.Forward, ...]:
    """Read the forwards, with the SOCKS5 proxy first."""
    file = loaded.file
    found = [
        wish.Forward(local, one.host, port, one.bind, loaded.source_of(("forwards", index)))
        for index, one in enumerate(file.forwards)
        for local, port in one.pairs
    ]
    if file.socks is not None:
        found.insert(0, wish.Forward(file.socks, source=loaded.source_of(("socks",))))
    return tuple(found)


def _destinations(rules: Sequence[Destination]) -> tuple[wish.Destination, ...]:
    return tuple(wish.Destination(rule.host, rule.network, rule.port) for rule in rules)


def default_image(environ: Environ) -> wish.AgentImage:
    """Return the agent's image where no file names one: ``TP_IMAGE`` and ``TP_IMAGE_PYTHON``."""
    default = wish.AgentImage()
    return wish.AgentImage(
        name=environ.get("TP_IMAGE") or default.name,
        python=environ.get("TP_IMAGE_PYTHON") or default.python,
    )


def _image(loaded: Loaded, environ: Environ) -> wish.AgentImage:
    image, default = loaded.file.cluster.image, default_image(environ)
    return wish.AgentImage(
        name=image.name or default.name,
        python=image.python or default.python,
        pull_secrets=tuple(loaded.file.cluster.image_pull_secrets),
    )


def _workload(loaded: Loaded, name: str, chosen: set[str]) -> wish.Workload:
    one = loaded.file.workloads[name]
    here = ("workloads", name)
    target = one.target
    exposes = None
    if one.expose is not None:
        exposes = tuple(
            wish.Expose(
                entry.local,
                entry.cluster,
                entry.protocol,
                entry.wait_s,
                entry.proxy_protocol,
                loaded.source_of((*here, "expose", index)),
            )
            for index, entry in enumerate(one.expose)
        )
    return wish.Workload(
        name=name,
        target=Target(target.namespace or "", target.kind, target.name),
        container=target.container,
        mode=one.mode,
        strategy=one.strategy,
        init=one.init == "run",
        exposes=exposes,
        env=_environment(loaded, here, one.env),
        volumes=_volumes(loaded, one.volumes),
        pod_localhost=tuple(one.pod_localhost),
        run=_run(loaded, here, one.run, chosen) if one.run else None,
        source=loaded.source_of(here),
        target_source=loaded.source_of((*here, "target")),
    )


def _environment(loaded: Loaded, here: tuple[str, str], env: Environment) -> wish.EnvironmentWish:
    return wish.EnvironmentWish(
        set=tuple((key, str(value)) for key, value in env.set.items()),
        unset=tuple(env.unset),
        exports=tuple(
            wish.Export(
                str(_absolute(loaded.folder, export.path)),
                export.format,
                export.keep,
                loaded.source_of((*here, "env", "export", index)),
            )
            for index, export in enumerate(env.export)
        ),
    )


def _volumes(loaded: Loaded, volumes: Volumes) -> wish.VolumesWish:
    return wish.VolumesWish(
        mode=volumes.mode,
        paths=tuple(volumes.paths),
        local=tuple(volumes.local),
        at=os.path.abspath(loaded.folder / Path(volumes.at).expanduser()) if volumes.at else None,
        read_only=volumes.read_only,
    )


def _run(loaded: Loaded, here: tuple[str, str], run: Run, chosen: set[str]) -> wish.Run:
    """Resolve what runs here, and how."""
    cwd = _absolute(loaded.folder, run.cwd)
    ready = run.ready
    return wish.Run(
        argv=_argv(run.command),
        cwd=str(cwd),
        ready=wish.Ready(
            http=ready.http,
            port=ready.port,
            exec=_argv(ready.exec) if ready.exec is not None else (),
            log=ready.log,
            delay_s=ready.delay_s,
            timeout_s=ready.timeout_s,
        ),
        restart=run.restart,
        watch=tuple(str(_absolute(cwd, path)) for path in run.watch),
        pre=tuple(map(_argv, run.pre)),
        build=_argv(run.build) if run.build is not None else (),
        post=tuple(map(_argv, run.post)),
        stop_signal=run.stop.signal,
        stop_timeout_s=run.stop.timeout_s,
        depends_on=tuple(name for name in run.depends_on if name in chosen),
        source=loaded.source_of((*here, "run")),
    )


def _argv(command: str | Sequence[str]) -> tuple[str, ...]:
    """Return a command's words; a text is the shell's, a list is run as it is."""
    return ("/bin/sh", "-c", command) if isinstance(command, str) else tuple(command)


def _absolute(folder: Path, path: str) -> Path:
    return (folder / Path(path).expanduser()).resolve()
