"""`twin users …` and `twin keys …`: the first user, forgotten passwords, keys for machines."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from twin.commands.console import TWIN_YAML, Configuration, quiet, say

users_app = typer.Typer(help="Who may sign in, and with which roles.", no_args_is_help=True)
keys_app = typer.Typer(help="API keys for machines.", no_args_is_help=True)

Roles = Annotated[
    list[str] | None,
    typer.Option("--role", help="viewer, engineer, planner, gateway or admin; role:path for a part; may be repeated."),
]
Ask = Annotated[bool, typer.Option("--ask", help="Ask for the password instead of making one.")]


@users_app.command("add")
def add(name: str, role: Roles = None, ask: Ask = False, config: Configuration = TWIN_YAML) -> None:
    """A new user; the password is made and shown, or asked for."""
    from twin.commands.access import add_user
    from twin.commands.settings import load_twin

    password = _asked(ask)
    _do(add_user(load_twin(config), name, role or (), password))


@users_app.command("list")
def list_all(config: Configuration = TWIN_YAML) -> None:
    """Every user with roles."""
    from twin.commands.access import list_users
    from twin.commands.settings import load_twin

    _do(list_users(load_twin(config)))


@users_app.command("disable")
def disable(
    name: str,
    again: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False,
    config: Configuration = TWIN_YAML,
) -> None:
    """Nobody signs in with this name any more, and sessions end."""
    from twin.commands.access import disable_user
    from twin.commands.settings import load_twin

    _do(disable_user(load_twin(config), name, disabled=not again))


@users_app.command("roles")
def roles(name: str, role: Roles = None, config: Configuration = TWIN_YAML) -> None:
    """Other roles than before; none without --role."""
    from twin.commands.access import change_roles
    from twin.commands.settings import load_twin

    _do(change_roles(load_twin(config), name, role or ()))


@users_app.command("password")
def password(name: str, ask: Ask = False, config: Configuration = TWIN_YAML) -> None:
    """Another password; the name is not locked any more."""
    from twin.commands.access import set_password
    from twin.commands.settings import load_twin

    _do(set_password(load_twin(config), name, _asked(ask)))


@keys_app.command("add")
def add_one(
    title: str,
    role: Roles = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="It ends after so many.")] = 90,
    config: Configuration = TWIN_YAML,
) -> None:
    """A new key; it is shown this once."""
    from twin.commands.access import add_key
    from twin.commands.settings import load_twin

    _do(add_key(load_twin(config), title, role or (), days))


@keys_app.command("list")
def list_every(config: Configuration = TWIN_YAML) -> None:
    """Every key that ever was, without the keys themselves."""
    from twin.commands.access import list_keys
    from twin.commands.settings import load_twin

    _do(list_keys(load_twin(config)))


@keys_app.command("revoke")
def revoke(identity: str, config: Configuration = TWIN_YAML) -> None:
    """End a key now; by its id, the part between the underscores."""
    from twin.commands.access import revoke_key
    from twin.commands.settings import load_twin

    _do(revoke_key(load_twin(config), identity))


def _asked(ask: bool) -> str | None:
    return str(typer.prompt("password", hide_input=True, confirmation_prompt=True)) if ask else None


def _do(work: Coroutine[Any, Any, list[str]]) -> None:
    quiet()
    say(asyncio.run(work))
