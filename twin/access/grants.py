"""Roles and the part of the plant that they hold for; pure. In: `engineer:factory`. Out: `Grant`, and who acts."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

EVERYWHERE = ""
_PATH = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)*|")


class Role(StrEnum):
    """What somebody is to the plant; api/access/rules.py says what each may do."""

    VIEWER = "viewer"  # looks at everything
    ENGINEER = "engineer"  # looks, and acts on alarms, maintenance and figures
    PLANNER = "planner"  # looks, and simulates
    GATEWAY = "gateway"  # looks at edge agents and whether values arrive
    ADMIN = "admin"  # everything, users and keys too


@dataclass(frozen=True, slots=True)
class Grant:
    """A role at and below a path: an asset, `gateways`, `gateways/<node>`, or the whole plant."""

    role: Role
    under: str = EVERYWHERE

    def __str__(self) -> str:
        return f"{self.role.value}:{self.under}" if self.under else self.role.value

    def document(self) -> dict[str, str]:
        """As it is stored and shown."""
        return {"role": self.role.value, "under": self.under}


@dataclass(frozen=True, slots=True)
class By:
    """Who makes a change, for the audit."""

    who: str
    how: str  # session, key, token, command line
    address: str = ""
    request: str = ""  # its id


def covers(root: str, path: str) -> bool:
    """Whether the path is the root or below it."""
    return root == EVERYWHERE or path == root or path.startswith(f"{root}/")


def parse_grants(texts: Iterable[str]) -> tuple[Grant, ...]:
    """`viewer`, `engineer:factory/machining` → grants.

    Raises:
        ValueError: no such role, or no path of the plant's form.
    """
    return tuple(_grant(text) for text in texts)


def roots(grants: Iterable[Grant], roles: Sequence[Role]) -> tuple[str, ...]:
    """Where one of these roles holds: the topmost paths; (`""`,) is the whole plant."""
    found = sorted({grant.under for grant in grants if grant.role in roles})
    return tuple(path for path in found if not any(covers(other, path) for other in found if other != path))


def _grant(text: str) -> Grant:
    role, _, under = text.partition(":")
    if role not in list(Role):
        raise ValueError(f"{role!r} is no role; give one of {', '.join(Role)}, with :path for a part of the plant")
    if not _PATH.fullmatch(under):
        raise ValueError(f"{under!r} is no path; give an asset such as factory/machining, or gateways/<node>")
    return Grant(Role(role), under)
