"""docs/config.md: made from the models, whole, and up to date."""

from __future__ import annotations

from tpconfig.config import reference, shape
from tpconfig.config.schema import File


def test_the_committed_page_is_up_to_date() -> None:
    """`python -m tpconfig.config.reference` writes what is committed."""
    assert reference.COMMITTED.read_text(encoding="utf-8") == reference.text()


def test_every_key_has_a_row() -> None:
    """Each key of each section stands in its table, with an example."""
    text = reference.text()
    tables = text.split("\n## ")
    for path, model in shape.sections(File, ()):
        title = reference.heading(path)
        (table,) = [one for one in tables if one.startswith(f"{title}\n")]
        for key in shape.keys_of(model):
            assert f"\n| `{key}` | " in table, (title, key)
        assert table.count("Example: ") == len(shape.keys_of(model)), title


def test_what_has_no_engine_is_marked() -> None:
    """The page does not promise what `plan` would refuse."""
    rows = {line.split("`")[1]: line for line in reference.text().splitlines() if "| `" in line}
    assert "*Not yet.*" in rows["percent"]
    assert "*Not yet" not in rows["target"]
