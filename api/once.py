"""Changes that may be asked for again: with an Idempotency-Key each is made once, however often it comes.

In: a request, and the work in the store that it asks for. Out: the answer; to the same key again the same one. Work and
answer are one transaction, so there is never one without the other. Keys are each caller's own. What must not be kept
is not: a body with a password is known by its argon2id hash, a part that is shown once is not shown again.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID, uuid4, uuid5

import orjson
from fastapi import Depends, Header, Request
from fastapi.responses import Response

from api.access.caller import Permit
from api.conditional import NO_STORE
from api.deps import Parts, PartsDep, PermitDep
from api.errors import ProblemError
from twin.store.answered import KEPT_DAYS, Answered
from twin.store.connect import Store

REPLAYED = {"Idempotency-Replayed": "true"}
_ARGON2 = "$argon2"

IdempotencyKey = Annotated[
    UUID | None,
    Header(
        alias="Idempotency-Key",
        description=f"The same key again is the same change and gets the same answer, for {KEPT_DAYS} days; "
        "send it when you try again",
    ),
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of a change."""

    status: int
    document: Mapping[str, Any] | None = None
    location: str = ""
    shown_once: Mapping[str, Any] | None = None  # stands in the first answer and is not kept

    def response(self) -> Response:
        """To whoever asked first."""
        if self.document is None:
            return _response(self.status, b"", self.location)
        return _response(self.status, orjson.dumps({**self.document, **(self.shown_once or {})}), self.location)


Work = Callable[[Store], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Once:
    """One request for a change."""

    parts: Parts
    permit: Permit
    key: UUID | None
    asked: str  # method and path
    body: bytes
    secret: bool  # the body holds a password

    @property
    def identity(self) -> UUID:
        """For what the change makes: the same for the same key of the same caller."""
        return uuid4() if self.key is None else uuid5(self.key, self.permit.caller.name)

    async def earlier(self) -> Response | None:
        """The answer where this was done already: ask before work outside the store, or before what has changed since.

        Raises:
            ProblemError: 409, the key belongs to another change, or its answer is shown once.
        """
        if self.key is None:
            return None
        found = await self.parts.link.store.answered.find(self.permit.caller.name, self.key)
        return None if found is None else await self._again(found)

    async def change(self, work: Work) -> Response:
        """Do it, unless it was done already; what `work` raises undoes it, and the key is free again."""
        store = self.parts.link.store
        if self.key is None:
            async with store.unit(self.permit.by) as unit:
                return (await work(unit)).response()
        await store.answered.forget_old()
        fingerprint, who = await self._fingerprint(), self.permit.caller.name
        async with store.unit(self.permit.by) as unit:
            await unit.answered.lock(who, self.key)
            found = await unit.answered.find(who, self.key)
            if found is None:
                answer = await work(unit)
                await unit.answered.keep(who, self.key, self._kept(answer, fingerprint))
                return answer.response()
        return await self._again(found)

    def _kept(self, answer: Answer, fingerprint: str) -> Answered:
        text = "" if answer.document is None else orjson.dumps(answer.document).decode()
        return Answered(
            self.asked, fingerprint, answer.status, text, answer.location, shown_once=bool(answer.shown_once)
        )

    async def _again(self, found: Answered) -> Response:
        if found.asked != self.asked or not await self._is_the_same(found.fingerprint):
            raise ProblemError(
                409,
                "key-is-used",
                f"Idempotency-Key {self.key} belongs to another change: {found.asked} at {found.at}",
                do="use a new key for a new change",
            )
        if found.shown_once:
            raise ProblemError(
                409,
                "shown-once",
                f"{self.asked} was done at {found.at}; its answer held what is shown once, and made {found.answer}",
                do="if the first answer is lost, revoke what was made and ask again with a new Idempotency-Key",
            )
        response = _response(found.status, found.answer.encode(), found.location)
        response.headers.update(REPLAYED)
        return response

    @property
    def _text(self) -> str:
        """The body however it was spaced and ordered."""
        return json.dumps(json.loads(self.body or b"null"), sort_keys=True)

    async def _fingerprint(self) -> str:
        return await self.parts.sign_in.sealed(self._text) if self.secret else _sha256(self._text)

    async def _is_the_same(self, fingerprint: str) -> bool:
        if fingerprint.startswith(_ARGON2):
            return await self.parts.sign_in.opens(fingerprint, self._text)
        return fingerprint == _sha256(self._text)


async def _once(request: Request, parts: PartsDep, permit: PermitDep, again: IdempotencyKey = None) -> Once:
    asked = f"{request.method} {request.url.path}"
    return Once(parts, permit, again, asked, await request.body(), secret=False)


async def _secret_once(request: Request, parts: PartsDep, permit: PermitDep, again: IdempotencyKey = None) -> Once:
    asked = f"{request.method} {request.url.path}"
    return Once(parts, permit, again, asked, await request.body(), secret=True)


OnceDep = Annotated[Once, Depends(_once)]
SecretOnceDep = Annotated[Once, Depends(_secret_once)]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _response(status: int, body: bytes, location: str) -> Response:
    headers = {**NO_STORE, "Location": location} if location else NO_STORE
    return Response(body, status, headers, "application/json" if body else None)
