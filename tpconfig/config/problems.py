"""From pydantic's errors to ours: the place in the file, the words of a person, the nearest key.

pydantic's ``loc`` is a path into the models; what the document does not have of it (the parts of a
short form, the word ``[key]``) is left out, so that every error finds its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tpconfig.config import codes, fields, limits, scalars, shape
from tpconfig.config.nodes import Path, dotted
from tpconfig.config.sources import Sources
from tpconfig.errors import Problem
from tpconfig.source import Source
from tpconfig.suggest import did_you_mean, listed

_KEY: Final = "[key]"
_TYPES: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "`true` or `false`",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_RANGES: Final[Mapping[str, str]] = {
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than_equal": "must be {le:g} or less",
}
_SPOKEN: Final[Mapping[str, str]] = {
    "yes": "true",
    "on": "true",
    "y": "true",
    "no": "false",
    "off": "false",
    "n": "false",
}
"""Words that YAML 1.1 took for booleans."""

_UNQUOTED: Final = frozenset(_TYPES[kind] for kind in ("int_type", "float_type", "bool_type"))
"""What is text when it stands in quotes."""


class Fault(NamedTuple):
    """One error with the path that it is about."""

    path: Path
    problem: Problem


def translate(error: ValidationError, data: Any, sources: Sources) -> list[Fault]:
    """Return our problems for pydantic's errors, at most as many as anybody reads."""
    details = error.errors(include_url=False)
    return [_fault(detail, data, sources) for detail in details[: limits.MAX_PROBLEMS]]


def ordered(problems: Iterable[Problem]) -> list[Problem]:
    """Sort problems by place; those without one come first."""

    def place(problem: Problem) -> tuple[bool, str, int, int, str]:
        source = problem.source
        if source is None:
            return (False, "", 0, 0, problem.message)
        return (True, source.file, source.line, source.column, problem.message)

    return sorted(problems, key=place)


def _fault(detail: ErrorDetails, data: Any, sources: Sources) -> Fault:
    loc: Path = tuple(detail["loc"])
    about_key = bool(loc) and loc[-1] == _KEY
    path = loc[:-1] if about_key else loc
    kind, context = detail["type"], detail.get("ctx", {})
    source = sources.key_of(path) if about_key else sources.source_of(path)
    match kind:
        case "extra_forbidden":
            return Fault(path, _unknown(path, data, sources.key_of(path)))
        case "missing":
            return Fault(path, _missing(path, sources.key_of(path[:-1])))
        case "literal_error":
            return Fault(path, _choice(path, detail["input"], source))
        case fields.ERROR_VALUE:
            problem = _value(path, context, source)
        case fields.ERROR_TYPE:
            problem = _type(path, f"{context['expected']}", detail["input"], source)
        case "string_too_short":
            problem = Problem(codes.NO_VALUE, f"`{dotted(path)}` is empty", source)
        case _ if kind in _TYPES:
            problem = _type(path, _expected(path, kind), detail["input"], source)
        case _ if kind in _RANGES:
            said = _RANGES[kind].format(**context)
            problem = Problem(codes.OUT_OF_RANGE, f"`{dotted(path)}` {said}", source)
        case _:
            message = f"`{dotted(path)}`: {detail['msg'][:200]}"
            problem = Problem(codes.BAD_VALUE, message, source)
    return Fault(path, problem)


def _unknown(path: Path, data: Any, source: Source | None) -> Problem:
    """An unknown key: the nearest one here, or the place where this one belongs."""
    *parents, key = path
    parent = tuple(parents)
    where = f" in {dotted(parent)}" if parent else ""
    shown = str(key) if len(str(key)) <= 80 else f"{str(key)[:80]}…"
    section = shape.section_at(parent)
    known = list(shape.keys_of(section)) if section else []
    home = _home(str(key), parent)
    label = None if home else _nearest(str(key), known, data, parent)
    hint = home or (None if label else f"known here: {', '.join(known)}")
    return Problem(codes.UNKNOWN_KEY, f"unknown key `{shown}`{where}", source, label, hint)


