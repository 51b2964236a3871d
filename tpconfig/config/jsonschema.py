"""The JSON Schema of the file, made from the models, so that an editor explains what is typed.

``python -m tpconfig.config.jsonschema [PATH]`` writes it; a test fails when the committed one is
stale.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

from tpconfig.config.schema import File

COMMITTED: Final = Path(__file__).parents[2] / "schemas" / "telepresence.schema.json"
_INTERPOLATED: Final = "Interpolated"
_ANNOTATIONS: Final = ("description", "examples", "default")


def text() -> str:
    """Return the schema as it is committed."""
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def build() -> dict[str, Any]:
    """Return the schema of the whole file, draft 2020-12."""
    made = File.model_json_schema(mode="validation", by_alias=True)
    definitions = {name: _tidy(one) for name, one in sorted(made.pop("$defs").items())}
    definitions[_INTERPOLATED] = {
        "description": "A value with ${VAR}, ${VAR:-default} or ${VAR:?message} in it.",
        "type": "string",
        "pattern": r"\$\{",
    }
    top = _tidy(made)
    top["properties"]["version"] = _bare_version(top["properties"]["version"])
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": "telepresence.yaml",
        **top,
        "patternProperties": {"^x-": {"description": "Yours: a place for anchors. Not read."}},
        "$defs": definitions,
    }


def _tidy(schema: Any) -> Any:
    """Make a generated schema say what the loader does.

    No null is a value, no key is unknown, titles that repeat the key go, and ``${…}`` may stand
    for every single value.
    """
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _inner(key, value) for key, value in schema.items() if key != "title"}
    if made.get("default", ()) in (None, []):
        del made["default"]
    if "patternProperties" in made:
        made["additionalProperties"] = False
    if "anyOf" in made:
        made["anyOf"] = _flat([one for one in made["anyOf"] if one != {"type": "null"}])
        if len(made["anyOf"]) == 1:
            made |= made.pop("anyOf")[0]
    return _or_interpolated(made) if _is_word(made) else made


def _inner(key: str, value: Any) -> Any:
    """Tidy what is a schema, and leave examples, defaults and patterns alone."""
    if key in ("properties", "patternProperties"):
        return {name: _tidy(one) for name, one in value.items()}
    return (
        _tidy(value) if key in ("anyOf", "items", "prefixItems", "additionalProperties") else value
    )


def _is_word(schema: dict[str, Any]) -> bool:
    """Say whether a schema is of a single value that not every text satisfies."""
    types = schema.get("type")
    limited = {"pattern", "enum", "const"} & schema.keys()
    return types in ("integer", "number", "boolean") or (types == "string" and bool(limited))


def _or_interpolated(schema: dict[str, Any]) -> dict[str, Any]:
    """Allow ``${…}`` in place of a value; what explains the key stays outside."""
    about: dict[str, Any] = {key: schema.pop(key) for key in _ANNOTATIONS if key in schema}
    return {**about, "anyOf": [schema, {"$ref": f"#/$defs/{_INTERPOLATED}"}]}


def _flat(choices: list[Any]) -> list[Any]:
    """Draw nested choices together, each once."""
    flat: list[Any] = []
    for choice in choices:
        for one in choice["anyOf"] if set(choice) == {"anyOf"} else [choice]:
            if one not in flat:
                flat.append(one)
    return flat


def _bare_version(schema: dict[str, Any]) -> dict[str, Any]:
    """Take the one key that is read before anything else out of the interpolation."""
    return {**{k: v for k, v in schema.items() if k != "anyOf"}, **schema["anyOf"][0]}


def main(arguments: list[str]) -> None:
    """Write the schema to the given path, or where it is committed."""
    path = Path(arguments[0]) if arguments else COMMITTED
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
