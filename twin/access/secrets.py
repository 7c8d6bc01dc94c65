"""Passwords, session tokens and API keys: how they are made, and what of them is kept.

A password is kept as argon2id (RFC 9106, second recommended set). Tokens and keys are 256 random bits, so that their
SHA-256 is enough: nobody can try them out.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
KEY_PREFIX = "fbq_"
_ID_BYTES = 6
_SECRET_BYTES = 32
_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the moment when it is made; `text` is shown once and kept nowhere."""

    id: str
    text: str
    digest: bytes


def hash_password(password: str) -> str:
    """The PHC string; takes some 50 ms and 64 MiB on purpose."""
    return _HASHER.hash(password)


def check_password(kept: str | None, password: str) -> bool:
    """Whether it is the password; without a kept one the same work is done, so that time tells nobody who exists."""
    try:
        return _HASHER.verify(kept or _nobody(), password) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    return hash_password(new_token())


def outdated(kept: str) -> bool:
    """Whether it was hashed with other parameters than today's."""
    return _HASHER.check_needs_rehash(kept)


def password_trouble(password: str, name: str) -> str:
    """Why a password cannot be taken; empty when it can."""
    if len(password) < SHORTEST_PASSWORD:
        return f"a password needs {SHORTEST_PASSWORD} characters or more"
    if len(password) > LONGEST_PASSWORD:
        return f"a password has {LONGEST_PASSWORD} characters at most"
    if name.lower() in password.lower() or len(set(password)) < SHORTEST_PASSWORD // 2:
        return "the password is easily guessed: it holds the name, or hardly any different characters"
    return ""


def random_password() -> str:
    """For a first log-in."""
    return secrets.token_urlsafe(12)


def new_token() -> str:
    """A session's token."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def digest(token: str) -> bytes:
    """What is kept of a token or of a key's secret."""
    return hashlib.sha256(token.encode()).digest()


def new_key() -> NewKey:
    """An API key: fbq_<id>_<secret>."""
    identity, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    return NewKey(identity, f"{KEY_PREFIX}{identity}_{secret}", digest(secret))


def split_key(text: str) -> tuple[str, str] | None:
    """Id and secret of a key's text; None when it is no key."""
    identity, mark, secret = text.removeprefix(KEY_PREFIX).partition("_")
    return (identity, secret) if text.startswith(KEY_PREFIX) and mark and secret else None


def same(one: bytes, other: bytes) -> bool:
    """Comparison whose time says nothing."""
    return hmac.compare_digest(one, other)
