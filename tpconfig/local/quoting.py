"""How each format writes a name and a value, or that it cannot; each rule is its readers' own.

Where a format has several readers (dotenv has dozens), a value is written only in a way that all
of the named ones read back byte by byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

Line = Callable[[str, str], str | None]
"""Takes a name and a value; ``None`` when there is no way to write them."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOTTED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_DOCKER_NAME: Final = re.compile(r"[^#\s=][^\s=]*")
_BRACED_NAME: Final = re.compile(r"[^{}`:$\s\"']+")

_SHELL_OWN: Final = frozenset(
    {"BASHOPTS", "BASHPID", "BASH_ARGV0", "BASH_COMMAND", "BASH_SUBSHELL", "BASH_VERSINFO"}
    | {"DIRSTACK", "EPOCHREALTIME", "EPOCHSECONDS", "FUNCNAME", "GROUPS", "HISTCMD", "LINENO"}
    | {"PPID", "RANDOM", "SECONDS", "SHELLOPTS", "SRANDOM", "UID", "EUID", "GID", "EGID", "_"}
)
"""Names that bash or zsh give another meaning, or refuse to set."""

_FISH_OWN: Final = frozenset(
    {"FISH_VERSION", "PWD", "SHLVL", "fish_kill_signal", "fish_killring", "fish_pid", "history"}
    | {"hostname", "pipestatus", "status", "status_generation", "umask", "version", "_"}
)
"""Names that fish does not let anybody set."""

_DOCKER_LINE_BYTES: Final = 65534
"""Go's bufio.Scanner gives up on longer ones, and with them on the whole file."""

_POWERSHELL_QUOTES: Final = str.maketrans(
    {quote: quote * 2 for quote in "'\u2018\u2019\u201a\u201b"}
)

_NO_VSCODE: Final = re.compile("[\r\u2028\u2029]|[$][{]")
"""JavaScript's line ends, and what the extensions put another variable's value for."""

_YAML_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def dotenv(name: str, value: str) -> str | None:
    """For node's dotenv, python-dotenv, docker compose and ``sh``."""
    if not _DOTTED.fullmatch(name) or "\r" in value or "${" in value:
        return None
    if "'" not in value and "\\\\" not in value and not value.endswith("\\"):
        return f"{name}='{value}'"
    if not any(mark in value for mark in '"\\$`'):
        return f'{name}="{value}"'
    return None


def vscode(name: str, value: str) -> str | None:
    r"""For a launch configuration's ``envFile``: node's dotenv, the Python and Go extensions.

    The two extensions read line by line and know ``\n`` in quotes, one of them in both kinds.
    """
    if not _IDENTIFIER.fullmatch(name) or _NO_VSCODE.search(value):
        return None
    if "\n" not in value and "'" not in value and not re.search(r"\\([nr$']|$)", value):
        return f"{name}='{value}'"
    if '"' in value or "\\" in value:
        return None
    escaped = value.replace("\n", "\\n")
    return f'{name}="{escaped}"'


def intellij(name: str, value: str) -> str | None:
    """For JetBrains' run configurations; one line, all between the outermost quotes is literal.

    Values of several lines need the format ``shell`` in a file that ends in ``.sh``.
    """
    if not _DOTTED.fullmatch(name) or "\n" in value or "\r" in value:
        return None
    return f"{name}='{value}'"


def docker(name: str, value: str) -> str | None:
    """For ``docker run --env-file``: everything behind the equals sign, no quotes."""
    line = f"{name}={value}"
    if not _DOCKER_NAME.fullmatch(name) or "\n" in value or value.endswith("\r"):
        return None
    return line if len(line.encode(errors="replace")) <= _DOCKER_LINE_BYTES else None


def compose(name: str, value: str) -> str | None:
    """For ``env_file`` of docker compose 2."""
    if not _DOTTED.fullmatch(name):
        return None
    escaped = re.sub(r'[\\"$]', r"\\\g<0>", value).replace("\r", "\\r")
    return f'{name}="{escaped}"'


def shell(name: str, value: str) -> str | None:
    """For ``.`` and ``source`` of a POSIX shell."""
    if not _IDENTIFIER.fullmatch(name) or name in _SHELL_OWN:
        return None
    quoted = value.replace("'", "'\\''")
    return f"export {name}='{quoted}'"


def fish(name: str, value: str) -> str | None:
    """For ``source`` of fish."""
    if not _IDENTIFIER.fullmatch(name) or name in _FISH_OWN:
        return None
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def powershell(name: str, value: str) -> str | None:
    """For ``.`` of PowerShell, which has no empty variables before 7.5."""
    if not _BRACED_NAME.fullmatch(name) or not value:
        return None
    return f"${{env:{name}}} = '{value.translate(_POWERSHELL_QUOTES)}'"


def json_object(variables: Mapping[str, str]) -> str:
    """Return one JSON object, in UTF-8."""
    return json.dumps(dict(variables), ensure_ascii=False, indent=2) + "\n"


def yaml_mapping(variables: Mapping[str, str]) -> str:
    """Return one YAML mapping: every scalar in double quotes, where JSON's escapes are YAML's."""
    lines = [f"{_yaml(name)}: {_yaml(value)}\n" for name, value in variables.items()]
    return "".join(lines) or "{}\n"


def _yaml(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _YAML_UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
