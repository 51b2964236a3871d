"""Who may do what on the fake API server: users by token, rules as in a Role."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.fakes import fake_status


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed; ``*`` is everything. ``resources`` may name a part: ``pods/log``."""

    verbs: tuple[str, ...] = ("*",)
    resources: tuple[str, ...] = ("*",)
    groups: tuple[str, ...] = ("*",)
    namespaces: tuple[str, ...] = ("*",)
    names: tuple[str, ...] = ()

    def allows(self, wanted: Wanted) -> bool:
        """Tell whether this rule covers a request."""
        resource = wanted.resource
        if wanted.subresource:
            resource += f"/{wanted.subresource}"
        return (
            _in(wanted.verb, self.verbs)
            and _in(resource, self.resources)
            and _in(wanted.group, self.groups)
            and _in(wanted.namespace, self.namespaces)
            and (not self.names or wanted.name in self.names)
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request needs, as the authorizer sees it."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a token. Asking what one may do is always allowed."""

    name: str = "fake-admin"
    groups: tuple[str, ...] = ("system:masters", "system:authenticated")
    rules: tuple[Rule, ...] = (Rule(),)

    def may(self, wanted: Wanted) -> bool:
        """Tell whether any rule allows it."""
        if wanted.group in ("authorization.k8s.io", "authentication.k8s.io"):
            return True
        return any(rule.allows(wanted) for rule in self.rules)


@dataclass
class Access:
    """The users of a cluster; without any token everybody is the administrator."""

    tokens: dict[str, User] = field(default_factory=dict)
    anonymous: User | None = field(default_factory=User)

    def user_of(self, authorization: str | None) -> User:
        """Return who is asking."""
        if authorization is None:
            user = self.anonymous
        else:
            user = self.tokens.get(authorization.removeprefix("Bearer "))
        if user is None:
            raise fake_status.StatusError(401, "Unauthorized", "Unauthorized")
        return user

    def check(self, user: User, wanted: Wanted) -> None:
        """Refuse what no rule allows."""
        if user.may(wanted):
            return
        resource = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
        part = f"{wanted.resource}/{wanted.subresource}" if wanted.subresource else wanted.resource
        scope = f' in the namespace "{wanted.namespace}"' if wanted.namespace else " at the cluster"
        scope += "" if wanted.namespace else " scope"
        subject = f'{resource} "{wanted.name}"' if wanted.name else resource
        raise fake_status.StatusError(
            403,
            "Forbidden",
            f'{subject} is forbidden: User "{user.name}" cannot {wanted.verb} resource '
            f'"{part}" in API group "{wanted.group}"{scope}',
            details={"name": wanted.name, "group": wanted.group, "kind": wanted.resource},
        )


def answer(kind: str, user: User, body: dict[str, Any]) -> dict[str, Any]:
    """Answer a review: who am I, may I."""
    if kind == "SelfSubjectReview":
        status: dict[str, Any] = {"userInfo": {"username": user.name, "groups": list(user.groups)}}
    elif kind == "SelfSubjectAccessReview":
        asked = (body.get("spec") or {}).get("resourceAttributes") or {}
        wanted = Wanted(
            verb=asked.get("verb", ""),
            group=asked.get("group", ""),
            resource=asked.get("resource", ""),
            namespace=asked.get("namespace", ""),
            name=asked.get("name", ""),
            subresource=asked.get("subresource", ""),
        )
        status = {"allowed": user.may(wanted)}
    else:
        namespace = (body.get("spec") or {}).get("namespace", "")
        rules = [_as_answered(rule) for rule in user.rules if _in(namespace, rule.namespaces)]
        status = {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}
    return {**body, "kind": kind, "metadata": {}, "status": status}


def _as_answered(rule: Rule) -> dict[str, Any]:
    found = {
        "verbs": list(rule.verbs),
        "apiGroups": list(rule.groups),
        "resources": list(rule.resources),
    }
    return {**found, "resourceNames": list(rule.names)} if rule.names else found


def _in(word: str, words: tuple[str, ...]) -> bool:
    return "*" in words or word in words
