"""The types of single values in the models: what is accepted, and how the JSON Schema shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from tpconfig.config import scalars, values
from tpconfig.config.nodes import Interpolated

ERROR_VALUE: Final = "tp_value"
"""The text is not what the key takes; the context has ``message`` and ``hint``."""

ERROR_TYPE: Final = "tp_type"
"""The value is of another type; the context has ``expected``."""

T = TypeVar("T")
Many = Annotated[tuple[T, ...], Strict(False)]
"""A list of the file: strict mode would want a tuple."""


class Section(BaseModel):
    """A mapping of the file: frozen, nothing converted, no key unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class Destination:
    """One rule of ``outbound``: a host pattern or a network, a port, or both."""

    text: str
    host: str | None = None
    network: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """A local port that arrives in the cluster, or a range of them."""

    text: str
    local: int
    host: str
    port: int
    bind: str = "127.0.0.1"
    local_end: int | None = None
    port_end: int | None = None

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Each local port with the one that it arrives at."""
        local = range(self.local, (self.local_end or self.local) + 1)
        return list(zip(local, range(self.port, (self.port_end or self.port) + 1), strict=False))


def value_error(problem: values.ValueProblem) -> PydanticCustomError:
    """Turn a problem of ``values`` into what a validator may raise."""
    context = {"message": problem.message, "hint": problem.hint or ""}
    return PydanticCustomError(ERROR_VALUE, "{message}", context)


def type_error(expected: str) -> PydanticCustomError:
    """Say what a key takes when the value is something else."""
    return PydanticCustomError(ERROR_TYPE, "expected {expected}", {"expected": expected})


def short(read: Callable[[str], dict[str, Any]], *, numbers: bool = False) -> Callable[[Any], Any]:
    """Return a validator that reads a text into a mapping, and leaves everything else alone."""

    def expand(value: Any) -> Any:
        if not isinstance(value, str) and not (numbers and type(value) is int):
            return value
        try:
            return read(str(value))
        except values.ValueProblem as problem:
            raise value_error(problem) from None

    return expand


def one_word(
    read: Callable[[str], T], pattern: str, expected: str, *, write: Callable[[T], str]
) -> Any:
    """Return the annotations of a value that is text in the file and something else here."""

    def parse(value: Any) -> T:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        elif not isinstance(value, str):
            raise type_error(expected)
        try:
            return read(value)
        except values.ValueProblem as problem:
            raise value_error(problem) from None

    return PlainValidator(parse), PlainSerializer(write, return_type=str), text_schema(pattern)


def text_schema(pattern: str) -> WithJsonSchema:
    """Return the JSON Schema of a text that matches as a whole."""
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$"})


def _matching(pattern: str, expected: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            shown = value if len(value) <= 80 else value[:80] + "…"
            message = f"`{shown}` is not {expected}" if value else f"expected {expected}"
            raise value_error(values.ValueProblem(message))
        return value

    return AfterValidator(check)


def _uninterpolated(value: Any) -> Any:
    """Give ``${PORT}`` without quotes the type that its text would have had in the file."""
    return scalars.resolve(value) if isinstance(value, Interpolated) else value


def _destination(text: str) -> Destination:
    return Destination(text=text, **values.destination(text))


def _forward(text: str) -> Forward:
    return Forward(text=text, **values.forward(text))


def _cluster_port(value: Any) -> int | str:
    """Take a container's port by number or by name."""
    if type(value) is not int and not isinstance(value, str):
        raise type_error("a port's number or name")
    text = str(value)
    try:
        return text if re.fullmatch(values.PORT_NAME, text) else values.port(text)
    except values.ValueProblem as problem:
        raise value_error(problem) from None


def _command(value: Any) -> str | tuple[str, ...]:
    """Take a command line as one text or as a list of words."""
    if isinstance(value, str):
        if not value.strip():
            raise value_error(values.ValueProblem("the command is empty"))
        return str(value)
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise type_error('a command such as "npm start" or [npm, start]')
    if not value or not value[0]:
        raise value_error(values.ValueProblem("the command is empty"))
    return tuple(str(word) for word in value)


def _plain_command(command: str | tuple[str, ...]) -> str | list[str]:
    """Write a command as the file has it."""
    return command if isinstance(command, str) else list(command)


Text = Annotated[str, Field(min_length=1)]
Flag = Annotated[bool, BeforeValidator(_uninterpolated)]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(_uninterpolated)]
Percent = Annotated[
    float, Field(gt=0, le=100, allow_inf_nan=False), BeforeValidator(_uninterpolated)
]
Seconds = Annotated[
    float,
    *one_word(
        values.duration_s,
        values.DURATION,
        "a duration such as 10s or 5m",
        write=values.duration_text,
    ),
]
"""A duration of the file (``1m30s``), in seconds."""

