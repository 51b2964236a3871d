"""Compose files with ``x-tele``, the extension of ``telepresence compose``, as files of ours.

Its keys are those of the page "Telepresence Docker Compose Extension" in
https://github.com/telepresenceio/telepresence. What compose itself says of a service (its command,
its environment) is taken along as far as it is about a process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tpconfig.config import values
from tpconfig.config.convert.draft import Draft, Variable, workload_name
from tpconfig.config.convert.left import Left
from tpconfig.errors import UsageError
from tpconfig.suggest import listed

EXTENSION: Final = "x-tele"
_MODES: Final = {"replace": "swap", "intercept": "swap", "ingest": "none", "wiretap": "mirror"}
_TYPES: Final = (*_MODES, "connect", "proxy")
_APPENDED: Final = frozenset({"ports", "volumes", "env_file"})
_RESTARTS: Final = {"always": "always", "unless-stopped": "always", "on-failure": "on-failure"}
_VARIABLE: Final = re.compile(r"\$\$|\$\{(\w+)(?:(:?[-?])([^}]*))?\}|\$([A-Za-z_]\w*)|\$")
_OF_THE_CONTAINER: Final = ("image", "build", "working_dir", "volumes", "networks", "env_file")


def is_meant(data: Any) -> bool:
    """Say whether a document has ``x-tele``, at its top or in a service."""
    if not isinstance(data, dict):
        return False
    services = data.get("services")
    inside = services.values() if isinstance(services, dict) else ()
    return EXTENSION in data or any(isinstance(one, dict) and EXTENSION in one for one in inside)


def convert(documents: Sequence[Any], origin: str) -> Draft:
    """Return the file that does what compose files did, the later over the earlier ones.

    Raises:
        UsageError: something is no mapping that should be, or of no type that is known.
    """
    data: dict[str, Any] = {}
    for one in documents:
        data = _merged(data, _mapping(one, origin))
    draft = Draft(origin)
    left = Left(data)
    namespaces = _connections(Left(_mapping(left.take(EXTENSION) or {}, EXTENSION)), draft)
    services = _mapping(left.take("services") or {}, "services")
    if name := left.take("name"):
        draft.data["name"] = workload_name(str(name))
    left.take("version")
    plain = []
    for key, service in services.items():
        found = _mapping(service or {}, f"services.{key}")
        if EXTENSION in found:
            _service(str(key), Left(found), namespaces, draft)
        else:
            plain.append(f"services.{key}")
    if plain:
        draft.notes.append(f"{listed(plain, last='and')}: without x-tele, left to docker compose")
    draft.notes += [f"{key}: has no key here" for key in left.keys()]  # noqa: SIM118
    _dependencies(draft)
    order = ("version", "name", "cluster", "outbound", "workloads", "forwards")
    draft.data = {key: draft.data[key] for key in order if key in draft.data}
    return draft


def _mapping(data: Any, place: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise UsageError(f"{place} is no mapping")
    return data


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one file over another as compose does."""
    found = dict(below)
    for key, value in above.items():
        known = found.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            found[key] = _merged(known, value)
        elif key in _APPENDED and isinstance(known, list) and isinstance(value, list):
            found[key] = [*known, *value]
        else:
            found[key] = value
    return found


def _connections(left: Left, draft: Draft) -> dict[str, str | None]:
    """Read the top-level extension; return each connection's namespace, by its name."""
    found: dict[str, str | None] = {}
    for at, one in enumerate(left.take("connections") or ()):
        place = f"x-tele.connections[{at}]"
        own = Left(_mapping(one, place))
        namespace = own.take("namespace")
        found[str(own.take("name", ""))] = namespace
        machine = draft.data.get("outbound", {}).get("machine", [])
        if never := own.take("never-proxy"):
            draft.data["outbound"] = {"machine": [*machine, *map(str, never)]}
        for key, instead in (
            ("also-proxy", "not needed, everything goes through the Pod"),
            ("manager-namespace", "not needed, nothing is installed in the cluster"),
            ("mapped-namespaces", "not needed, the Pod's own names are asked"),
        ):
            if own.take(key) is not None:
                draft.notes.append(f"{place}.{key}: {instead}")
        draft.notes += [f"{place}.{path}: has no key here" for path in own.leaves()]
    if left.take("mounts"):
        draft.notes.append(
            "x-tele.mounts: the Pod's volumes are mounted at their own paths; `volumes.local` "
            "names those of them that this machine has itself"
        )
    draft.notes += [f"x-tele.{path}: has no key here" for path in left.leaves()]
    first = next(iter(found.values()), None)
    if first is not None:
        draft.data["cluster"] = {"namespace": first}
    return found


