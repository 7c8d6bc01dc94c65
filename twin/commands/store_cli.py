"""`twin store …`: what the store takes on disk, its backup and its return."""

import asyncio
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from twin.commands.console import TWIN_YAML, Configuration, quiet, say

store_app = typer.Typer(help="The store: its size, backup and restore.", no_args_is_help=True)


@store_app.callback()
def store() -> None:
    """The store: its size, backup and restore."""


@store_app.command()
def size(config: Configuration = TWIN_YAML) -> None:
    """Disk per year from the plant model and measured rows, what is kept in the end, and what came lately."""
    from twin.commands.settings import load_twin
    from twin.commands.store_size import store_size

    quiet()
    say(asyncio.run(store_size(load_twin(config))))


Dump = Annotated[Path, typer.Argument(help="The file of the backup.", dir_okay=False)]


@store_app.command()
def backup(file: Dump, config: Configuration = TWIN_YAML) -> None:
    """Everything that the store has now, into one file; while the twin works."""
    from twin.commands.settings import load_twin
    from twin.commands.store_backup import back_up_store

    quiet()
    with _bar("backup") as progress:
        lines = asyncio.run(back_up_store(load_twin(config), file, progress))
    say(lines)


@store_app.command()
def restore(file: Dump, config: Configuration = TWIN_YAML) -> None:
    """Fill an empty database from a backup; `twin run`, `learn` and `api` must not run meanwhile."""
    from twin.commands.settings import load_twin
    from twin.commands.store_backup import restore_store

    quiet()
    with _bar("restore") as progress:
        lines = asyncio.run(restore_store(load_twin(config), file, progress))
    say(lines)


@store_app.command()
def restored(config: Configuration = TWIN_YAML) -> None:
    """Say that the database was put back by other means (a copy of its files): the spools then send what it lacks."""
    from twin.commands.settings import load_twin
    from twin.commands.store_backup import declare_set_back

    quiet()
    say(asyncio.run(declare_set_back(load_twin(config))))


@contextmanager
def _bar(label: str) -> Generator[Callable[[float], None]]:
    with typer.progressbar(length=1000, label=label, file=sys.stderr) as bar:
        yield lambda share: bar.update(round(1000 * share) - bar.pos)
