"""Who asks (`Caller`) and what a route may show or do for them (`Permit`); pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from api.errors import ProblemError
from twin.access.grants import EVERYWHERE, By, Grant, Role, covers


class How(StrEnum):
    """By what somebody has shown who they are."""

    ANONYMOUS = "anonymous"
    SESSION = "session"  # the page's cookie
    KEY = "key"  # an API key
    TOKEN = "token"  # noqa: S105 – of single sign-on


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    how: How
    grants: tuple[Grant, ...]
    ends_s: float = float("inf")  # Unix time at which the credential ends
    is_initial: bool = False  # the password was chosen by somebody else

    @property
    def is_anonymous(self) -> bool:
        """Nobody in particular."""
        return self.how is How.ANONYMOUS

    def __str__(self) -> str:
        held = ", ".join(str(grant) for grant in self.grants) or "no role"
        return f"{self.name} ({held})"


@dataclass(frozen=True, slots=True)
class Permit:
    """What the gate has let through: who, and at and below which paths."""

    caller: Caller
    roots: tuple[str, ...]  # ("",): the whole plant
    roles: tuple[Role, ...] = ()  # one of which it takes
    address: str = ""
    request: str = ""

    @property
    def by(self) -> By:
        """For the audit."""
        return By(self.caller.name, self.caller.how.value, self.address, self.request)

    @property
    def everywhere(self) -> bool:
        """The whole plant."""
        return EVERYWHERE in self.roots

    @property
    def within(self) -> tuple[str, ...] | None:
        """The paths to which a list is to be narrowed; None: it is not."""
        return None if self.everywhere else self.roots

    def covers(self, path: str) -> bool:
        """Whether it holds at this path."""
        return any(covers(root, path) for root in self.roots)

    def demand(self, path: str) -> None:
        """403 unless it holds at this path."""
        if not self.covers(path):
            raise forbidden(self.caller, self.roles, f"at {path!r}" if path else "for the whole plant")

    def place(self, under: str | None) -> str | None:
        """The path under which a list is asked for: the given one, or the only one that may be seen."""
        if under is not None:
            self.demand(under)
            return under
        if self.everywhere:
            return None
        if len(self.roots) == 1:
            return self.roots[0]
        seen = " or ".join(repr(root) for root in self.roots)
        raise ProblemError(
            422, "which-part", "you may see several parts of the plant, not all of it", do=f"give under: {seen}"
        )


def forbidden(caller: Caller, roles: Iterable[Role], where: str = "") -> ProblemError:
    """403: it is known who asks, and they may not."""
    needed = " or ".join(role.value for role in roles)
    return ProblemError(
        403,
        "not-allowed",
        f"{caller} may not do this {where}".rstrip() + f"; it takes {needed}",
        do="ask an administrator for the role, or sign in as somebody who has it",
    )


def sign_in_needed() -> ProblemError:
    """401: nobody has signed in, and this is not for everybody."""
    return ProblemError(
        401,
        "sign-in-needed",
        "this is not for everybody",
        do="sign in at the page or with POST /v1/session, or send an API key as Authorization: Bearer fbq_…",
        headers={"WWW-Authenticate": 'Bearer realm="fabriquay"'},
    )
