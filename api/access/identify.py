"""Who sends this request: by the session's cookie, an API key, or a token of single sign-on.

In: a connection. Out: a `Caller`. What the store said is believed for a few seconds, so that a page that asks often
costs the database little; a revoked key or an ended session works for that long, and while the store is away.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import HTTPConnection

from api.access.caller import Caller, How
from api.access.cookies import session_token
from api.errors import ProblemError
from api.store_link import StoreLink
from twin.access.grants import Grant, Role
from twin.access.secrets import digest, same, split_key
from twin.access.settings import AccessSettings
from twin.errors import Retryable

FRESH_S = 5.0
STALE_S = 300.0  # while the store is away
MOST_KNOWN = 10_000


class Tokens(Protocol):
    """Single sign-on, as far as its tokens are concerned."""

    async def caller(self, token: str) -> Caller | None:
        """Whose token it is; None when it cannot be used."""
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    seen_s: float


class Identities:
    """Everybody who has shown who they are, lately."""

    def __init__(self, link: StoreLink, settings: AccessSettings, tokens: Tokens | None = None) -> None:
        self._link: StoreLink = link
        self._idle_s: float = settings.session_idle_h * 3600
        self._tokens: Tokens | None = tokens
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        grants = (Grant(Role.VIEWER),) if settings.anonymous == "viewer" else ()
        self.anonymous: Caller = Caller("anonymous", How.ANONYMOUS, grants)

    async def of(self, connection: HTTPConnection) -> Caller:
        """The caller; who shows nothing, or a cookie that is over, is anonymous.

        Raises:
            ProblemError: 401, a key or a token that cannot be used.
        """
        header = connection.headers.get("authorization")
        if header is not None:
            return await self._bearer(header)
        token = session_token(connection)
        found = await self.session(token) if token else None
        return found or self.anonymous

    async def session(self, token: str) -> Caller | None:
        """Whose session it is."""
        kept = digest(token)

        async def look() -> Caller | None:
            found = await self._link.store.sessions.find(kept, self._idle_s)
            return found and Caller(found.name, How.SESSION, found.grants, found.ends_s, found.is_initial)

        return await self._believed(kept, look)

    def forget(self, token: str | None = None) -> None:
        """Ask the store again: for this session, or for everybody."""
        if token is None:
            self._known.clear()
        else:
            self._known.pop(digest(token), None)

    async def _bearer(self, header: str) -> Caller:
        scheme, _, credential = header.partition(" ")
        found: Caller | None = None
        if scheme.lower() == "bearer" and (parts := split_key(credential.strip())):
            found = await self._believed(digest(credential.strip()), lambda: self._key(*parts))
        elif scheme.lower() == "bearer" and self._tokens is not None:
            found = await self._tokens.caller(credential.strip())
        if found is None:
            raise _unusable()
        return found

    async def _key(self, identity: str, secret: str) -> Caller | None:
        key = await self._link.store.keys.find(identity)
        if key is None or not same(key.digest, digest(secret)):
            return None
        return Caller(f"key:{key.title}", How.KEY, key.grants, key.ends_s)

    async def _believed(self, kept: bytes, look: Callable[[], Awaitable[Caller | None]]) -> Caller | None:
        now_s = time.time()
        known = self._known.get(kept)
        if known is not None and now_s < known.caller.ends_s and now_s - known.seen_s < FRESH_S:
            return known.caller
        try:
            found = await look()
        except (Retryable, ProblemError):
            if known is not None and now_s < known.caller.ends_s and now_s - known.seen_s < STALE_S:
                return known.caller
            raise
        self._known.pop(kept, None)
        if found is not None:
            self._known[kept] = _Known(found, now_s)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return found


def _unusable() -> ProblemError:
    return ProblemError(
        401,
        "unusable-credential",
        "the key or token in Authorization is unknown, expired or revoked",
        do="have a new key made (twin keys add), or sign in again",
        headers={"WWW-Authenticate": 'Bearer realm="fabriquay", error="invalid_token"'},
    )
