"""Overlays: how a later file changes an earlier one.

Mappings merge key by key, lists and single values replace. So a short form (``target:
deployment/x``) replaces a long one and the other way round, and a list is never guessed together.
``!override`` replaces a mapping too, ``!reset`` takes a key away as if no file had it. Every value
keeps the place where it was written, in whichever file.
"""

from __future__ import annotations

from dataclasses import replace

from tpconfig.config.nodes import Entry, ListNode, MapNode, Node


def overlay(base: Node, later: Node) -> Node:
    """Return ``base`` with everything that ``later`` says; ``settle`` the last result."""
    if not isinstance(base, MapNode) or not isinstance(later, MapNode):
        return later
    items = dict(base.items)
    for key, entry in later.items.items():
        known = items.get(key)
        items[key] = entry if known is None else _merged(known, entry)
    size = 1 + sum(entry.node.size for entry in items.values())
    return replace(base, items=items, size=size)


def settle(node: Node) -> Node:
    """Return a tree without the keys that were reset, for when all files are laid over it.

    What has none is the same node as before: most of a large file is not written anew.
    """
    match node:
        case MapNode():
            kept = {
                key: _settled(entry)
                for key, entry in node.items.items()
                if entry.overlaying != "reset"
            }
            same = len(kept) == len(node.items) and all(
                entry is node.items[key] for key, entry in kept.items()
            )
            return node if same else replace(node, items=kept)
        case ListNode():
            items = tuple(settle(item) for item in node.items)
            same = all(new is old for new, old in zip(items, node.items, strict=True))
            return node if same else replace(node, items=items)
        case _:
            return node


def _settled(entry: Entry) -> Entry:
    node = settle(entry.node)
    return entry if node is entry.node else replace(entry, node=node)


def _merged(base: Entry, later: Entry) -> Entry:
    """Merge two values of one key; a mapping that is only added to stays where it was."""
    over = (base.key, *base.over)
    if later.overlaying != "merge" or base.overlaying == "reset":
        return replace(later, over=over)
    if isinstance(base.node, MapNode) and isinstance(later.node, MapNode):
        return Entry(base.key, overlay(base.node, later.node), over=base.over)
    return Entry(later.key, later.node, over=over)
