"""The loaded file as text again: what ``tp config`` prints, and reads back as the same model.

Short forms come out long, variables with their values. Only what some file says is there; a path
that is asked for by name finds the defaults too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from tpconfig.config import scalars
from tpconfig.config.load import Loaded
from tpconfig.config.nodes import Path, dotted
from tpconfig.errors import UsageError
from tpconfig.source import Source
from tpconfig.suggest import nearest

_INDEX: Final = re.compile(r"\[(\d+)\]")
_DOLLAR: Final = re.compile(r"\$(?=[${])")


def written(loaded: Loaded) -> dict[str, Any]:
    """Return what the files say, as data in the file's own words."""
    model = loaded.file.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude_none=True
    )
    return {"version": model.pop("version"), **model}


def at(loaded: Loaded, path: str) -> Any:
    """Return the value at a path such as ``workloads.web.expose[0]``, defaults filled in.

    Raises:
        UsageError: the file has no such value.
    """
    found: Any = loaded.file.model_dump(mode="json", by_alias=True)
    gone: tuple[str, ...] = ()
    for part in _INDEX.sub(r".\1", path).split("."):
        match found:
            case dict() if part in found:
                found = found[part]
            case list() if part.isdecimal() and int(part) < len(found):
                found = found[int(part)]
            case _:
                raise _absent(found, part, ".".join(gone))
        gone = (*gone, part)
    return found


def origins(loaded: Loaded) -> Iterator[tuple[str, Any, Source | None]]:
    """Yield every single value with its path and the place where it was written."""
    for path, value in _leaves(written(loaded), ()):
        yield dotted(path), value, loaded.source_of(path)


def as_yaml(value: Any) -> str:
    """Return data as YAML that the loader reads as the same; a ``$`` is doubled where it must."""
    text: str = yaml.dump(
        _escaped(value),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
    )
    return text


def _absent(found: Any, part: str, parent: str) -> UsageError:
    where = f"`{parent}`" if parent else "the file"
    if isinstance(found, dict):
        guess = nearest(part, list(found))
        hint = f"did you mean `{guess}`?" if guess else f"it has: {', '.join(found) or 'nothing'}"
        return UsageError(f"{where} has no `{part}`", hint=hint)
    if isinstance(found, list):
        count = f"it has {len(found)} items, counted from 0"
        return UsageError(f"{where} has no item `{part}`", hint=count)
    return UsageError(f"{where} is a single value and has no `{part}`")


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if not isinstance(value, dict | list) or not value:
        yield path, value
        return
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for part, one in items:
        yield from _leaves(one, (*path, part))


def _escaped(value: Any) -> Any:
    match value:
        case dict():
            return {key: _escaped(one) for key, one in value.items()}
        case list():
            return [_escaped(one) for one in value]
        case str():
            return _DOLLAR.sub("$$", value)
        case _:
            return value


class _Dumper(yaml.SafeDumper):
    """Quotes what would not be text in YAML 1.2, and repeats instead of naming anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(scalars.resolve(text), str) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