def _service(name: str, left: Left, namespaces: Mapping[str, str | None], draft: Draft) -> None:
    """Carry one service over, by its type."""
    place = f"services.{name}"
    own = Left(_mapping(left.take(EXTENSION), f"{place}.x-tele"))
    kind = own.take("type")
    if kind not in _TYPES:
        raise UsageError(
            f"{place}.x-tele.type: `{kind}` is not known", hint=f"known are {listed(_TYPES)}"
        )
    connection = own.take("connection")
    if connection is not None and connection not in namespaces:
        raise UsageError(f"{place}.x-tele.connection: there is no connection `{connection}`")
    namespace = namespaces.get(connection) if connection is not None else None
    if namespace == next(iter(namespaces.values()), None):
        namespace = None  # the file's own
    if kind == "connect":
        draft.notes.append(
            f"{place}: is only connected; start it with `tp run WORKLOAD --` in the world of one "
            "of the workloads"
        )
        return
    if kind == "proxy":
        _proxy(name, own, left, namespace, draft)
    else:
        draft.data.setdefault("workloads", {})[workload_name(name)] = _workload(
            name, kind, own, left, namespace, draft
        )
        for key in (one for one in _OF_THE_CONTAINER if left.take(one) is not None):
            draft.notes.append(f"{place}.{key}: is about a container; this is a process")
    notes = [*(f"x-tele.{path}" for path in own.leaves()), *left.keys()]
    draft.notes += [f"{place}.{path}: has no key here" for path in notes]


def _proxy(name: str, own: Left, left: Left, namespace: str | None, draft: Draft) -> None:
    """Have a service of the cluster at the ports where compose showed it on this machine."""
    place = f"services.{name}"
    service = f"{own.take('name') or name}{f'.{namespace}' if namespace else ''}"
    renamed = dict(str(one).split(":", 1) for one in own.take("ports") or () if ":" in str(one))
    for one in left.take("ports") or ():
        published, _, inside = str(one).partition("/")[0].rpartition(":")
        published = published or inside
        text = f"{published}:{service}:{renamed.get(inside, inside)}"
        try:
            values.forward(text)
        except values.ValueProblem as problem:
            draft.notes.append(f"{place}.ports: `{one}`: {problem.message}")
            continue
        draft.data.setdefault("forwards", []).append(text)
    draft.notes.append(
        f"{place}: not needed for processes of this file, which reach {service} under its own name"
    )
    for key in left.keys():  # noqa: SIM118
        left.take(key)  # of a container that would not run either


def _workload(
    name: str, kind: str, own: Left, left: Left, namespace: str | None, draft: Draft
) -> dict[str, Any]:
    place = f"services.{name}"
    engaged, owner = own.take("name") or name, own.take("workload")
    target = {"kind": "deployment", "name": str(owner or engaged)}
    if container := own.take("container"):
        target["container"] = str(container)
    short = f"deployment/{target['name']}" + (f":{container}" if container else "")
    found: dict[str, Any] = {"target": {**target, "namespace": namespace} if namespace else short}
    if profiles := left.take("profiles"):
        found["profiles"] = [str(one) for one in profiles]
    if kind != "replace":
        found["mode"] = _MODES[kind]
    if kind == "intercept":
        draft.notes.append(
            f"{place}: intercept became `mode: swap`: the original is stopped meanwhile, and "
            "brought back after"
        )
    if own.take("service") is not None or kind in ("intercept", "wiretap"):
        draft.notes.append(
            f"{place}: ports on the right are the container's here, not the Service's; `tp plan` "
            "says where they differ"
        )
    if kind == "wiretap":
        found["volumes"] = {"mode": "mount", "read_only": True}
    _ports(found, own, left, place, draft)
    _process(found, left, place, draft)
    return found


def _ports(found: dict[str, Any], own: Left, left: Left, place: str, draft: Draft) -> None:
    exposed = []
    for one in own.take("ports") or ():
        text = str(one).lower()
        try:
            values.expose(text)
        except values.ValueProblem as problem:
            draft.notes.append(f"{place}.x-tele.ports: `{one}`: {problem.message}")
        else:
            exposed.append(text)
    if exposed:
        found["expose"] = exposed
    inside = [str(one).lower().removesuffix("/tcp") for one in own.take("to-pod") or ()]
    if ports := [int(one) for one in inside if one.isdecimal()]:
        found["pod_localhost"] = ports
    draft.notes += [
        f"{place}.x-tele.to-pod: `{one}`: one TCP port each, the same on both sides"
        for one in inside
        if not one.isdecimal()
    ]
    if left.take("ports"):
        draft.notes.append(f"{place}.ports: a process is found on localhost at its own ports")


