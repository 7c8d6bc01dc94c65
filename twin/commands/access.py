"""`twin users …`, `twin keys …`: who may use the api, changed beside it, for the first user and for the forgotten.

In: settings and what is to be. Out: lines. Every change stands in the audit under the name of the operating system.
"""

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime

from twin.access.grants import By, Grant, parse_grants
from twin.access.secrets import hash_password, new_key, password_trouble, random_password
from twin.commands.settings import TwinSettings
from twin.errors import ConfigError
from twin.plant.load import load_plant
from twin.store.connect import Store, open_store

_GATEWAYS = "gateways"


def operating_user() -> By:
    """Whoever runs this command."""
    return By(getpass.getuser(), "command line")


def checked_grants(settings: TwinSettings, texts: Sequence[str]) -> tuple[Grant, ...]:
    """The roles, each at a path that there is.

    Raises:
        ConfigError: no such role or path.
    """
    try:
        grants = parse_grants(texts)
    except ValueError as error:
        raise ConfigError(f"--role: {error}") from error
    plant = load_plant(settings.plant)
    for grant in grants:
        known = grant.under == "" or grant.under.partition("/")[0] == _GATEWAYS or plant.has_asset(grant.under)
        if not known:
            raise ConfigError(f"--role: there is no asset {grant.under!r} in {settings.plant}")
    return grants


async def add_user(settings: TwinSettings, name: str, roles: Sequence[str], password: str | None) -> list[str]:
    """A new user; without a password one is made and shown."""
    given = _good(password, name) if password else random_password()
    grants = checked_grants(settings, roles)
    async with open_store(settings.database) as store:
        if await store.accounts.add(name, hash_password(given), grants, operating_user()) is None:
            raise ConfigError(f"there is a user {name!r} already; choose another name, or twin users password {name}")
    shown = [] if password else [f"first password: {given}"]
    return [f"{name}: {', '.join(map(str, grants)) or 'no role'}", *shown, "they choose their own at the first log-in"]


async def list_users(settings: TwinSettings) -> list[str]:
    """A line for each."""
    async with open_store(settings.database) as store:
        users = await store.accounts.all()
    if not users:
        return ["nobody; add the first: twin users add NAME --role admin"]
    width = max(len(one.name) for one in users)
    return [
        f"{one.name:<{width}}  {', '.join(map(str, one.grants)) or 'no role'}{'  (disabled)' if one.disabled else ''}"
        for one in users
    ]


async def disable_user(settings: TwinSettings, name: str, *, disabled: bool) -> list[str]:
    """No log-in any more, or again."""
    async with open_store(settings.database) as store:
        if await store.accounts.change(name, operating_user(), disabled=disabled) is None:
            raise _nobody(name)
        if disabled:
            await store.sessions.end_all(name)
    return [f"{name}: {'may not sign in any more' if disabled else 'may sign in again'}"]


async def change_roles(settings: TwinSettings, name: str, roles: Sequence[str]) -> list[str]:
    """Other roles than before."""
    grants = checked_grants(settings, roles)
    async with open_store(settings.database) as store:
        if await store.accounts.change(name, operating_user(), grants=grants) is None:
            raise _nobody(name)
    return [f"{name}: {', '.join(map(str, grants)) or 'no role'}"]


async def set_password(settings: TwinSettings, name: str, password: str | None) -> list[str]:
    """Another password, shown when it was made here; the name is not locked any more."""
    given = _good(password, name) if password else random_password()
    async with open_store(settings.database) as store:
        if not await store.accounts.set_password(name, hash_password(given), operating_user(), is_initial=True):
            raise _nobody(name)
        await store.sessions.end_all(name)
        await store.accounts.succeeded(name)
    return [f"new password of {name}: {given}" if password is None else f"{name}: the password is set"]


async def add_key(settings: TwinSettings, title: str, roles: Sequence[str], days: int) -> list[str]:
    """A new key; the only time that it is shown."""
    made, grants = new_key(), checked_grants(settings, roles)
    if not grants:
        raise ConfigError("--role: a key without a role opens nothing; give one, e.g. --role viewer:factory")
    async with open_store(settings.database) as store:
        kept = await store.keys.add(made.id, made.digest, title, grants, days, operating_user())
    if kept is None:
        raise ConfigError(f"there is a key {title!r} already; revoke it first, or choose another title")
    return [made.text, f"ends {kept.ends_at:%Y-%m-%d}; shown this once; send it as Authorization: Bearer <key>"]


async def list_keys(settings: TwinSettings) -> list[str]:
    """A line for each."""
    async with open_store(settings.database) as store:
        keys = await store.keys.all()
    now = datetime.now(UTC)
    lines: list[str] = []
    for one in keys:
        state = "revoked" if one.revoked_at else "ended" if one.ends_at <= now else "ends"
        at = one.revoked_at or one.ends_at
        lines.append(f"{one.id}  {one.title}  {', '.join(map(str, one.grants))}  {state} {at:%Y-%m-%d}")
    return lines or ["none; make one: twin keys add TITLE --role viewer"]


async def revoke_key(settings: TwinSettings, identity: str) -> list[str]:
    """End a key now."""
    async with open_store(settings.database) as store:
        key = await store.keys.revoke(identity, operating_user())
    if key is None:
        raise ConfigError(f"there is no key {identity!r} to revoke; twin keys list shows their ids")
    return [f"{key.title} is revoked"]


async def first_admin(store: Store) -> str | None:
    """The password of a new user `admin` where there is no user yet; None where there is one."""
    if await store.accounts.all():
        return None
    password = random_password()
    made = await store.accounts.add("admin", hash_password(password), parse_grants(["admin"]), operating_user())
    return password if made else None


def _good(password: str, name: str) -> str:
    if trouble := password_trouble(password, name):
        raise ConfigError(f"{trouble}; choose another one")
    return password


def _nobody(name: str) -> ConfigError:
    return ConfigError(f"there is no user {name!r}; twin users list shows them")
