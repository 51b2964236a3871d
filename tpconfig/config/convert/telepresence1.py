"""Command lines of Telepresence 1 as files.

The options, their short forms and defaults are those of ``parse_args`` in
https://github.com/telepresenceio/telepresence/blob/008a9d171ecf260eda9daf11e7c5ca48d3444d49/telepresence/cli.py
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from tpconfig.config.convert.draft import Draft
from tpconfig.errors import UsageError

_HINT: Final = "tp convert -- telepresence --swap-deployment NAME --expose 8080 --run COMMAND"
_NOTED: Final = {
    "verbose": "--verbose: is `tp -v`, not a key of the file",
    "logfile": "--logfile: tp keeps a log of each session in its state folder",
    "docker_host": "--docker-host: tp asks the container runtime that the docker command asks",
    "service_account": "--serviceaccount: the agent has the account of the workload itself",
    "container_to_host": "--container-to-host: the process reaches this machine's localhost as "
    "host.tp.internal",
    "also_proxy": "--also-proxy: not needed, everything goes through the Pod; "
    "`outbound.machine` names what does not",
    "local_cluster": "--local-cluster: not needed, the machine's own DNS is left alone",
}
"""Options without a key, and what to do instead."""


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong by an error of ours, not by leaving."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"telepresence would not take this: {message}", hint=_HINT)


def convert(words: Sequence[str]) -> Draft:
    """Return the file that does what a command line did; ``words`` begin with the program's name.

    Raises:
        UsageError: it is no command line of Telepresence 1.
    """
    if not words or os.path.basename(words[0]) != "telepresence":
        raise UsageError("this is no command line of telepresence", hint=_HINT)
    said = _parser().parse_args(list(words[1:]))
    if said.docker_mount and said.docker_run is None:
        raise UsageError("telepresence takes --docker-mount only with --docker-run", hint=_HINT)
    draft = Draft(shlex.join(words))
    cluster = {"context": said.context, "namespace": said.namespace}
    if cluster := {key: value for key, value in cluster.items() if value is not None}:
        draft.data["cluster"] = cluster
    _method(said, draft)
    draft.notes += [note for option, note in _NOTED.items() if getattr(said, option)]
    target = said.swap_deployment or said.deployment
    if target is None:
        _without_target(said, draft)
        return draft
    if said.deployment:
        draft.notes.append("--deployment: this swaps it; Telepresence only used the proxy in it")
    workload = {"target": f"deployment/{target}", **_ports(said, draft), **_files(said, draft)}
    if command := _command(said):
        workload["run"] = {"command": command}
    draft.data["workloads"] = {target.partition(":")[0].replace(".", "-"): workload}
    return draft


def _method(said: argparse.Namespace, draft: Draft) -> None:
    """Write a method only where ``auto`` would not do what the old one was chosen for."""
    container = said.docker_run is not None
    if container != (said.method == "container") and (said.method or not container):
        raise UsageError(
            "telepresence takes --method container and --docker-run only together", hint=_HINT
        )
    if container:
        draft.data["method"] = "container"
    elif said.method == "vpn-tcp":
        draft.notes.append(
            "--method vpn-tcp: left out, so the processes that tp starts are in the Pod's network, "
            "without root; `method: vpn` is the whole machine"
        )
    elif said.method == "inject-tcp":
        draft.notes.append(
            "--method inject-tcp: left out, `auto` takes statically linked programs and UDP too"
        )


def _without_target(said: argparse.Namespace, draft: Draft) -> None:
    """Name everything that only a workload has: tp creates no Deployment."""
    name = f" {said.new_deployment}" if said.new_deployment else ""
    draft.notes.append(
        f"--new-deployment{name}: tp creates no Deployment; add a workload with `mode: none` to "
        "have the environment and network of one that is there, or `forwards`"
    )
    lost = {
        "--expose": said.expose,
        "--to-pod": said.to_pod,
        "--from-pod": said.from_pod,
        "--env-json": said.env_json,
        "--env-file": said.env_file,
        "--mount": said.mount if said.mount is not True else None,
        "--docker-mount": said.docker_mount,
        "--run": said.run,
        "--docker-run": said.docker_run,
    }
    for option, value in lost.items():
        if value not in (None, []):
            words = shlex.join(map(str, value if isinstance(value, list) else [value]))
            draft.notes.append(f"{option} {words}: belongs to a workload, and there is none")


def _ports(said: argparse.Namespace, draft: Draft) -> dict[str, Any]:
    by_cluster: dict[int, int] = {}
    for local, cluster in [*said.expose, *((port, port) for port in said.from_pod)]:
        if by_cluster.setdefault(cluster, local) != local:
            draft.notes.append(
                f"{local}:{cluster}: port {cluster} already goes to {by_cluster[cluster]}, "
                "and it can go to one place only"
            )
    if said.from_pod:
        draft.notes.append("--from-pod: became `expose`, which the rest of the cluster reaches too")
    found: dict[str, Any] = {}
    if by_cluster:
        found["expose"] = [f"{local}:{cluster}" for cluster, local in by_cluster.items()]
        draft.notes.append(
            "--expose: Telepresence added the container's other ports by itself; "
            "`tp plan` names those that are missing here"
        )
    if said.to_pod:
        found["pod_localhost"] = list(dict.fromkeys(said.to_pod))
    return found


def _files(said: argparse.Namespace, draft: Draft) -> dict[str, Any]:
    exports = [
        {"path": path, "format": form}
        | ({"outside": True} if os.path.isabs(path) or path.startswith("..") else {})
        for path, form in ((said.env_json, "json"), (said.env_file, "docker"))
        if path is not None
    ]
    found: dict[str, Any] = {"env": {"export": exports}} if exports else {}
    place = said.docker_mount or (said.mount if isinstance(said.mount, str) else None)
    if place:
        draft.notes.append(f"mount at {place}: the Pod's files are found at $TELEPRESENCE_ROOT")
    elif said.mount is False:
        found["volumes"] = "none"
    return found


def _command(said: argparse.Namespace) -> list[str] | None:
    if said.docker_run is not None:
        return ["docker", "run", *said.docker_run]
    return said.run or None


def _pair(text: str) -> tuple[int, int]:
    """Read ``PORT`` or ``PORT:PORT``."""
    first, colon, second = text.partition(":")
    return int(first), int(second if colon else first)


def _place(text: str) -> str | bool:
    """Read ``--mount``: an absolute path, or one of Telepresence's words for yes and no."""
    if os.path.isabs(text):
        return text
    words = {"true": True, "on": True, "yes": True, "1": True}
    words |= {"false": False, "off": False, "no": False, "0": False}
    if text.lower() not in words:
        raise argparse.ArgumentTypeError("true, false, or an absolute path")
    return words[text.lower()]


