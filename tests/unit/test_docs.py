"""The pages: links lead somewhere, every command is told of, the files that they show load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tpconfig.cli.main import COMMANDS
from tpconfig.config.load import load

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(ROOT / name / "README.md" for name in ("changelog.d", "proxy-image", "tests/rig")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\[[^]]+]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)$", re.MULTILINE)
COMMAND = re.compile(r"\btp ([a-z]+(?:-[a-z]+)*)\b")


def page_id(page: Path) -> str:
    """Name a page in a test's id."""
    return str(page.relative_to(ROOT))


def links(page: Path) -> list[str]:
    """Return what a page links to, code left out."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return LINK.findall(CODE.sub("code", text))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"[^\w\- ]", "", one.lower()) for one in HEADING.findall(text))
    return {one.strip().replace(" ", "-") for one in plain}


def broken(page: Path, target: str) -> str | None:
    """Say what is wrong with a link, or nothing."""
    if "://" in target or target.startswith("mailto:"):
        return None
    path, _, anchor = target.partition("#")
    there = (page.parent / path).resolve() if path else page
    if not there.is_relative_to(ROOT):
        return f"{target} leads out of the repository"
    if not there.exists():
        return f"{target}: no such file"
    if anchor and anchor not in anchors(there):
        return f"{target}: no such heading"
    return None


def files_shown() -> list[tuple[str, str]]:
    """Return the YAML blocks of the pages, each with its place."""
    return [
        (f"{page_id(page)}:{text.count(chr(10), 0, block.start()) + 1}", block[2])
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for block in FENCE.finditer(text)
        if block[1] in ("yaml", "yml")
    ]


def completed(text: str) -> str:
    """Make a whole file of one that shows some keys: what must be there is added, no more."""
    if re.search(r"^(target|expose|env|volumes|run|mode|strategy):", text, re.MULTILINE):
        inside = "".join(f"    {line}\n" for line in text.splitlines())
        text = f"workloads:\n  web:\n{inside}"
    if "workloads:" in text and "target:" not in text:
        text = re.sub(r"^(  [\w-]+:)$", r"\1\n    target: deployment/web", text, flags=re.MULTILINE)
    return text if re.search(r"^version:", text, re.MULTILINE) else f"version: 1\n{text}"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Each relative link of a page names a file of the repository, and a heading in it."""
    assert [problem for one in links(page) if (problem := broken(page, one))] == []


def test_a_broken_link_is_seen() -> None:
    """No such file, no such heading, a path that leads out: each is named."""
    page = ROOT / "docs" / "cli.md"
    for target in ("nowhere.md", "#nowhere", "../README.md#nowhere", "../../elsewhere"):
        assert broken(page, target), target
    for target in ("#exit-codes", "../README.md#use-it", "https://example.com"):
        assert broken(page, target) is None, target


def test_every_command_is_told_of() -> None:
    """docs/cli.md has a line for each command of `tp --help`, in the same order."""
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`tp [a-z][^|]*) \|", text, re.MULTILINE)
    named = [re.findall(r"`(?:tp )?([a-z]+(?:-[a-z]+)*)\b", cell) for cell in cells]
    assert [name for row in named for name in dict.fromkeys(row)] == list(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_no_page_invents_a_command(page: Path) -> None:
    """What a page calls `tp COMMAND` in code is a command, but where it says that it is not."""
    lines = page.read_text(encoding="utf-8").splitlines()
    code = [span for line in lines if "not yet" not in line for span in CODE.findall(line)]
    called = {name for span in code for name in COMMAND.findall(span) if span[1:4] == "tp "}
    assert called <= set(COMMANDS)


def test_each_decision_has_a_number_of_its_own() -> None:
    """The files of docs/adr are numbered from 1 without a gap, as their titles are."""
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(one.name[:4]) for one in decisions] == list(range(1, len(decisions) + 1))
    for one in decisions:
        assert one.read_text(encoding="utf-8").startswith(f"# {int(one.name[:4])}. ")


def test_all_decisions_links_say_the_number_they_lead_to() -> None:
    """`[ADR 2](...)` leads to the decision with that number."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for number, target in re.findall(r"\[ADR (\d+)]\(([^)]+)\)", text):
            assert Path(target).name.startswith(f"{int(number):04}-"), f"{page_id(page)}: {target}"


@pytest.mark.parametrize(("place", "text"), files_shown(), ids=lambda one: one.split("\n")[0])
def test_every_file_shown_loads(place: str, text: str, tmp_path: Path) -> None:
    """Each YAML block of a page is a telepresence.yaml without a note, or some keys of one."""
    path = tmp_path / "project" / "telepresence.yaml"
    path.parent.mkdir()
    path.write_text(completed(text), encoding="utf-8")
    for folder in re.findall(r"\bcwd: ([\w./-]+)", text):
        (path.parent / folder).mkdir(exist_ok=True)
    for name in re.findall(r"[^][ ,]+", "".join(re.findall(r"^include: (.*)$", text, re.M))):
        included = path.parent / name
        included.parent.mkdir(exist_ok=True)
        included.write_text("# another file\n", encoding="utf-8")
    assert load([path], cwd=tmp_path, environ={"USER": "anna"}).notes == (), place
