"""Other tools' files, told apart by what is in them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tpconfig.config import document
from tpconfig.config.convert import compose, mirrord
from tpconfig.config.convert.draft import Draft
from tpconfig.config.limits import MAX_BYTES
from tpconfig.config.sources import flatten
from tpconfig.errors import ConfigError, UsageError

_KNOWN = (
    "understood are mirrord.json, mirrord-up.yaml, files of compose with x-tele, "
    "and -- telepresence OPTION..."
)


def convert(paths: Sequence[Path], names: Sequence[str]) -> Draft:
    """Return the file that does what another tool's does; compose's may be several.

    Raises:
        ConfigError: it is no YAML.
        UsageError: it cannot be read, or is of no tool that is known.
    """
    documents = [_document(path, name) for path, name in zip(paths, names, strict=True)]
    name = " ".join(names)
    if any(compose.is_meant(one) for one in documents):
        return compose.convert(documents, name)
    data = documents[0]
    if len(documents) > 1:
        raise UsageError("only files of compose lie over each other", hint=_KNOWN)
    is_up = isinstance(data, dict) and isinstance(data.get("services"), dict) and _runs(data)
    if not isinstance(data, dict) or not (is_up or {"target", "feature"} & data.keys()):
        raise UsageError(f"{name} is no file that tp convert understands", hint=_KNOWN)
    if not is_up:
        data.pop("services", None)
    return mirrord.convert(data, name)


def _document(path: Path, name: str) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}", hint=_KNOWN) from None
    return _read(content, name)


def _runs(data: dict[str, Any]) -> bool:
    return any(isinstance(one, dict) and "target" in one for one in data["services"].values())


def _read(content: bytes, name: str) -> Any:
    """Read JSON (with tabs, which YAML refuses), TOML or YAML."""
    try:
        if len(content) <= MAX_BYTES:
            text = content.decode("utf-8-sig")
            return tomllib.loads(text) if name.endswith(".toml") else json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        pass  # the YAML reader says what is wrong, with the place
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is no TOML: {error}") from None
    node, problems = document.parse(content, name)
    if problems:
        raise ConfigError(problems)
    return None if node is None else flatten(node, lambda path: False)[0]