def _nearest(key: str, known: list[str], data: Any, parent: Path) -> str | None:
    """Ask for the nearest key, one that is not there already if possible."""
    for part in parent:
        data = data[part]
    free = [word for word in known if word not in data]
    return did_you_mean(key, free) or did_you_mean(key, known)


def _home(key: str, parent: Path) -> str | None:
    """Name the section that a key belongs to: one around or inside of where it stands."""
    near = [home for home in shape.homes().get(key, ()) if _on_one_line(home, parent)]
    if not near:
        return None
    home = min(near, key=lambda one: abs(len(one) - len(parent)))
    filled = (*parent[: len(home)], *home[len(parent) :])
    name = dotted(tuple("NAME" if part == "*" else part for part in filled))
    return f"`{key}` belongs in `{name}`" if name else f"`{key}` belongs to the top of the file"


def _on_one_line(home: Path, parent: Path) -> bool:
    """Say whether one of two sections is inside of the other."""
    pairs = zip(home, parent, strict=False)
    return home != parent and all(
        one in ("*", other) or (isinstance(one, int) and isinstance(other, int))
        for one, other in pairs
    )


def _missing(path: Path, source: Source | None) -> Problem:
    *parents, key = path
    parent = dotted(tuple(parents))
    section = shape.section_at(tuple(parents))
    info = shape.keys_of(section).get(str(key)) if section else None
    example = f"for example `{key}: {info.examples[0]}`" if info and info.examples else None
    return Problem(
        codes.MISSING_KEY,
        f"`{key}` is missing" + (f" in {parent}" if parent else ""),
        source,
        label=f"add `{key}`",
        hint=example,
    )


def _choice(path: Path, value: Any, source: Source | None) -> Problem:
    words = shape.choices_at(path)
    name = dotted(path)
    if name == "version":
        message = f"version {_shown(value)} of the format is not known"
        label = "write it without quotes" if value == "1" else "this tp reads `1`"
        return Problem(codes.WRONG_CHOICE, message, source, label=label)
    guess = did_you_mean(value, words) if isinstance(value, str) else None
    return Problem(
        codes.WRONG_CHOICE,
        f"`{name}` cannot be {_shown(value)}",
        source,
        label=guess,
        hint=f"write {listed(words)}",
    )


def _value(path: Path, context: Mapping[str, Any], source: Source | None) -> Problem:
    message, hint = context["message"], context["hint"]
    return Problem(codes.BAD_VALUE, f"`{dotted(path)}`: {message}", source, label=hint or None)


def _type(path: Path, expected: str, value: Any, source: Source | None) -> Problem:
    label = None
    if expected == _TYPES["string_type"] and isinstance(value, int | float):
        label = "put it in quotes"
    elif expected == _TYPES["tuple_type"] and isinstance(value, str | int):
        label = f"write [{value}]" if len(str(value)) <= 40 else None
    elif isinstance(value, str):
        spoken = _SPOKEN.get(value.lower()) if expected == _TYPES["bool_type"] else None
        quoted = expected in _UNQUOTED and not isinstance(scalars.resolve(value), str)
        label = f"write `{spoken}`" if spoken else "write it without quotes" if quoted else None
    name = dotted(path) or "the file"
    found = _shown(value)
    return Problem(codes.WRONG_TYPE, f"`{name}` takes {expected}, not {found}", source, label=label)


def _expected(path: Path, kind: str) -> str:
    """Name what a section takes in its own words, everything else by type."""
    section = shape.section_at(path)
    if kind == "model_type" and section is not None:
        return str(getattr(section, "EXPECTED", _TYPES[kind]))
    return _TYPES[kind]


def _shown(value: Any) -> str:
    """Name a value shortly, in the file's words and not in Python's."""
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return f"`{str(value).lower()}`"
        case _:
            text = str(value)
            return f"`{text}`" if len(text) <= 60 else f"`{text[:60]}…`"
