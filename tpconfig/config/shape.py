"""What the models look like at a path: the keys that are known there, the words that are accepted.

Errors name them, so they are read from the models and never out of an error's text.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from tpconfig.config.fields import Section
from tpconfig.config.nodes import Path
from tpconfig.config.schema import File


def keys_of(model: type[Section]) -> dict[str, FieldInfo]:
    """Return a model's fields under the names that the file has for them."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def annotation_at(path: Path) -> Any:
    """Return the type at a path of the document, or ``None`` where the models have none."""
    annotation: Any = File
    for part in path:
        annotation = _inside(annotation, part)
        if annotation is None:
            return None
    return bare(annotation)


def section_at(path: Path) -> type[Section] | None:
    """Return the model at a path, if there is one."""
    annotation = annotation_at(path)
    is_section = isinstance(annotation, type) and issubclass(annotation, Section)
    return annotation if is_section else None


def choices_at(path: Path) -> tuple[str, ...]:
    """Return the words that a key takes; none where it takes any."""
    annotation = annotation_at(path)
    if get_origin(annotation) is not Literal:
        return ()
    return tuple(str(word) for word in get_args(annotation))


def is_list(annotation: Any) -> bool:
    """Say whether a type is a list of the file."""
    return get_origin(annotation) is tuple


@cache
def homes() -> dict[str, tuple[Path, ...]]:
    """Return every key with the sections that know it; ``*`` is any name, 0 any item."""
    found: dict[str, tuple[Path, ...]] = {}
    for path, model in sections(File, ()):
        for key in keys_of(model):
            found[key] = (*found.get(key, ()), path)
    return found


def sections(annotation: Any, path: Path) -> Iterator[tuple[Path, type[Section]]]:
    """Walk all sections that a type holds, in the file's order; ``*`` is any name, 0 any item."""
    annotation = bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield path, annotation
        for key, info in keys_of(annotation).items():
            yield from sections(info.annotation, (*path, key))
    elif get_origin(annotation) is dict or is_list(annotation):
        part: str | int = 0 if is_list(annotation) else "*"
        yield from sections(_inside(annotation, part), (*path, part))


def _inside(annotation: Any, part: str | int) -> Any:
    """Return the type of one part of a value."""
    annotation = bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        info = keys_of(annotation).get(str(part))
        return info.annotation if info else None
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    return get_args(annotation)[0] if is_list(annotation) else None


def bare(annotation: Any) -> Any:
    """Take a type out of ``Annotated`` and ``| None``."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType) and type(None) in get_args(annotation):
            rest = [arg for arg in get_args(annotation) if arg is not type(None)]
            if len(rest) != 1:
                return annotation
            annotation = rest[0]
        elif origin is not None and not isinstance(origin, type) and hasattr(origin, "__value__"):
            annotation = origin.__value__[get_args(annotation)]
        else:
            return annotation
