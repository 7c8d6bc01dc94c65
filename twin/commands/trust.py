"""The command line of `twin edge trust`. In: arguments. Out: what `twin.commands.certificates` says, printed."""

from pathlib import Path
from typing import Annotated

import typer

trust_app = typer.Typer(
    help="The certificates of OPC UA servers, and our own: who is trusted, until when.", no_args_is_help=True
)

Configuration = Annotated[Path, typer.Option("--config", "-c", help="The agent's configuration.")]
Thumbprint = Annotated[str, typer.Argument(help="The thumbprint, or its first digits.")]


@trust_app.command("list")
def trust_list(
    config: Configuration,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per certificate.")] = False,
) -> None:
    """Every server that was seen or accepted, and every issuer."""
    from twin.commands.certificates import list_certificates

    for line in list_certificates(config, as_json=as_json):
        typer.echo(line)


@trust_app.command("accept")
def trust_accept(thumbprint: Thumbprint, config: Configuration) -> None:
    """Trust a server. Compare the thumbprint with what the server itself shows."""
    from twin.commands.certificates import accept

    typer.echo(accept(config, thumbprint))


@trust_app.command("reject")
def trust_reject(thumbprint: Thumbprint, config: Configuration) -> None:
    """Do not trust a server any more; a connection to it ends within seconds."""
    from twin.commands.certificates import reject

    typer.echo(reject(config, thumbprint))


@trust_app.command("show")
def trust_show(config: Configuration) -> None:
    """Our own certificate, and where to accept it on the common servers."""
    from twin.commands.certificates import show_own

    for line in show_own(config):
        typer.echo(line)


@trust_app.command("create")
def trust_create(
    config: Configuration,
    host: Annotated[list[str] | None, typer.Option("--host", help="Another name or address of this machine.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=36_500, help="How long it is valid.")] = 1825,
) -> None:
    """Make our own certificate, its key and the trust folder where they are missing."""
    from twin.commands.certificates import create_own

    for line in create_own(config, host or (), days):
        typer.echo(line)
