"""The shapes of sessions, users, keys and the audit, for the OpenAPI document and for what is sent in."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.documents import Document, Instant
from twin.access.grants import Grant, Role
from twin.access.secrets import LONGEST_PASSWORD

LONGEST_KEY_DAYS = 3_650
Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern=r"^[\w@.-]([\w@. -]*[\w@.-])?$",
        description="As it stands under everything that they do; letters, digits, blanks, @ . _ -",
        examples=["Kim"],
    ),
]
Password = Annotated[str, Field(min_length=1, max_length=LONGEST_PASSWORD, examples=["correct horse battery staple"])]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*")
    @classmethod
    def _storable(cls, value: object) -> object:
        if isinstance(value, str):
            value.encode()  # half of a surrogate pair is no text
            if "\0" in value:
                raise ValueError("the character U+0000 cannot be stored; remove it")
        return value


class GrantModel(_Given):
    """A role at and below a path."""

    role: Role
    under: str = Field(
        default="",
        max_length=500,
        pattern=r"^([a-z0-9-]+(/[a-z0-9-]+)*)?$",
        description="An asset, gateways, or gateways/<node>; empty: the whole plant",
        examples=["factory"],
    )

    def grant(self) -> Grant:
        """As it is kept."""
        return Grant(self.role, self.under)


Grants = Annotated[list[GrantModel], Field(max_length=50)]


class Credentials(_Given):
    """Who signs in."""

    name: str = Field(min_length=1, max_length=100, examples=["Kim"])
    password: Password


class PasswordChange(_Given):
    """Another password for oneself."""

    old: Password
    new: Password


class PasswordOrder(_Given):
    """Another password for somebody, who will have to choose their own."""

    password: Password


class UserOrder(_Given):
    """A new user."""

    name: Name
    password: Password
    grants: Grants


class UserChange(_Given):
    """What is left out stays."""

    grants: Grants | None = None
    disabled: bool | None = None


class KeyOrder(_Given):
    """A new key for a machine."""

    title: Name
    grants: Annotated[list[GrantModel], Field(min_length=1, max_length=50)]
    days: int = Field(default=90, ge=1, le=LONGEST_KEY_DAYS, description="It ends after so many")


class OidcModel(Document):
    """Single sign-on, where it is configured."""

    title: str
    address: str = Field(description="Where the browser goes to sign in", examples=["v1/session/oidc"])


class SessionModel(Document):
    """Who is asking, and how they could sign in."""

    name: str | None = Field(description="null: nobody has signed in")
    how: str = Field(examples=["session"])
    grants: list[GrantModel]
    ends_at: Instant | None
    must_choose_password: bool = Field(description="Nothing can be changed before")
    oidc: OidcModel | None


class UserModel(Document):
    """One user."""

    name: str
    grants: list[GrantModel]
    disabled: bool
    must_choose_password: bool
    created_at: Instant


class UsersModel(Document):
    """Every user."""

    users: list[UserModel]


class KeyModel(Document):
    """One key, without its secret."""

    id: str
    title: str
    grants: list[GrantModel]
    made_by: str
    made_at: Instant
    ends_at: Instant
    revoked_at: Instant | None


class NewKeyModel(KeyModel):
    """One key, with its secret, this once."""

    key: str = Field(examples=["fbq_0123456789ab_…"])


class KeysModel(Document):
    """Every key that ever was."""

    keys: list[KeyModel]


class AuditEntryModel(Document):
    """One change or log-in."""

    id: int
    at: Instant
    who: str
    how: str = Field(description="session, key, token, command line or database")
    address: str
    request: str = Field(description="Its X-Request-ID")
    what: str = Field(examples=["user.added"])
    target: str
    detail: dict[str, Any]


class AuditModel(Document):
    """A page, the newest first."""

    entries: list[AuditEntryModel]
    next: int | None = Field(description="Send as `before` for the page behind; null at the end")