def _process(found: dict[str, Any], left: Left, place: str, draft: Draft) -> None:
    """Take along what is said of the process."""
    if variables := _environment(left.take("environment"), place, draft):
        found["env"] = {"set": variables}
    command = _command(left, place, draft)
    run: dict[str, Any] = {}
    build = left.take("build")
    folder = build.get("context") if isinstance(build, dict) else build
    if isinstance(folder, str) and "://" not in folder and folder != ".":
        run["cwd"] = _variables(folder, place, draft)
    restart = str(left.take("restart") or "no").partition(":")[0]
    if restart in _RESTARTS:
        run["restart"] = _RESTARTS[restart]
    stop = {"signal": left.take("stop_signal"), "timeout": left.take("stop_grace_period")}
    if stop := {key: str(value) for key, value in stop.items() if value is not None}:
        run["stop"] = stop
    if ready := _ready(left, place, draft):
        run["ready"] = ready
    if wanted := left.take("depends_on"):
        run["depends_on"] = [str(one) for one in wanted]
    if command is None:
        draft.notes.append(
            f"{place}: its image says what runs; write that as `run.command`, as you start it on "
            "this machine"
        )
    else:
        found["run"] = {"command": command, **run}


def _command(left: Left, place: str, draft: Draft) -> Any:
    entrypoint, command = left.take("entrypoint"), left.take("command")
    parts = [one for one in (entrypoint, command) if one not in (None, [], "")]
    if not parts:
        return None
    if all(isinstance(one, str) for one in parts):
        return _variables(" ".join(parts), place, draft)
    words: list[str] = []
    for one in parts:
        words += one.split() if isinstance(one, str) else map(str, one)
    return [_variables(word, place, draft) for word in words]


def _ready(left: Left, place: str, draft: Draft) -> dict[str, Any]:
    test = left.take("healthcheck.test")
    timeout = left.take("healthcheck.start_period")
    draft.notes += [
        f"{place}.healthcheck.{key}: has no key here"
        for key in _mapping(left.take("healthcheck") or {}, f"{place}.healthcheck")
    ]
    if isinstance(test, list) and test[:1] in (["CMD"], ["CMD-SHELL"]):
        test = test[1:] if test[0] == "CMD" else str(test[1])
    if not test or test == ["NONE"]:
        return {}
    words = [test] if isinstance(test, str) else [str(one) for one in test]
    shown = [_variables(word, place, draft) for word in words]
    found: dict[str, Any] = {"exec": shown[0] if isinstance(test, str) else shown}
    return found | ({"timeout": str(timeout)} if timeout else {})


def _environment(said: Any, place: str, draft: Draft) -> dict[str, str]:
    """Read a mapping, or a list of ``NAME=VALUE``; a name alone is this machine's, as it is."""
    pairs: list[tuple[str, Any]] = []
    if isinstance(said, dict):
        pairs = list(said.items())
    else:
        for one in said or ():
            key, equals, value = str(one).partition("=")
            pairs.append((key, value if equals else None))
    return {
        str(key): _variables(
            str(value).lower() if isinstance(value, bool) else str(value), place, draft
        )
        for key, value in pairs
        if value is not None
    }


def _variables(text: str, place: str, draft: Draft) -> str:
    """Write compose's variables as ours; what has no form here stays as it is written."""

    def rewritten(match: re.Match[str]) -> str:
        if match[0] in ("$$", "$"):
            return "$$"
        if match[4]:
            return f"${{{match[4]}}}"
        if match[2] in ("-", "?"):
            draft.notes.append(f"{place}: {match[0]} also counts where {match[1]} is empty here")
        return f"${{{match[1]}{':' + match[2][-1] + match[3] if match[2] else ''}}}"

    return Variable(_VARIABLE.sub(rewritten, text))


def _dependencies(draft: Draft) -> None:
    """Leave out whom nobody starts here."""
    workloads = draft.data.get("workloads", {})
    for name, one in workloads.items():
        run = one.get("run", {})
        wanted = [workload_name(other) for other in run.pop("depends_on", ())]
        if kept := [other for other in wanted if "run" in workloads.get(other, {})]:
            run["depends_on"] = kept
        draft.notes += [
            f"services.{name}.depends_on: {other} is not started from this file"
            for other in wanted
            if other not in kept
        ]
