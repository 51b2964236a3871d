"""What the janitor does: watch one Lease, and act when it has not been renewed for its whole time.

Two moments. After the Lease's duration the traffic goes back: the originals get their recorded
values. Lease and agents stay for as long as streams may come back; then the journals go, and the
Lease with everything that it owns, this Pod included. Time is this process's own monotonic clock,
so nobody's wrong wall clock restores anything too early; a new janitor starts counting anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tpconfig import names
from tpconfig.cluster import paths
from tpconfig.janitor import restore
from tpconfig.janitor.api import UNREACHABLE, Api, Object, RefusedError

RETRY_S: Final = 1.0
BREATH_S: Final = 0.05
"""Between two looks, so that a server that ends each watch at once is not asked all the time."""
LONGEST_S: Final = 30.0
"""A watch that was cut without a word is noticed after this long."""

Log = Callable[..., None]


@dataclass(slots=True)
class Janitor:
    """Watches one session's Lease in one namespace."""

    api: Api
    namespace: str
    session: str
    pod: str
    log: Log
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _renewed: str | None = None
    _quiet_since_s: float = 0.0
    _cut: bool = False
    _reported: bool = False
    _gave_back: str | None = None

    def run(self) -> None:
        """Watch until the Lease is gone."""
        while self.step():
            pass

    def step(self) -> bool:
        """Look at the Lease and do what is due; return whether there is one."""
        try:
            found = self.api.get(self._path)
            if found is None:
                self.log("lease-gone")
                return False
            self._note(found)
            self._report(found)
            self._act(found)
        except RefusedError as error:
            self.log("refused", message=str(error))
            self.sleep(RETRY_S)
        except UNREACHABLE as error:
            if not self._cut:
                self.log("unreachable", message=repr(error))
            self._cut = True
            self.sleep(RETRY_S)
        return True

    @property
    def _path(self) -> str:
        return paths.path_of("lease", self.namespace, f"{names.PREFIX}-{self.session}")

    def _note(self, lease: Object) -> None:
        """Start to count when the renewal is new; a session that was cut off, too, gets a chance.

        It renews four times in the Lease's duration: half of that is enough to be heard again.
        """
        now_s, renewed = self.clock(), str(lease["spec"].get("renewTime"))
        if renewed != self._renewed:
            self._renewed, self._quiet_since_s, self._gave_back = renewed, now_s, None
        elif self._cut:
            self._quiet_since_s = max(self._quiet_since_s, now_s - _ttl_s(lease) / 2)
        self._cut = False

    def _report(self, lease: Object) -> None:
        """Say once on the Lease that there is a janitor that can read and write it."""
        if not self._reported:
            note = {names.ANNOTATION_JANITOR: self.pod}
            lease["metadata"] = self.api.patch(self._path, {"metadata": {"annotations": note}})[
                "metadata"
            ]
            self._reported = True
            self.log("watching", lease=lease["metadata"]["name"], ttl_s=_ttl_s(lease))

    def _act(self, lease: Object) -> None:
        quiet_s, ttl_s = self.clock() - self._quiet_since_s, _ttl_s(lease)
        if quiet_s < ttl_s:
            self._wait(lease, ttl_s - quiet_s)
            return
        if self._gave_back != self._renewed and not self._give_back(lease):
            return
        stays_s = ttl_s if self._blocked(lease) else max(ttl_s, _reconnect_s(lease))
        if quiet_s < stays_s:
            self._wait(lease, stays_s - quiet_s)
        else:
            self._close(lease)

    def _wait(self, lease: Object, seconds: float) -> None:
        metadata = lease["metadata"]
        collection, name = paths.collection_of(self._path)
        within_s = min(seconds, LONGEST_S)
        try:
            self.api.wait_for_change(collection, name, metadata["resourceVersion"], within_s)
        except RefusedError as error:
            if error.status != 410:
                raise
        self.sleep(BREATH_S)

    def _give_back(self, lease: Object) -> bool:
        """Give the traffic back, unless the session has come back this very moment."""
        metadata = lease["metadata"]
        note = {names.ANNOTATION_GIVEN_BACK: self.pod}
        patch = {"resourceVersion": metadata["resourceVersion"], "annotations": note}
        try:
            lease["metadata"] = self.api.patch(self._path, {"metadata": patch})["metadata"]
        except RefusedError as error:
            if error.status != 409:
                raise
            return False
        done = self._each(lease, restore.give_back)
        if done:
            self._gave_back = self._renewed
            self.log("given-back", targets=_touched(lease))
        else:
            self.sleep(RETRY_S)
        return done

    def _close(self, lease: Object) -> None:
        metadata = lease["metadata"]
        if not (self._each(lease, restore.give_back) and self._each(lease, restore.release)):
            self.sleep(RETRY_S)
            return
        try:
            self.api.delete(self._path, uid=metadata["uid"], version=metadata["resourceVersion"])
            self.log("lease-deleted")
        except RefusedError as error:
            if error.status != 409:  # renewed, or marked: look again
                raise

    def _blocked(self, lease: Object) -> bool:
        """Tell whether an original waits for an agent's place (docs: `strategy: recreate`)."""
        return any(
            restore.needs_its_place(self.api, self.namespace, one, self.session)
            for one in _touched(lease)
        )

    def _each(self, lease: Object, do: Callable[[Api, str, str, str], None]) -> bool:
        """Do it to every target; what fails stops no other, and is tried again."""
        done = True
        for target in _touched(lease):
            try:
                do(self.api, self.namespace, target, self.session)
            except (RefusedError, KeyError) as error:
                self.log("not-restored", target=target, message=str(error))
                done = False
        return done


def _ttl_s(lease: Object) -> float:
    return float(lease["spec"].get("leaseDurationSeconds") or 60)


def _notes(lease: Object) -> dict[str, Any]:
    return lease["metadata"].get("annotations") or {}


def _reconnect_s(lease: Object) -> float:
    try:
        return float(_notes(lease).get(names.ANNOTATION_RECONNECT, 0))
    except ValueError:
        return 0.0


def _touched(lease: Object) -> list[str]:
    try:
        found = json.loads(_notes(lease).get(names.ANNOTATION_TOUCHED, "[]"))
    except ValueError:
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
