"""What the commands share: the option for the file, a process run until a signal, answers printed."""

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from twin.traces import TracesSettings, install

Configuration = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
TWIN_YAML = Path("configs/twin.yaml")


def serve(process: Coroutine[Any, Any, None], traces: tuple[TracesSettings | None, str] = (None, "")) -> None:
    """Run a process until SIGINT or SIGTERM; shutdown is cancellation. With traces: where to, and as which service."""

    async def until_signal() -> None:
        task = asyncio.ensure_future(process)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    end_traces = install(*traces)
    try:
        asyncio.run(until_signal())
    finally:
        end_traces()


def quiet() -> None:
    """Commands that answer a question show warnings only."""
    logging.getLogger().setLevel(max(logging.WARNING, logging.getLogger().level))


def say(lines: list[str]) -> None:
    """Print the lines."""
    for line in lines:
        typer.echo(line)


def show(lines: Iterable[str], document: dict[str, object] | None) -> None:
    """Print the document as JSON, or else the lines."""
    if document is not None:
        typer.echo(json.dumps(document))
        return
    for line in lines:
        typer.echo(line)
