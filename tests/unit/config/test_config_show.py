"""What ``tp config`` prints is a file again."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from config_cases import ENVIRON, Case, cases

from tpconfig.cli.main import tp
from tpconfig.config import show
from tpconfig.config.load import Loaded, load
from tpconfig.errors import UsageError

ACCEPTED = [case for case in cases() if case.accepted]


def loaded_from(folder: Path, text: str, override: str | None = None) -> Loaded:
    """Load a file with an override beside it."""
    (folder / "telepresence.yaml").write_text(text, encoding="utf-8")
    if override is not None:
        (folder / "telepresence.override.yaml").write_text(override, encoding="utf-8")
    return load(cwd=folder, environ=ENVIRON)


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: f"{case.file}: {case.fact}")
def test_what_is_printed_reads_as_the_same(case: Case, tmp_path: Path) -> None:
    """Every valid file survives being printed and read again."""
    case.write(tmp_path)
    first = load(cwd=tmp_path, environ=ENVIRON)
    again = tmp_path / "again.yaml"
    again.write_text(show.as_yaml(show.written(first)), encoding="utf-8")
    assert load([again], cwd=tmp_path, environ={}).file == first.file


@pytest.mark.parametrize("text", ["$", "$$", "$${", "$$$", "${A}", "0o10", "1.10", "on", "", "~"])
def test_a_text_survives(text: str, tmp_path: Path) -> None:
    """A text that looks like a variable or a number comes back as it was."""
    data = {"version": 1, "workloads": {"a": {"target": "deployment/a"}}}
    data["workloads"]["a"]["env"] = {"set": {"A": text}}  # type: ignore[index]
    assert loaded_from(tmp_path, show.as_yaml(data)).file.workloads["a"].env.set == {"A": text}


def test_every_value_has_its_origin(tmp_path: Path) -> None:
    """Each value names the file and the place that it came from."""
    base = "version: 1\ncluster: {context: dev, namespace: shop}\n"
    loaded = loaded_from(tmp_path, base, "cluster: {namespace: anna}\n")
    assert [(path, value, str(place)) for path, value, place in show.origins(loaded)] == [
        ("version", 1, "telepresence.yaml:1:10"),
        ("cluster.context", "dev", "telepresence.yaml:2:20"),
        ("cluster.namespace", "anna", "telepresence.override.yaml:1:22"),
    ]


FILE = "version: 1\nworkloads: {web: {target: deployment/web, expose: [80, 3000:http]}}\n"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("session.ttl", "60s"),
        ("workloads.web.expose[1].cluster", "http"),
        ("workloads.web.expose.0.local", 80),
        ("cluster.context", None),
    ],
)
def test_a_path_finds_its_value(path: str, value: object, tmp_path: Path) -> None:
    """A path finds what the file says, and the default of what it does not."""
    assert show.at(loaded_from(tmp_path, FILE), path) == value


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("workloads.wev", "`workloads` has no `wev`", "did you mean `web`?"),
        ("workloads.web.expose[2]", "no item `2`", "it has 2 items, counted from 0"),
        ("version.x", "`version` is a single value and has no `x`", None),
    ],
)
def test_a_wrong_path_is_named(path: str, message: str, hint: str | None, tmp_path: Path) -> None:
    """A path that leads nowhere says where it ends and what is there."""
    with pytest.raises(UsageError, match=message.replace("[", r"\[")) as caught:
        show.at(loaded_from(tmp_path, FILE), path)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["config", "get", "session.ttl"], "60s\n"),
        (["config", "get", "--json", "session.ttl"], '"60s"\n'),
        (["--json", "config", "get", "workloads.web.expose[0].local"], "80\n"),
        (["config", "--origins"], "version = 1 "),
        (["config"], "version: 1\nworkloads:\n  web:\n    target:\n      kind: deployment\n"),
        (["config", "schema"], '{\n  "$schema": '),
    ],
)
def test_the_command_prints(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command prints the result, one value, or the schema on standard output."""
    (tmp_path / "telepresence.yaml").write_text(FILE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(tp, arguments)
    assert result.exit_code == 0
    assert result.stdout.startswith(said)


def test_a_broken_file_ends_with_its_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not valid is shown with what is wrong, and exit code 2."""
    (tmp_path / "telepresence.yaml").write_text("version: 1\nnam: x\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(tp, ["config"])
    assert result.exit_code == 2
    assert "telepresence.yaml:2:1" in result.stderr
    assert "did you mean `name`?" in result.stderr


def test_the_page_on_overlays_tells_the_truth(tmp_path: Path) -> None:
    """The override of docs/overlays.md does to a team's file what the page says."""
    page = (Path(__file__).parents[3] / "docs" / "overlays.md").read_text(encoding="utf-8")
    override = page.partition("```yaml\n")[2].partition("```")[0]
    base = (
        "version: 1\nworkloads:\n  dashboard:\n    target: deployment/ui\n    volumes: none\n"
        "    expose: [80, 81]\n    env: {set: {A: one}}\n"
    )
    loaded = loaded_from(tmp_path, base, override)
    web = loaded.file.workloads["dashboard"]
    assert [(one.local, one.cluster) for one in web.expose or ()] == [(3001, 8080)]
    assert web.env.set == {"LOG_LEVEL": "debug"}
    assert show.at(loaded, "workloads.dashboard.volumes.mode") == "mount"
    place = loaded.source_of(("cluster", "namespace"))
    assert f'cluster.namespace = "anna"                   # {place}' in page
