"""What a session has put on this machine and has to take away, known to whoever comes after it.

Each thing is written down before it is made, in the session's folder, so that a ``tp`` that was
killed leaves nothing that the next one would not find. A file that was there before is put back.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tpconfig.errors import TpError
from tpconfig.local import exports, mounting
from tpconfig.local.state import SessionPaths


@dataclass(slots=True)
class Exported:
    """A file that holds an environment.

    ``digests`` are of everything that it may hold if nobody else has written to it; ``before`` is
    the name of the copy of what was there before, in the session's folder.
    """

    workload: str
    digests: list[str]
    before: str | None = None


@dataclass(slots=True)
class Link:
    """A symbolic link that shows a Pod's files in the project."""

    workload: str
    to: str


@dataclass(slots=True)
class Leftovers:
    """One session's record; reads what an earlier process has left in it."""

    paths: SessionPaths
    _exported: dict[str, Exported] = field(default_factory=dict)
    _links: dict[str, Link] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            found = json.loads(self.paths.record.read_bytes())
            self._exported = {path: Exported(**one) for path, one in found["exports"].items()}
            self._links = {path: Link(**one) for path, one in found["links"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            pass  # there is none, or one that was never finished

    def export(self, workload: str, path: str, content: bytes, *, keep: bool) -> None:
        """Write an environment to a file; ``keep``: it is the user's own from then on.

        Raises:
            TpError: the file cannot be written.
        """
        target = os.path.realpath(path)
        if keep:
            if (known := self._exported.pop(target, None)) is not None:
                self._drop_copy(known)
                self._save()
            exports.write(Path(target), content)
            return
        known = self._exported.get(target)
        if known is None:
            known = self._exported[target] = Exported(workload, [], self._copy(target))
        digest = _digest(content)
        known.workload = workload
        known.digests = [*known.digests[-1:], digest]
        self._save()
        exports.write(Path(target), content)
        known.digests = [digest]
        self._save()

    def link(self, workload: str, path: str, to: Path) -> None:
        """Make a symbolic link to ``to``, which is the session's.

        Raises:
            TpError: there is something else.
        """
        place = Path(path)
        try:
            if place.is_symlink() and path in self._links:
                place.unlink()
            self._links[path] = Link(workload, str(to))
            self._save()
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(to)
        except FileExistsError as error:
            del self._links[path]
            self._save()
            raise TpError(
                f"{path} is there already", hint="volumes.at names a path that is free"
            ) from error
        except OSError as error:
            raise TpError(f"cannot make {path}: {error.strerror}") from error

    def _unlink(self, path: str) -> None:
        known = self._links.pop(path)
        if os.path.islink(path) and os.readlink(path) == known.to:
            os.unlink(path)

    def retire(self, workload: str, *, but: tuple[str, ...] = ()) -> list[str]:
        """Remove a workload's exports, all but some; return what has to be said about it."""
        stay = {os.path.realpath(path) for path in but}
        own = [path for path, one in self._exported.items() if one.workload == workload]
        for path in [path for path, one in self._links.items() if one.workload == workload]:
            if path not in but:
                self._unlink(path)
        done = self._remove(path for path in own if path not in stay)
        return [remark for _, remark in done if remark]

    def clear(self) -> list[str]:
        """Remove all that a dead session has left; return what was done, for people."""
        copied = {path for path, one in self._exported.items() if one.before}
        said = [
            remark or (f"put {path} back" if path in copied else f"removed {path}")
            for path, remark in self._remove(self._exported)
        ]
        for path in [*self._links]:
            self._unlink(path)
        if not mounting.remove_tree(self.paths.files):
            said.append(f"{self.paths.files}: something is still mounted there; umount it")
            return said
        self.paths.socket.unlink(missing_ok=True)
        self.paths.record.unlink(missing_ok=True)
        return said

    def _remove(self, paths: Iterable[str]) -> list[tuple[str, str | None]]:
        """Put files back; return each with what has to be said about it."""
        done = [(path, self._put_back(Path(path), self._exported[path])) for path in [*paths]]
        for path, _ in done:
            del self._exported[path]
        self._save()
        return done

    def _put_back(self, path: Path, one: Exported) -> str | None:
        copy = self.paths.folder / one.before if one.before else None
        try:
            now = _digest(path.read_bytes()) if path.exists() else None
            if now is not None and now not in one.digests:
                if copy is None or _digest(copy.read_bytes()) != now:
                    where = f" (what it was before: {copy})" if copy else ""
                    return f"{path} was changed since tp wrote it: left as it is{where}"
            elif copy is not None:
                shutil.copy2(copy, path)
            else:
                path.unlink(missing_ok=True)
            self._drop_copy(one)
        except OSError as error:
            return f"{path} could not be put back: {error.strerror}"
        return None

    def _copy(self, path: str) -> str | None:
        """Keep what is at ``path`` now; return the copy's name."""
        if not os.path.exists(path):
            return None
        name = f"before-{hashlib.sha256(path.encode(errors='surrogateescape')).hexdigest()[:12]}"
        try:
            shutil.copy2(path, self.paths.folder / name)
        except OSError as error:
            raise TpError(f"cannot write {path}: {error.strerror}") from error
        return name

    def _drop_copy(self, one: Exported) -> None:
        if one.before:
            (self.paths.folder / one.before).unlink(missing_ok=True)

    def _save(self) -> None:
        if not self._exported and not self._links:
            self.paths.record.unlink(missing_ok=True)
            return
        record = {
            "exports": {path: asdict(one) for path, one in self._exported.items()},
            "links": {path: asdict(one) for path, one in self._links.items()},
        }
        exports.write(self.paths.record, json.dumps(record, indent=1).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
