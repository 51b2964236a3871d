"""``mirrord.json`` and ``mirrord-up.yaml`` as files of ours.

Every key that is understood is taken out of the document; what is left over at the end has no place
here and is named. The keys are those of https://github.com/metalbear-co/mirrord.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tpconfig.config import values
from tpconfig.config.convert.draft import Draft, workload_name
from tpconfig.config.convert.left import Left
from tpconfig.errors import UsageError
from tpconfig.model import kinds

_MODES: Final = {"split": "intercept", "replace": "swap", "steal": "swap", "mirror": "mirror"}
_FILES: Final = {"read": {"mode": "mount", "read_only": True}, "write": "mount", "local": "none"}
_HEADER: Final = re.compile(r"\^?([A-Za-z0-9-]+):(?: |\\s\*| \*)?([A-Za-z0-9_@/ -]+)\$?")
"""A filter that is one header with one value, and no other expression."""


def convert(data: Mapping[str, Any], origin: str) -> Draft:
    """Return the file that does what a configuration of mirrord did.

    Raises:
        UsageError: a target cannot be understood.
    """
    draft = Draft(origin)
    draft.data["workloads"] = {}
    services = data.get("services")
    left = Left({key: value for key, value in data.items() if key != "services"})
    if isinstance(services, dict):
        _up(left, services, draft)
    else:
        _one(left, draft)
    draft.notes += [f"{path}: has no key here" for path in left.leaves()]
    if not draft.data["workloads"]:
        del draft.data["workloads"]
    return draft


def _up(left: Left, services: Mapping[str, Any], draft: Draft) -> None:
    """Carry a mirrord-up.yaml over."""
    _context(left.take("common.context"), draft)
    for name, service in services.items():
        if not isinstance(service, dict):
            raise UsageError(f"services.{name} is no mapping")
        own = Left(service)
        place = f"services.{name}"
        workload = _target(own.take("target"), draft, place)
        mode = own.take("default_mode", "split")
        filters = {key: own.take(f"http_filter.{key}") for key in ("header_filter", "path_filter")}
        command, kind = own.take("run.command"), own.take("run.type", "exec")
        if kind != "exec":
            draft.notes.append(f"{place}.run.type: {kind} runs as a command of this machine here")
        if own.take("skip"):
            draft.notes.append(f"{place}.skip: became a profile; `tp up --profile skipped`")
            workload["profiles"] = ["skipped"]
        _incoming(workload, mode, filters, draft, place)
        if mode == "split" and "match" not in workload:
            draft.notes.append(f"{place}: the filter by mirrord's session key has no key here")
        if command:
            workload["run"] = {"command": command}
        draft.notes += [f"{place}.{path}: has no key here" for path in own.leaves()]
        if "target" in workload:
            draft.data["workloads"][workload_name(name)] = workload


def _one(left: Left, draft: Draft) -> None:
    """Carry a mirrord.json over."""
    _context(left.take("kube_context"), draft)
    workload = _target(left.take("target"), draft, "target")
    incoming = left.take("feature.network.incoming", "mirror")
    fine = Left(incoming) if isinstance(incoming, dict) else Left({"mode": incoming})
    filters = {key: fine.take(f"http_filter.{key}") for key in ("header_filter", "path_filter")}
    mode = fine.take("mode", "mirror")
    scaled = left.take("feature.copy_target.scale_down", default=False)
    left.take("feature.copy_target.enabled")
    place = "feature.network.incoming"
    if mode in (False, "off"):
        workload["mode"] = "none"
    else:
        found = "mirror" if mode is True else str(mode)
        split = found == "steal" and any(filters.values()) and not scaled
        _incoming(workload, "split" if split else found, filters, draft, place)
    pairs = fine.take("port_mapping") or []
    if pairs and workload.get("mode") != "none":
        workload["expose"] = [f"{local}:{remote}" for local, remote in pairs]
    draft.notes += [f"{place}.{path}: has no key here" for path in fine.leaves()]
    _environment(left, workload)
    _volumes(left, workload, draft)
    if "target" in workload:
        target = str(workload["target"])
        draft.data["workloads"][workload_name(target.partition("/")[2].partition(":")[0])] = (
            workload
        )


def _context(context: Any, draft: Draft) -> None:
    if context:
        draft.data.setdefault("cluster", {})["context"] = context


def _target(said: Any, draft: Draft, place: str) -> dict[str, Any]:
    """Return a workload with its target, or without one where there is none that is swapped."""
    path = said.get("path") if isinstance(said, dict) else said
    namespace = said.get("namespace") if isinstance(said, dict) else None
    if isinstance(path, dict):
        kind = next((key for key in path if key != "container"), "")
        path = f"{kind}/{path.get(kind)}"
        path += f"/container/{said['path']['container']}" if "container" in said["path"] else ""
    if path in (None, "none", "targetless"):
        draft.notes.append(f"{place}: a process without a target is not started by a session here")
        return {}
    parts = str(path).split("/")
    container = parts[3] if len(parts) == 4 and parts[2] == "container" else None
    written = "/".join(parts[:2]) + (f":{container}" if container else "")
    try:
        read = values.target(written)
    except values.ValueProblem as problem:
        draft.notes.append(f"{place} {path}: {problem.message}; name the workload that owns it")
        return {}
    if len(parts) not in (2, 4) or (len(parts) == 4 and container is None):
        raise UsageError(f"{place}: `{path}` is no target of mirrord")
    if read["kind"] not in kinds.SWAPPABLE:
        draft.notes.append(f"{place} {path}: name the workload that owns it; tp plan says which")
    return {"target": {**read, "namespace": namespace} if namespace else written}


def _incoming(
    workload: dict[str, Any], mode: str, filters: Mapping[str, Any], draft: Draft, place: str
) -> None:
    if mode not in _MODES:
        draft.notes.append(f"{place}: the mode {mode} is not known here; left out: swap")
        return
    workload["mode"] = _MODES[mode]
    if mode == "steal":
        draft.notes.append(f"{place}: the original is stopped meanwhile, and brought back after")
    match: dict[str, Any] = {}
    if path := filters.get("path_filter"):
        match["path"] = path
    if header := filters.get("header_filter"):
        literal = _HEADER.fullmatch(header)
        if literal:
            match["headers"] = {literal[1]: literal[2]}
        else:
            draft.notes.append(
                f"{place}.http_filter.header_filter: `{header}`: headers match by exact values here"
            )
    if match and workload["mode"] == "intercept":
        workload["match"] = match
    elif match:
        draft.notes.append(f"{place}.http_filter: says nothing with `mode: {workload['mode']}`")


def _environment(left: Left, workload: dict[str, Any]) -> None:
    changed: dict[str, Any] = {}
    if override := left.take("feature.env.override"):
        changed["set"] = {key: str(value) for key, value in override.items()}
    unset = [*_words(left.take("feature.env.exclude")), *_words(left.take("feature.env.unset"))]
    if unset:
        changed["unset"] = list(dict.fromkeys(unset))
    if changed:
        workload["env"] = changed


def _volumes(left: Left, workload: dict[str, Any], draft: Draft) -> None:
    said = left.take("feature.fs.mode") or left.take("feature.fs")
    if said in (None, {}):
        return
    mode = {True: "read", False: "local"}.get(said, said) if not isinstance(said, dict) else "other"
    if mode in _FILES:
        workload["volumes"] = _FILES[mode]
    else:
        draft.notes.append(f"feature.fs: {said} has no key here; the Pod's volumes are mounted")


def _words(said: Any) -> list[str]:
    """Read a list, or a text with semicolons."""
    found = said.split(";") if isinstance(said, str) else said or []
    return [str(one).strip() for one in found if str(one).strip()]
