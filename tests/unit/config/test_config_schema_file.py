"""The committed JSON Schema: fresh, complete, and of one mind with the models."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from config_cases import ENVIRON, Case, cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tpconfig.config import codes, document
from tpconfig.config import jsonschema as generator
from tpconfig.config.load import load, validate
from tpconfig.config.nodes import MapNode
from tpconfig.config.schema import verbatim
from tpconfig.config.sources import flatten

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "tp.yaml.example"
STRUCTURE = {
    codes.UNKNOWN_KEY,
    codes.MISSING_KEY,
    codes.WRONG_TYPE,
    codes.WRONG_CHOICE,
    codes.BAD_VALUE,
    codes.OUT_OF_RANGE,
    codes.NO_VALUE,
}
"""What a schema can see; the rest is between keys, files and the machine."""


@cache
def schema() -> jsonschema.Draft202012Validator:
    """Return a validator of the committed schema."""
    return jsonschema.Draft202012Validator(
        json.loads(generator.COMMITTED.read_text(encoding="utf-8"))
    )


@cache
def built() -> dict[str, Any]:
    """Return the schema that the models generate, which takes long to do for each key."""
    return generator.build()


def raw(text: str) -> Any:
    """Return a document as an editor's validator sees it: YAML 1.2, nothing interpolated."""
    node, problems = document.parse(text.encode(), "telepresence.yaml")
    if node is None or problems:
        return None
    return flatten(node, lambda path: False)[0]


def models_accept(text: str) -> bool:
    """Say whether the models take a document, without the checks across the file."""
    node, problems = document.parse(text.encode(), "telepresence.yaml")
    assert not problems
    if node is None:
        return False
    if isinstance(node, MapNode):
        items = {key: item for key, item in node.items.items() if not key.startswith("x-")}
        node = MapNode(items, node.source, node.size)
    data, sources = flatten(node, verbatim)
    return not validate(data, sources)[1]


def test_committed_schema_is_fresh() -> None:
    """The committed schema is what the models generate: python -m tpconfig.config.jsonschema."""
    assert generator.COMMITTED.read_text(encoding="utf-8") == generator.text()


def test_schema_is_valid() -> None:
    """The schema is a schema of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(built())


def test_writing_makes_the_committed_text(tmp_path: Path) -> None:
    """The module's command line writes the schema to a given path."""
    generator.main([str(tmp_path / "new" / "schema.json")])
    assert (tmp_path / "new" / "schema.json").read_text(encoding="utf-8") == generator.text()


def properties(node: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk all keys that the schema knows."""
    if isinstance(node, dict):
        for name, one in node.get("properties", {}).items():
            yield f"{where}.{name}", one
        for name, one in node.get("$defs", {}).items():
            yield from properties(one, name)


@pytest.mark.parametrize(("name", "node"), list(properties(built())))
def test_every_key_is_explained(name: str, node: dict[str, Any]) -> None:
    """Every key has a description and an example."""
    assert node.get("description"), name
    assert node.get("examples"), name


@pytest.mark.parametrize(("name", "node"), list(properties(built())))
def test_every_example_is_valid(name: str, node: dict[str, Any]) -> None:
    """Every example of a key is a value that the key takes."""
    whole = {**built(), **node}
    for key in ("required", "properties", "additionalProperties", "patternProperties"):
        if key not in node:
            whole.pop(key, None)
    if "type" not in node:
        whole.pop("type")
    for example in [*node["examples"], *([node["default"]] if "default" in node else [])]:
        jsonschema.Draft202012Validator(whole).validate(example)


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.file}: {case.fact}")
def test_schema_agrees_with_the_cases(case: Case) -> None:
    """The schema accepts what the loader accepts, and refuses what is wrong in form."""
    data = raw(case.documents["telepresence.yaml"])
    if data is None or len(case.documents) > 1:
        return
    found = {line.split()[0] for line in case.expected if line.startswith("TP")}
    problems = found & STRUCTURE if not case.accepted else set()
    interpolated = "${" in case.documents["telepresence.yaml"]
    valid = schema().is_valid(data)
    assert valid if not problems else (not valid or interpolated)


def test_example_is_valid_for_the_schema() -> None:
    """The committed example is what the schema describes."""
    schema().validate(raw(EXAMPLE.read_text(encoding="utf-8")))


def test_example_loads() -> None:
    """The committed example is a valid file without a note."""
    assert load([EXAMPLE], cwd=ROOT, environ=ENVIRON).notes == ()


def test_example_shows_every_key() -> None:
    """Every key of the schema stands in the committed example."""
    shown: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            shown.update(value)
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)

    walk(raw(EXAMPLE.read_text(encoding="utf-8")))
    known = {name.rpartition(".")[2] for name, _ in properties(built())}
    assert known <= shown


def test_example_names_the_schema_for_editors() -> None:
    """The first line of the example tells editors where the schema is."""
    first = EXAMPLE.read_text(encoding="utf-8").partition("\n")[0]
    where = generator.COMMITTED.relative_to(ROOT)
    assert first == f"# yaml-language-server: $schema={where}"


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70000),
    st.sampled_from([0.5, 1.5, 99.9, 100.5, -0.1]),
    st.sampled_from(["", "x", "5s", "5", "80:80", "http", "/a", "a b", "deployment/x:c", "sts/y"]),
    st.sampled_from(["on", "true", "swap", "none", "SIGINT", "v2", "udp", "10.0.0.0/8", ":5"]),
    st.lists(st.sampled_from(["x", 80, "1:h:2", "a.b"]), max_size=2),
    st.dictionaries(st.sampled_from(["x", "name", "path", "local"]), st.just("a"), max_size=2),
)
KEYS = st.sampled_from(["x", "name", "namespace", "expose", "timeout", "x-y", "run"])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Walk the paths of all values."""
    yield path
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(one, (*path, key))


BASE = raw(
    EXAMPLE.read_text(encoding="utf-8")
    .replace("${USER}", "anna")
    .replace("${USER:-nobody}", "anna")
)
PATHS = [path for path in places(BASE) if path and path != ("version",)]


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """Draw the example with up to three changes: a value replaced, a key removed or added."""
    data = copy.deepcopy(BASE)
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from(PATHS))
        inside = data
        try:
            for part in parents:
                inside = inside[part]
            inside[last]
        except (KeyError, IndexError, TypeError):
            continue
        if not isinstance(inside, dict | list):
            continue
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                inside[last] = draw(ODD)
            case "remove":
                del inside[last]
            case "add" if isinstance(inside, dict):
                inside[draw(KEYS)] = draw(ODD)
            case _:
                inside.append(draw(ODD)) if isinstance(inside, list) else None
    return data


@settings(suppress_health_check=list(HealthCheck))
@given(changed())
def test_schema_and_models_agree(data: Any) -> None:
    """The schema and the models accept and refuse the same documents."""
    text = json.dumps(data)
    assert schema().is_valid(data) == models_accept(text), list(schema().iter_errors(data))
