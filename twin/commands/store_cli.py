"""`twin store …`: what the store takes on disk."""

import asyncio

import typer

from twin.commands.console import TWIN_YAML, Configuration, quiet, say

store_app = typer.Typer(help="The store: what it takes on disk.", no_args_is_help=True)


@store_app.callback()
def store() -> None:
    """The store: what it takes on disk."""


@store_app.command()
def size(config: Configuration = TWIN_YAML) -> None:
    """Disk per year from the plant model and measured rows, what is kept in the end, and what came lately."""
    from twin.commands.settings import load_twin
    from twin.commands.store_size import store_size

    quiet()
    say(asyncio.run(store_size(load_twin(config))))
