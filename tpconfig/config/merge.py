"""Overlays: how a later file changes an earlier one.

Mappings merge key by key, lists and single values replace. So a short form (``target:
deployment/x``) replaces a long one and the other way round, and a list is never guessed together.
Every value keeps the place where it was written, in whichever file.
"""

from __future__ import annotations

from dataclasses import replace

from tpconfig.config.nodes import Entry, MapNode, Node


def overlay(base: Node, later: Node) -> Node:
    """Return ``base`` with everything that ``later`` says."""
    if not isinstance(base, MapNode) or not isinstance(later, MapNode):
        return later
    items = dict(base.items)
    for key, entry in later.items.items():
        known = items.get(key)
        items[key] = entry if known is None else _merged(known, entry)
    size = 1 + sum(entry.node.size for entry in items.values())
    return replace(base, items=items, size=size)


def _merged(base: Entry, later: Entry) -> Entry:
    """Merge two values of one key; a mapping that is only added to stays where it was."""
    node = overlay(base.node, later.node)
    key = base.key if isinstance(base.node, MapNode) and isinstance(node, MapNode) else later.key
    return Entry(key, node)
