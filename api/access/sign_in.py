"""Signing in with a password: checked with argon2id, guarded against guessing, told to the audit.

In: a name and a password. Out: a session's token. A name is locked after some wrong passwords in a row, whether it
exists or not; the store keeps the count, so that all processes share it.
"""

import asyncio
import time
from dataclasses import dataclass

from api.access.gate import too_many
from api.access.limits import Limiter
from api.errors import ProblemError
from api.store_link import StoreLink
from twin.access.grants import By, Grant
from twin.access.secrets import check_password, digest, hash_password, new_token, outdated, password_trouble
from twin.access.settings import AccessSettings
from twin.store.accounts import Account, Lock
from twin.store.connect import Store

AT_ONCE = 2  # each costs 64 MiB and a core


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody who wants in."""

    name: str
    password: str
    address: str
    request: str

    @property
    def by(self) -> By:
        """For the audit."""
        return By(self.name, "session", self.address, self.request)


class SignIn:
    """The door for people."""

    def __init__(self, link: StoreLink, settings: AccessSettings) -> None:
        self._link: StoreLink = link
        self._lock: Lock = Lock(settings.attempts, settings.lock_s)
        self._places: asyncio.Semaphore = asyncio.Semaphore(AT_ONCE)
        self._limiter: Limiter = Limiter(settings.sign_ins_per_min / 60, max(1, round(settings.sign_ins_per_min)))
        self.length_s: float = settings.session_h * 3600

    async def password(self, attempt: Attempt) -> tuple[Account, str]:
        """The user and the token of a new session.

        Raises:
            ProblemError: 401 wrong name or password, 429 too many attempts, 503 no store.
        """
        if wait_s := self._limiter.wait_s(attempt.address, time.monotonic()):
            raise too_many(wait_s, "sign-ins")
        store = self._link.store
        async with self._places:
            if wait_s := await store.accounts.locked_s(attempt.name):
                raise too_many(wait_s, "wrong-passwords")
            account = await self._checked(store, attempt)
        if account is None:
            await store.audit.add(attempt.by, "session.refused", attempt.name)
            raise wrong()
        token = await self.begin(account.name, attempt.by)
        return account, token

    async def begin(self, name: str, by: By, grants: tuple[Grant, ...] | None = None) -> str:
        """The token of a new session; with grants for somebody who has signed in elsewhere."""
        token, store = new_token(), self._link.store
        await store.sessions.add(digest(token), name, by.address, self.length_s, grants)
        await store.audit.add(By(name, by.how, by.address, by.request), "session.opened", name)
        return token

    async def chosen(self, name: str, old: str, new: str, by: By) -> str:
        """What is kept of another password for oneself; the old one is asked for again, as often as it may be wrong.

        Raises:
            ProblemError: 401 the old one is wrong, 422 the new one cannot be taken.
        """
        store = self._link.store
        async with self._places:
            if wait_s := await store.accounts.locked_s(name):
                raise too_many(wait_s, "wrong-passwords")
            if await self._checked(store, Attempt(name, old, by.address, by.request)) is None:
                raise wrong()
        return await self.hashed(name, new)

    async def hashed(self, name: str, password: str) -> str:
        """What is kept of a new password; a 422 problem for one that is easily guessed."""
        if trouble := password_trouble(password, name):
            raise ProblemError(422, "weak-password", trouble, do="choose another one, e.g. four words")
        return await self.sealed(password)

    async def sealed(self, text: str) -> str:
        """The argon2id hash of a text that nobody shall guess."""
        async with self._places:
            return await asyncio.to_thread(hash_password, text)

    async def opens(self, kept: str, text: str) -> bool:
        """Whether it is the text that was sealed."""
        async with self._places:
            return await asyncio.to_thread(check_password, kept, text)

    async def _checked(self, store: Store, attempt: Attempt) -> Account | None:
        account = await store.accounts.get(attempt.name)
        usable = account is not None and not account.disabled
        kept = account.password if account is not None and usable else None
        if not await asyncio.to_thread(check_password, kept, attempt.password) or account is None:
            await store.accounts.failed(attempt.name, self._lock)
            return None
        await store.accounts.succeeded(account.name)
        if outdated(account.password):
            again = await asyncio.to_thread(hash_password, attempt.password)
            await store.accounts.set_password(account.name, again, attempt.by, is_initial=account.is_initial)
        return account


def wrong() -> ProblemError:
    """401 that does not say which of the two is wrong."""
    return ProblemError(
        401,
        "wrong-name-or-password",
        "the name or the password is wrong, or the user is disabled",
        do="try again; after some attempts the name is locked for a while",
    )
