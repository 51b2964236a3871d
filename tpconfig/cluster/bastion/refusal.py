"""What can stand between us and the bastion, in the user's words."""

from __future__ import annotations

from tpconfig.errors import UnreachableError


class BastionError(UnreachableError):
    """The API server cannot be reached through the bastion."""


class PassphraseNeededError(Exception):
    """Every other key was refused; ``path`` is one that is locked."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path
