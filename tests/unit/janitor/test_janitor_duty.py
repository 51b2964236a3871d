"""The janitor on a clock that only moves when it waits, against an API that remembers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tpconfig import names
from tpconfig.janitor import api
from tpconfig.janitor.duty import Janitor

Object = dict[str, Any]
LEASE, WEB = (
    "/apis/coordination.k8s.io/v1/namespaces/shop/leases/tp-ours",
    ("/apis/apps/v1/namespaces/shop/deployments/web"),
)
OURS = {names.LABEL_SESSION: "ours"}
RESTORE = {
    "metadata": {"labels": {names.LABEL_SESSION: None}},
    "spec": {"replicas": 2},
}


def swapped(**metadata: Any) -> Object:
    """Return a claimed Deployment that is scaled to 0."""
    note = {names.ANNOTATION_RESTORE: json.dumps(RESTORE)}
    return {
        "metadata": {"labels": dict(OURS), "annotations": note, **metadata},
        "spec": {"replicas": 0},
    }


def lease(**notes: str) -> Object:
    """Return a Lease of 60 s that names one target."""
    touched = {names.ANNOTATION_TOUCHED: '["deployment/web"]', names.ANNOTATION_RECONNECT: "300"}
    return {
        "metadata": {"name": "tp-ours", "uid": "u", "annotations": {**touched, **notes}},
        "spec": {"leaseDurationSeconds": 60, "renewTime": "0"},
    }


@dataclass
class World:
    """A few objects, a clock, and what happens at which second."""

    objects: dict[str, Object] = field(default_factory=lambda: {LEASE: lease(), WEB: swapped()})
    now_s: float = 0.0
    due: list[tuple[float, Any]] = field(default_factory=list)
    version: int = 0
    down: bool = False
    log: list[tuple[float, str]] = field(default_factory=list)
    writes: list[tuple[str, str]] = field(default_factory=list)

    def at(self, second: float, do: Any) -> None:
        """Have something happen."""
        self.due = sorted([*self.due, (second, do)], key=lambda one: one[0])

    def renew(self) -> None:
        """Be the session."""
        self.objects[LEASE]["spec"]["renewTime"] = str(self.now_s)
        self._touch(LEASE)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._pass(self.now_s + seconds, until_change=False)

    def get(self, path: str) -> Object | None:
        self._reach()
        if path not in self.objects:
            return None
        found: Object = json.loads(json.dumps(self.objects[path]))
        found["metadata"].setdefault("resourceVersion", "0")
        return found

    def patch(self, path: str, body: Object) -> Object:
        self._reach()
        there = self.objects[path]
        wanted = body.get("metadata", {}).pop("resourceVersion", None)
        if wanted not in (None, there["metadata"].get("resourceVersion", "0")):
            raise api.RefusedError(409, "it is another version")
        self.writes.append((path.rpartition("/")[2], json.dumps(body, sort_keys=True)))
        _merge(there, body)
        self._touch(path)
        return self.get(path) or {}

    def delete(self, path: str, *, uid: str, version: str) -> None:
        self._reach()
        if self.objects[path]["metadata"].get("resourceVersion", "0") != version:
            raise api.RefusedError(409, "it is another version")
        del self.objects[path]

    def wait_for_change(self, collection: str, name: str, version: str, within_s: float) -> None:
        self._reach()
        self._pass(self.now_s + within_s, until_change=True)

    def _reach(self) -> None:
        if self.down:
            raise ConnectionRefusedError

    def _touch(self, path: str) -> None:
        self.version += 1
        self.objects[path]["metadata"]["resourceVersion"] = str(self.version)

    def _pass(self, until_s: float, *, until_change: bool) -> None:
        before = self.version
        while self.due and self.due[0][0] <= until_s:
            self.now_s, do = self.due.pop(0)
            do()
            if until_change and (self.version != before or self.down):
                return
        self.now_s = until_s


def _merge(there: Object, patch: Object) -> None:
    for key, value in patch.items():
        if isinstance(value, dict):
            _merge(there.setdefault(key, {}), value)
        elif value is None:
            there.pop(key, None)
        else:
            there[key] = value


def watch(world: World, until_s: float, janitor: Janitor | None = None) -> Janitor:
    """Let a janitor watch until some second, or until the Lease is gone."""

    def note(event: str, **_: object) -> None:
        world.log.append((round(world.now_s), event))

    janitor = janitor or Janitor(
        world,  # type: ignore[arg-type]
        "shop",
        "ours",
        "pod",
        note,
        clock=lambda: world.now_s,
        sleep=world.sleep,
    )
    world.at(until_s, lambda: None)
    while world.now_s < until_s and janitor.step():
        pass
    return janitor


def when(world: World, event: str) -> float:
    """Return the second of an event."""
    return next(second for second, one in world.log if one == event)


def test_after_the_ttl_the_traffic_goes_back_and_later_the_rest() -> None:
    """At 60 s the values; at 300 s, when streams may not come back any more, journal and Lease."""
    world = World()
    watch(world, 59)
    assert world.objects[WEB]["spec"]["replicas"] == 0
    world = World()
    watch(world, 400)
    assert when(world, "given-back") == 60
    assert when(world, "lease-deleted") == 300
    assert world.objects[WEB]["spec"]["replicas"] == 2
    assert names.LABEL_SESSION not in world.objects[WEB]["metadata"]["labels"]
    assert LEASE not in world.objects


def test_the_journal_stays_while_streams_may_come_back() -> None:
    """A session that returns finds its claim, and everybody else who holds the target."""
    world = World()
    watch(world, 200)
    assert world.objects[WEB]["metadata"]["labels"] == OURS
    assert names.ANNOTATION_GIVEN_BACK in world.objects[LEASE]["metadata"]["annotations"]


def test_a_renewed_lease_is_left_alone() -> None:
    """However long it lives; nothing is written but that the janitor is there."""
    world = World()
    for second in range(15, 600, 15):
        world.at(second, world.renew)
    watch(world, 600)
    assert [name for name, _ in world.writes] == ["tp-ours"]


def test_a_session_that_renews_at_the_last_moment_wins() -> None:
    """The mark on the Lease is conditioned on the version that was read."""
    world = World()
    janitor = watch(world, 59)
    patch = world.patch

    def late(path: str, body: Object) -> Object:
        world.renew()
        world.patch = patch  # type: ignore[method-assign]
        return patch(path, body)

    world.patch = late  # type: ignore[method-assign]
    watch(world, 110, janitor)
    assert world.objects[WEB]["spec"]["replicas"] == 0
    assert not any(event == "given-back" for _, event in world.log)


def test_a_session_that_came_back_is_watched_anew() -> None:
    """A full ttl after its last renewal, it is given back again."""
    world = World()
    world.at(100, world.renew)
    world.at(101, lambda: world.objects[WEB]["spec"].update(replicas=0))
    watch(world, 250)
    assert [second for second, event in world.log if event == "given-back"] == [60, 160]
    assert world.objects[WEB]["spec"]["replicas"] == 2


def test_a_session_that_comes_back_while_its_journals_go_keeps_the_way_back() -> None:
    """It has stopped the original again: the journal stays on, and counts for the next time."""
    world = World()
    get, seen = world.get, 0

    def coming_back(path: str) -> Object | None:
        nonlocal seen
        found = get(path)
        if path == WEB and world.now_s >= 300:
            seen += 1
            if seen == 2:  # the janitor has seen that the values are back
                world.objects[WEB]["spec"]["replicas"] = 0
                world.renew()
        return found

    world.get = coming_back  # type: ignore[method-assign]
    janitor = watch(world, 330)
    assert world.objects[WEB]["metadata"]["labels"] == OURS
    assert world.objects[WEB]["spec"]["replicas"] == 0
    assert LEASE in world.objects
    watch(world, 700, janitor)
    assert world.objects[WEB]["spec"]["replicas"] == 2
    assert LEASE not in world.objects


def test_a_new_janitor_counts_a_full_ttl_of_its_own() -> None:
    """It cannot know how long the Lease was quiet before, whatever anybody's clock says."""
    world = World(now_s=1000.0)
    watch(world, 1059)
    assert world.objects[WEB]["spec"]["replicas"] == 0
    world = World(now_s=1000.0)
    watch(world, 1100)
    assert when(world, "given-back") == 1060


