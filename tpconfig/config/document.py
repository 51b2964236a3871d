"""YAML to a tree of nodes with positions, in bounded time and memory.

libyaml's events are built into nodes here: its own composer recurses (a deep file ends the
process), keeps the last of two equal keys silently, and resolves words as YAML 1.1 does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NoReturn, Protocol, cast

import yaml

from tpconfig.config import codes, limits, scalars
from tpconfig.config.nodes import Entry, ListNode, MapNode, Node, Overlaying, ScalarNode, Value
from tpconfig.config.reading import RefusedError, Text, decode
from tpconfig.errors import Problem
from tpconfig.source import Source

_TAG: Final = "tag:yaml.org,2002:"
_OVERLAYING: Final[Mapping[str, Overlaying]] = {"!reset": "reset", "!override": "override"}
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


_Tagged = yaml.ScalarEvent | yaml.CollectionStartEvent


class _Events(Protocol):
    """What libyaml's parser and PyYAML's own have in common."""

    def check_event(self) -> bool: ...
    def get_event(self) -> yaml.Event: ...


def parse(content: bytes, file: str) -> tuple[Node | None, list[Problem]]:
    """Read one document; ``None`` when the file is empty or cannot be read at all.

    Problems that leave the rest readable (a key that is there twice) are collected.
    """
    try:
        text = decode(content, file)
        reader = _Reader(text)
        return reader.document(), reader.problems
    except RefusedError as refused:
        return None, [refused.problem]


def _open_events(content: str) -> _Events:
    """Return libyaml's parser, or PyYAML's own where it was built without libyaml."""
    try:
        from yaml._yaml import CParser  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return _SlowParser(content)
    return cast(_Events, CParser(content))


class _Mark(Protocol):
    line: int
    column: int


class _SlowParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """The same events without libyaml, about twenty times slower."""

    def __init__(self, content: str) -> None:
        yaml.reader.Reader.__init__(self, content)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


class _Reader:
    """Builds the nodes of one file."""

    def __init__(self, text: Text) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._anchors: dict[str, Node | None] = {}
        self._values = 0
        self._next = self._events()

    def document(self) -> Node | None:
        """Build the file's one document."""
        node: Node | None = None
        documents = 0
        for event in self._next:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(codes.FOREIGN_YAML, "a second document starts here", event)
            elif isinstance(event, yaml.NodeEvent):
                node = self._node(event, 1)
        if isinstance(node, ScalarNode) and node.value is None and node.plain:
            return None
        return node

    def _events(self) -> Iterator[yaml.Event]:
        parser = _open_events(self._text.content)
        try:
            while parser.check_event():
                yield parser.get_event()
        except yaml.MarkedYAMLError as error:
            raise RefusedError(self._broken(error)) from None

    def _node(self, event: yaml.NodeEvent, depth: int) -> Node:
        """Build the node that starts with an event."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._count(1, event)
        if depth > limits.MAX_DEPTH:
            self._refuse(codes.TOO_LARGE, f"more than {limits.MAX_DEPTH} levels deep", event)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node: Node
        match event:
            case yaml.ScalarEvent():
                node = self._scalar(event)
            case yaml.SequenceStartEvent():
                self._check_tag(event, "seq")
                node = self._list(event, depth)
            case yaml.MappingStartEvent():
                self._check_tag(event, "map")
                node = self._map(event, depth)
            case _:  # pragma: no cover - the parser gives no other event here
                raise AssertionError(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            self._refuse(codes.NOT_YAML, f"there is no anchor `&{event.anchor}` above", event)
        node = self._anchors[event.anchor]
        if node is None:
            self._refuse(codes.TOO_LARGE, f"`*{event.anchor}` stands inside of itself", event)
        self._count(node.size, event)
        return node

    def _count(self, more: int, event: yaml.Event) -> None:
        self._values += more
        if self._values > limits.MAX_VALUES:
            message = f"the file comes to more than {limits.MAX_VALUES:,} values here"
            self._refuse(codes.TOO_LARGE, message, event)

    def _scalar(self, event: yaml.ScalarEvent) -> ScalarNode:
        source = self._range(event, event)
        if event.tag is None or event.tag == "!":
            plain = event.implicit[0] and event.tag is None
            value: Value = scalars.resolve(event.value) if plain else event.value
            return ScalarNode(value, event.value, plain, source)
        kind = event.tag.removeprefix(_TAG)
        if kind == "str":
            return ScalarNode(event.value, event.value, False, source)
        self._check_tag(event, "int", "float", "bool", "null")
        value = scalars.resolve(event.value)
        if kind == "float" and type(value) is int:
            value = float(value)
        if type(value).__name__.replace("NoneType", "null") != kind:
            self._refuse(codes.BAD_VALUE, f"`{event.value}` is not a `!!{kind}`", event)
        return ScalarNode(value, event.value, True, source)

    def _check_tag(self, event: _Tagged, *known: str) -> None:
        tag = event.tag
        if tag in (None, "!") or tag in {_TAG + kind for kind in known}:
            return
        shown = "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
        self._refuse(
            codes.FOREIGN_YAML, f"the tag `{shown}` is not known here", event, "remove the tag"
        )

    def _list(self, start: yaml.Event, depth: int) -> ListNode:
        items: list[Node] = []
        for event in self._next:
            if isinstance(event, yaml.SequenceEndEvent):
                size = 1 + sum(item.size for item in items)
                return ListNode(tuple(items), self._range(start, event), size)
            items.append(self._node(cast(yaml.NodeEvent, event), depth + 1))
        raise AssertionError("the parser ends every list")  # pragma: no cover

    def _map(self, start: yaml.Event, depth: int) -> MapNode:
        items: dict[str, Entry] = {}
        merged: list[tuple[Entry, yaml.Event]] = []
        for event in self._next:
            if isinstance(event, yaml.MappingEndEvent):
                for entry, at in merged:
                    self._merge(items, entry, at)
                size = 1 + sum(item.node.size for item in items.values())
                return MapNode(items, self._range(start, event), size)
            key, plain, place = self._key(event)
            following = self._following()
            merging = key == "<<" and plain
            overlaying = "merge" if merging else _overlaying(following)
            entry = Entry(place, self._node(following, depth + 1), overlaying)
            if merging:
                merged.append((entry, event))
            elif key in items:
                self._twice(key, items[key].key, place)
            else:
                items[key] = entry
        raise AssertionError("the parser ends every mapping")  # pragma: no cover

    def _following(self) -> yaml.NodeEvent:
        return cast(yaml.NodeEvent, next(self._next))

    def _key(self, event: yaml.Event) -> tuple[str, bool, Source]:
        """Return a key's text, whether it had no quotes, and its place; keys are text always."""
        if isinstance(event, yaml.AliasEvent):
            node = self._alias(event)
            if isinstance(node, ScalarNode):
                return node.text, False, self._range(event, event)
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(codes.FOREIGN_YAML, "a key must be a word", event)
        plain = event.implicit[0]
        if plain and event.value in _NULLS:
            self._refuse(codes.FOREIGN_YAML, "a key must be a word", event, "put it in quotes")
        place = self._range(event, event)
        if event.anchor is not None:
            self._anchors[event.anchor] = ScalarNode(event.value, event.value, plain, place)
        return event.value, plain, place

    def _merge(self, items: dict[str, Entry], entry: Entry, at: yaml.Event) -> None:
        """Carry out ``<<``: what the mapping says itself wins, then the first one named."""
        sources = entry.node.items if isinstance(entry.node, ListNode) else (entry.node,)
        for source in sources:
            if not isinstance(source, MapNode):
                self._refuse(codes.FOREIGN_YAML, "`<<` takes a mapping, or a list of them", at)
            for key, value in source.items.items():
                items.setdefault(key, value)

    def _twice(self, key: str, first: Source, second: Source) -> None:
        self.problems.append(
            Problem(
                codes.DUPLICATE_KEY,
                f"`{key}` is there twice",
                second,
                label="again here",
                related=(("first defined here", first),),
            )
        )

    def _range(self, start: yaml.Event, end: yaml.Event) -> Source:
        """Return the place of a node: all of it, or its first line."""
        first, last = cast(_Mark, start.start_mark), cast(_Mark, end.end_mark)
        line = first.line
        return self._text.at(line, first.column, last.column if last.line == line else None)

    def _refuse(
        self, code: str, message: str, event: yaml.Event, hint: str | None = None
    ) -> NoReturn:
        raise RefusedError(Problem(code, message, self._range(event, event), hint=hint))

    def _broken(self, error: yaml.MarkedYAMLError) -> Problem:
        """Turn the parser's error into ours; the hint looks at the characters at the place."""
        mark = error.problem_mark or error.context_mark
        if mark is None:
            return Problem(codes.NOT_YAML, f"{self._text.file} is not YAML: {error.problem}")
        place = self._text.at(mark.line, mark.column, mark.column + 1)
        related: tuple[tuple[str, Source], ...] = ()
        start = error.context_mark
        if start is not None and start.line != mark.line:
            related = ((error.context or "", self._text.at(start.line, start.column)),)
        return Problem(
            codes.NOT_YAML,
            f"not YAML: {error.problem}",
            place,
            label="here",
            hint=_hint(place) if not related else None,
            related=related,
        )


def _overlaying(event: yaml.NodeEvent) -> Overlaying:
    """Take ``!reset`` or ``!override`` off a value; what is left is read as without it."""
    overlaying = _OVERLAYING.get(getattr(event, "tag", None) or "", "merge")
    if overlaying != "merge" and isinstance(event, _Tagged):
        event.tag = None
        if isinstance(event, yaml.ScalarEvent):
            event.implicit = (not event.style, bool(event.style))
    return overlaying


def _hint(place: Source) -> str | None:
    """Guess what was meant from the characters at a place where YAML ends."""
    rest = place.text[place.column - 1 :]
    indent = place.text[: len(place.text) - len(place.text.lstrip())]
    if "\t" in indent:
        return "indent with spaces; YAML allows no tabs there"
    if "${" in place.text[max(0, place.column - 3) : place.column + 1]:
        return "put ${…} in quotes inside of { } and [ ]"
    if rest.startswith((":", "@", "`", "%", "*", "&", "!", "|", ">")):
        return "put the value in quotes"
    return None
