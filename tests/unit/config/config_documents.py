"""Draws whole files out of the JSON Schema: every form of every key, in any combination."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tpconfig.config import jsonschema

Schema = dict[str, Any]

TEXT = st.text(
    st.sampled_from("ab1.-_/ :#'\"\\{}[],&*!|>%@`?=~<\té≠𝄞$"), min_size=1, max_size=8
).filter(str.strip)
WORDS = st.sampled_from(["on", "no", "null", "~", "012", "1.10", "1e3", "0x1f", "12:30", "=", "<<"])
NUMBERS = st.integers(-3, 70000) | st.floats(-9, 9, allow_nan=False).map(lambda one: round(one, 3))


@cache
def files() -> st.SearchStrategy[Any]:
    """Return what draws a file that the schema accepts."""
    schema = jsonschema.build()
    return _of(schema, schema["$defs"])


def _of(node: Schema, defs: Schema) -> st.SearchStrategy[Any]:
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return st.deferred(lambda: _named(name))
    if "anyOf" in node:
        plain = [one for one in node["anyOf"] if not one.get("$ref", "").endswith("/Interpolated")]
        return st.one_of([_of(one, defs) for one in plain])
    if "enum" in node or "const" in node:
        return st.sampled_from(node.get("enum") or [node["const"]])
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return st.one_of([_of_type(kind, node, defs) for kind in kinds])


@cache
def _named(name: str) -> st.SearchStrategy[Any]:
    defs = jsonschema.build()["$defs"]
    return _of(defs[name], defs)


def _of_type(kind: str, node: Schema, defs: Schema) -> st.SearchStrategy[Any]:
    match kind:
        case "string":
            return _text(node)
        case "integer":
            return st.integers(node["minimum"], node["maximum"])
        case "number" if "maximum" in node:
            return st.integers(1, node["maximum"]) | st.just(0.5)
        case "number":
            return NUMBERS
        case "boolean":
            return st.booleans()
        case "array":
            first = [_of(one, defs) for one in node.get("prefixItems", ())]
            rest = st.lists(_of(node["items"], defs), max_size=2)
            return st.tuples(st.tuples(*first), rest).map(lambda both: [*both[0], *both[1]])
        case _:
            return _mapping(node, defs)


def _mapping(node: Schema, defs: Schema) -> st.SearchStrategy[Any]:
    known, needed = node.get("properties", {}), node.get("required", ())
    keys = {key: _of(one, defs) for key, one in known.items()}
    fixed = st.fixed_dictionaries(
        {key: keys[key] for key in needed},
        optional={key: one for key, one in keys.items() if key not in needed},
    )
    if not (named := {k: v for k, v in node.get("patternProperties", {}).items() if k != "^x-"}):
        return fixed
    ((pattern, one),) = named.items()
    return st.dictionaries(_matching(pattern), _of(one, defs), max_size=2)


def _text(node: Schema) -> st.SearchStrategy[str]:
    if "pattern" in node and node["pattern"] != "\\S":
        return _matching(node["pattern"])
    return TEXT | WORDS


@cache
def _matching(pattern: str) -> st.SearchStrategy[str]:
    """Draw what a pattern takes; Python's ``$`` would take a newline after it as well."""
    inside = pattern.removeprefix("^").removesuffix("$")
    found = st.from_regex(re.compile(inside, re.ASCII), fullmatch=True)
    return found.filter(lambda text: len(text) <= 80 and text.isprintable())