def test_when_the_api_server_was_away_sessions_get_a_chance_to_be_heard() -> None:
    """They could not renew either: half a ttl after it is back is enough for two renewals."""
    world = World()
    world.at(20, lambda: setattr(world, "down", True))
    world.at(300, lambda: setattr(world, "down", False))
    world.at(315, world.renew)
    watch(world, 374)
    assert not any(event == "given-back" for _, event in world.log)
    world = World()
    world.at(20, lambda: setattr(world, "down", True))
    world.at(25, lambda: setattr(world, "down", False))
    watch(world, 100)
    assert when(world, "given-back") <= 62


def test_what_is_not_ours_any_more_is_not_touched() -> None:
    """Released, claimed by others, deleted: nothing is written there."""
    for other in (swapped(labels={}), swapped(labels={names.LABEL_SESSION: "theirs"}), None):
        world = World()
        if other is None:
            del world.objects[WEB]
        else:
            world.objects[WEB] = other
        watch(world, 400)
        assert {name for name, _ in world.writes} == {"tp-ours"}
        assert LEASE not in world.objects


def test_one_target_that_fails_stops_no_other_and_keeps_the_lease() -> None:
    """What could not be put back is tried again; meanwhile the Lease says whose it is."""
    world = World()
    named = {names.ANNOTATION_TOUCHED: '["deployment/secret", "widget/x", "deployment/web"]'}
    world.objects[LEASE]["metadata"]["annotations"] |= named
    get = world.get

    def refusing(path: str) -> Object | None:
        if path.endswith("/secret"):
            raise api.RefusedError(403, "no")
        return get(path)

    world.get = refusing  # type: ignore[method-assign]
    watch(world, 400)
    assert world.objects[WEB]["spec"]["replicas"] == 2
    assert LEASE in world.objects


def test_an_original_that_waits_for_the_agents_place_is_not_kept_waiting() -> None:
    """`strategy: recreate`: the Lease goes at the ttl, and the agent with it."""
    world = World()
    notes = world.objects[WEB]["metadata"]["annotations"]
    notes[names.ANNOTATION_WAS] = json.dumps({"recreate": True})
    watch(world, 100)
    assert when(world, "lease-deleted") == 60


def test_a_damaged_journal_changes_nothing() -> None:
    """Nobody can tell the way back of it, and the others get theirs."""
    for text in ("{", "[]", '{"spec": 7}'):
        world = World()
        world.objects[WEB]["metadata"]["annotations"][names.ANNOTATION_RESTORE] = text
        watch(world, 100)
        assert world.objects[WEB]["spec"] == {"replicas": 0}