ClusterPort = Annotated[
    int | str,
    PlainValidator(_cluster_port),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {"type": "string", "pattern": f"^(?:{values.PORT}|{values.PORT_NAME})$"},
            ]
        }
    ),
]

Namespace = Annotated[str, _matching(values.LABEL, "a namespace's name"), text_schema(values.LABEL)]
ContainerName = Annotated[
    str, _matching(values.LABEL, "a container's name"), text_schema(values.LABEL)
]
ObjectName = Annotated[
    str, _matching(values.SUBDOMAIN, "a name of Kubernetes"), text_schema(values.SUBDOMAIN)
]
NAME: Final = "[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
Name = Annotated[
    str, _matching(NAME, "a name of letters, digits, `-`, `_` and `.`"), text_schema(NAME)
]
VARIABLE: Final = "[^=\\x00-\\x20]+"
Variable = Annotated[str, _matching(VARIABLE, "a variable's name"), text_schema(VARIABLE)]
HEADER: Final = "[A-Za-z0-9!#$%&'*+.^_`|~-]+"
Header = Annotated[str, _matching(HEADER, "a header's name"), text_schema(HEADER)]
ABSOLUTE: Final = "/[^\\x00]*"
AbsolutePath = Annotated[str, _matching(ABSOLUTE, "an absolute path"), text_schema(ABSOLUTE)]
URL: Final = "https?://[^\\s/]+(?:/[^\\s]*)?"
Url = Annotated[str, _matching(URL, "an http:// or https:// address"), text_schema(URL)]
SSH_HOST: Final = "[A-Za-z0-9_:.][A-Za-z0-9_:.%-]*"
SshHost = Annotated[str, _matching(SSH_HOST, "a host, as ssh knows it"), text_schema(SSH_HOST)]
HOST_KEY: Final = r"known|accept-new|(?:ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/]{40,}={0,2}(?: .*)?"
HostKey = Annotated[
    str,
    _matching(HOST_KEY, "`known`, `accept-new`, or a public key such as `ssh-ed25519 AAAA…`"),
    text_schema(HOST_KEY),
]

_WORD_SCHEMA: Final = WithJsonSchema({"type": ["string", "number", "boolean"]})
Verbatim = Annotated[str, _WORD_SCHEMA]
"""A value whose text counts (``1.10``, ``True``, ``010``), see ``verbatim``."""

DestinationText = Annotated[
    Destination,
    *one_word(
        _destination,
        values.DESTINATION,
        "a host, an address, a CIDR or :PORT, as text",
        write=attrgetter("text"),
    ),
]
ForwardText = Annotated[
    Forward,
    *one_word(
        _forward, values.FORWARD, "[BIND:]LOCAL:HOST:PORT, as text", write=attrgetter("text")
    ),
]
Command = Annotated[
    str | tuple[str, ...],
    PlainValidator(_command),
    PlainSerializer(_plain_command),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "number", "boolean"], "pattern": "\\S"},
                {
                    "type": "array",
                    "prefixItems": [{"type": ["string", "number", "boolean"], "minLength": 1}],
                    "items": {"type": ["string", "number", "boolean"]},
                    "minItems": 1,
                },
            ]
        }
    ),
]

METHODS: Final = ("auto", "namespace", "inject", "vpn", "container", "none")
OLD_METHODS: Final = {
    "vpn-tcp": "vpn",
    "inject-tcp": "inject",
    "docker": "container",
    "docker-run": "container",
}
"""Telepresence 1's words, and ours."""


def _new_method(value: Any) -> Any:
    return OLD_METHODS.get(value, value) if isinstance(value, str) else value


Method = Annotated[
    Literal["auto", "namespace", "inject", "vpn", "container", "none"],
    BeforeValidator(_new_method),
    WithJsonSchema({"type": "string", "enum": [*METHODS, *OLD_METHODS]}),
]


def _new_kind(value: Any) -> Any:
    """Take a kind as kubectl and manifests write it."""
    if not isinstance(value, str):
        raise type_error("the name of a kind, such as deployment")
    try:
        return values.kind_of(value)
    except values.ValueProblem as problem:
        raise value_error(problem) from None


Kind = Annotated[
    str,
    PlainValidator(_new_kind),
    WithJsonSchema({"type": "string", "enum": list(values.SPELLINGS)}),
]
