"""Whole files drawn out of the schema: the models take them, and write them so that they stay."""

from __future__ import annotations

import json
from typing import Any

from config_documents import files
from hypothesis import HealthCheck, given, settings

from tpconfig.config import document, show
from tpconfig.config.interpolate import Interpolation
from tpconfig.config.load import validate
from tpconfig.config.schema import File, verbatim
from tpconfig.config.sources import flatten


def read(text: str, *, interpolated: bool = False) -> File:
    """Read a file into the models; nothing across it is checked."""
    node, problems = document.parse(text.encode(), "telepresence.yaml")
    assert node is not None, problems
    assert problems == []
    if interpolated:
        node = Interpolation(dict).apply(node)
    file, wrong = validate(*flatten(node, verbatim))
    assert file is not None, [problem.message for problem in wrong]
    return file


@settings(suppress_health_check=list(HealthCheck), max_examples=settings().max_examples // 4)
@given(files())
def test_a_file_of_the_schema_survives_the_models(data: Any) -> None:
    """The models accept what the schema describes, and what they write of it is the same to them.

    Both ways of writing: YAML, as `tp config` prints it, and JSON.
    """
    file = read(json.dumps(data, ensure_ascii=False))
    written = file.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert read(show.as_yaml(written), interpolated=True) == file
    assert read(json.dumps(written, ensure_ascii=False)) == file
