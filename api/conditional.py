"""Conditional requests (RFC 9110, 13): who sends back the ETag of an answer that has not changed gets 304 and no body.

In: the routes' answers. Out: every whole answer of a GET under /v1 that may be kept carries a weak ETag, weak because
the same document goes out compressed in several ways. Streams and whatever says `no-store` pass through untouched.
"""

from hashlib import blake2b

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FRESH = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, Cookie"}
"""May be kept by whoever asked, and is asked for again each time."""
NO_STORE = {"Cache-Control": "no-store"}
"""Secrets, who may do what, and the answers to changes: nobody keeps them."""

_OF_THE_BODY = ("Content-Length", "Content-Type")
_TAG_BYTES = 12


def weak_tag(*parts: bytes) -> str:
    """The ETag of a document made of these parts."""
    made = blake2b(digest_size=_TAG_BYTES)
    for part in parts:
        made.update(part)
    return f'W/"{made.hexdigest()}"'


def is_known(tag: str, if_none_match: str) -> bool:
    """Whether If-None-Match names this ETag; weakly: with or without W/ it is the same."""
    given = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return "*" in given or tag.removeprefix("W/") in given


class Conditional:
    """Adds the ETags and answers 304; an ETag that a route has set itself stays."""

    def __init__(self, app: ASGIApp) -> None:
        self.app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith("/v1/"):
            send = _Revalidation(Headers(scope=scope).get("if-none-match", ""), send)
        await self.app(scope, receive, send)


class _Revalidation:
    """One answer: its head waits for the body, for only then its tag is known."""

    def __init__(self, if_none_match: str, send: Send) -> None:
        self._if_none_match: str = if_none_match
        self._send: Send = send
        self._head: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _may_be_kept(message):
            self._head = message
            return
        if self._head is not None:
            head, self._head = self._head, None
            if not message.get("more_body", False):
                message = self._decided(head, message)
            await self._send(head)
        await self._send(message)

    def _decided(self, head: Message, body: Message) -> Message:
        headers = MutableHeaders(scope=head)
        headers.setdefault("ETag", weak_tag(body.get("body", b"")))
        if not self._if_none_match or not is_known(headers["ETag"], self._if_none_match):
            return body
        head["status"] = 304
        for name in _OF_THE_BODY:
            del headers[name]
        return {**body, "body": b""}


def _may_be_kept(head: Message) -> bool:
    return head["status"] == 200 and "no-store" not in Headers(raw=head["headers"]).get("cache-control", "")