def _parser() -> _Parser:
    parser = _Parser(prog="telepresence", add_help=False, allow_abbrev=False)
    for flag in ("--verbose", "--local-cluster"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("-m", "--method", choices=["inject-tcp", "vpn-tcp", "container"])
    parser.add_argument("--serviceaccount", dest="service_account")
    for option in ("--logfile", "--docker-host", "--context", "--namespace"):
        parser.add_argument(option)
    for option in ("--env-json", "--env-file"):
        parser.add_argument(option)
    parser.add_argument("--also-proxy", action="append")
    for option in ("--to-pod", "--from-pod"):
        parser.add_argument(option, action="append", type=int, default=[])
    parser.add_argument("--expose", action="append", type=_pair, default=[])
    parser.add_argument("--container-to-host", action="append", type=_pair)
    one = parser.add_mutually_exclusive_group()
    one.add_argument("-n", "--new-deployment")
    one.add_argument("-s", "--swap-deployment")
    one.add_argument("-d", "--deployment")
    mounts = parser.add_mutually_exclusive_group()
    mounts.add_argument("--docker-mount")
    mounts.add_argument("--mount", type=_place, default=True)
    runs = parser.add_mutually_exclusive_group()
    runs.add_argument("--run-shell", action="store_true")
    runs.add_argument("--run", nargs=argparse.REMAINDER)
    runs.add_argument("--docker-run", nargs=argparse.REMAINDER)
    return parser
