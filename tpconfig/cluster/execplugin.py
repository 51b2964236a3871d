"""The credential plugin that a kubeconfig's user may name: a program that prints a token.

The kubernetes package runs one too, but hides what it says, and a login that asks the user to open
a page then waits for ever; so it is run as kubectl does it.
See https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

from tpconfig.errors import NoPermissionError

_LIMIT_S: Final = 60.0
"""For a plugin that cannot be talking to a person."""


async def run(
    spec: Mapping[str, Any], *, folder: str, cluster: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Run a plugin and return the ``status`` of its ExecCredential.

    Args:
        spec: the user's ``exec``.
        folder: where the kubeconfig lies; a relative command with a slash starts there.
        cluster: the kubeconfig's cluster, for a plugin that asks for it.

    Raises:
        NoPermissionError: the plugin is missing, failed, or printed something else.
    """
    command = str(spec.get("command") or "")
    if not command:
        raise NoPermissionError("the kubeconfig's credential plugin has no `command`")
    program = os.path.join(folder, command) if "/" in command else command
    arguments = [program, *(str(word) for word in spec.get("args") or ())]
    try:
        status, output, complaint = await _output(arguments, _environment(spec, cluster), spec)
    except OSError as error:
        raise NoPermissionError(
            f"the credential plugin {command} cannot be run: {error.strerror}",
            hint=spec.get("installHint") or "the kubeconfig's user names it; install it",
        ) from error
    except TimeoutError as error:
        raise NoPermissionError(
            f"the credential plugin {command} has said nothing for {_LIMIT_S:.0f} s",
            hint="run it once by hand; it may want to ask something",
        ) from error
    if status != 0:
        raise NoPermissionError(
            f"the credential plugin {command} failed with exit code {status}",
            hint="log in again with the tool that it belongs to",
            details=complaint.decode("utf-8", "replace").strip().splitlines()[-5:],
        )
    return _credential(command, output, str(spec.get("apiVersion") or ""))


def _environment(spec: Mapping[str, Any], cluster: Mapping[str, Any] | None) -> dict[str, str]:
    info: dict[str, Any] = {
        "apiVersion": spec.get("apiVersion"),
        "kind": "ExecCredential",
        "spec": {"interactive": _interactive(spec)},
    }
    if spec.get("provideClusterInfo") and cluster is not None:
        info["spec"]["cluster"] = dict(cluster)
    extra = {str(item["name"]): str(item["value"]) for item in spec.get("env") or ()}
    return {**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _interactive(spec: Mapping[str, Any]) -> bool:
    return spec.get("interactiveMode") != "Never" and sys.stdin is not None and sys.stdin.isatty()


async def _output(
    arguments: list[str], environment: dict[str, str], spec: Mapping[str, Any]
) -> tuple[int, bytes, bytes]:
    talks = _interactive(spec)
    process = await asyncio.create_subprocess_exec(
        *arguments,
        env=environment,
        stdin=None if talks else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        # On a terminal the plugin tells the user which page to open.
        stderr=None if talks else subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(None if talks else _LIMIT_S):
            output, complaint = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    return process.returncode or 0, output, complaint or b""


def _credential(command: str, output: bytes, version: str) -> dict[str, Any]:
    try:
        parsed = json.loads(output)
    except ValueError as error:
        raise NoPermissionError(
            f"the credential plugin {command} did not print an ExecCredential: {error}"
        ) from error
    status = parsed.get("status") if isinstance(parsed, dict) else None
    if not isinstance(status, dict) or not (
        status.get("token") or (status.get("clientCertificateData") and status.get("clientKeyData"))
    ):
        raise NoPermissionError(
            f"the credential plugin {command} printed neither a token nor a certificate"
        )
    if parsed.get("apiVersion") != version:
        raise NoPermissionError(
            f"the credential plugin {command} answers as {parsed.get('apiVersion')}, "
            f"the kubeconfig expects {version}"
        )
    return status
