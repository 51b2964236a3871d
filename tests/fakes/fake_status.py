"""The refusals of the fake API server: Status objects, worded as Kubernetes words them."""

from __future__ import annotations

from typing import Any


class StatusError(Exception):
    """A request that is answered with a Status object."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}

    @property
    def body(self) -> dict[str, Any]:
        """The Status object."""
        body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        return body | ({"details": self.details} if self.details else {})


def not_found(qualified: str, name: str) -> StatusError:
    """The object does not exist."""
    return StatusError(
        404,
        "NotFound",
        f'{qualified} "{name}" not found',
        details={"name": name, "kind": qualified.partition(".")[0]},
    )


def already_exists(qualified: str, name: str) -> StatusError:
    """Its name is taken."""
    return StatusError(
        409,
        "AlreadyExists",
        f'{qualified} "{name}" already exists',
        details={"name": name, "kind": qualified.partition(".")[0]},
    )


def conflict(qualified: str, name: str, why: str) -> StatusError:
    """The object is not the one that the request is about."""
    return StatusError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {qualified} "{name}": {why}',
        details={"name": name, "kind": qualified.partition(".")[0]},
    )


def invalid(kind: str, name: str, field: str, message: str, reason: str) -> StatusError:
    """A field is wrong."""
    return StatusError(
        422,
        "Invalid",
        f'{kind} "{name}" is invalid: {field}: {message}',
        details={
            "name": name,
            "kind": kind,
            "causes": [{"reason": reason, "message": message, "field": field}],
        },
    )


def bad_request(message: str) -> StatusError:
    """The request makes no sense."""
    return StatusError(400, "BadRequest", message)


def expired(wanted: int, oldest: int) -> StatusError:
    """That version has been forgotten."""
    return StatusError(410, "Expired", f"too old resource version: {wanted} ({oldest})")
