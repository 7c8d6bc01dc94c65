"""The command line of `twin edge`. In: arguments. Out: what the commands' modules say; each is imported when run."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from twin.commands.console import TWIN_YAML, Configuration, quiet, say, serve, show
from twin.commands.trust import trust_app
from twin.errors import ConfigError

edge_app = typer.Typer(
    help="The agent on a gateway: reads equipment, keeps every value, sends it on.", no_args_is_help=True
)
edge_app.add_typer(trust_app, name="trust")


@edge_app.command("run")
def edge_run(config: Configuration) -> None:
    """Run the agent until it is stopped."""
    from edge.agent import run_agent
    from edge.config import load_agent
    from edge.memory import settle

    settings = load_agent(config)
    if settings.desired is None:
        serve(run_agent(settings, before_reading=settle))
        return
    from edge.rollout import run_managed

    serve(run_managed(config, settings, before_reading=settle))


@edge_app.command("check")
def edge_check(
    config: Configuration,
    live: Annotated[
        bool, typer.Option("--live", help="Try it against the real equipment, too; changes nothing there.")
    ] = False,
    seconds: Annotated[float, typer.Option(help="With --live: how long to listen.", min=1, max=3600)] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="With --live: everything that was found.")] = False,
) -> None:
    """Check an agent's configuration and the certificates that it names; without --live the network is not touched."""
    from edge.config import load_agent
    from edge.opcua_files import check_files

    settings = load_agent(config)
    files = check_files(config, settings)
    for warning in files.warnings:
        typer.secho(warning, fg="yellow", err=as_json)
    if files.problems:
        raise ConfigError(files.problems)
    if not live:
        typer.secho(f"{config}: ok, node {settings.node}, {len(settings.sources)} sources", fg="green")
        return
    from twin.commands.edge_live import try_live

    quiet()
    checked = try_live(settings, seconds, as_json=as_json)
    for line in checked.lines:
        typer.echo(line)
    if not checked.sound:
        raise typer.Exit(1)


@edge_app.command("discover")
def edge_discover(
    url: Annotated[str | None, typer.Argument(help="The server: opc.tcp://<host>:<port>/<path>.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the configuration here.")] = None,
    asset: Annotated[str, typer.Option(help="What the signals' paths begin with, as in plant.yaml.")] = "site/area",
    under: Annotated[str, typer.Option(help="Only this branch: browse names from Objects on, with slashes.")] = "",
    start: Annotated[str | None, typer.Option(help="Begin at this node id instead of Objects.")] = None,
    include: Annotated[list[str] | None, typer.Option(help="Only paths like this (* and ?); may be repeated.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="No paths like this; may be repeated.")] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only measurement, counter, state or text; may be repeated.")
    ] = None,
    sampling_ms: Annotated[float, typer.Option(help="How often to sample.", min=1, max=86_400_000)] = 1000.0,
    most_nodes: Annotated[int, typer.Option(help="Stop after so many nodes.", min=1, max=1_000_000)] = 10_000,
    name: Annotated[str, typer.Option(help="Of the new node and source.")] = "edge-new",
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Take address and security from this configuration.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="With --config: which source of it.")] = None,
    policy: Annotated[str, typer.Option(help="Security policy, e.g. Basic256Sha256.")] = "None",
    mode: Annotated[str, typer.Option(help="Security mode: Sign or SignAndEncrypt.")] = "None",
    certificate: Annotated[Path | None, typer.Option(help="Our certificate.")] = None,
    private_key: Annotated[Path | None, typer.Option(help="Our private key.")] = None,
    server_certificate: Annotated[Path | None, typer.Option(help="The server's certificate.")] = None,
    trust_any_server: Annotated[bool, typer.Option(help="Take whatever certificate the server shows.")] = False,
    trust: Annotated[Path | None, typer.Option(help="The folder with trusted server certificates.")] = None,
    username: Annotated[str | None, typer.Option(help="Its password comes from FABRIQUAY_OPCUA_PASSWORD.")] = None,
) -> None:
    """Browse an OPC UA server and propose a commented configuration. Only browses and reads."""
    from edge.discover import Wish
    from twin.commands.edge_discover import Discovery, discover

    quiet()
    security = {
        "policy": policy,
        "mode": mode,
        "certificate": certificate,
        "private_key": private_key,
        "server_certificate": server_certificate,
        "trust": trust,
        "trust_any_server": trust_any_server,
    }
    asked = Discovery(url, config, source, security, username, start, under, most_nodes, name)
    wish = Wish(asset, sampling_ms, tuple(include or ()), tuple(exclude or ()), tuple(kind or ()))
    if output is not None and output.exists():
        raise ConfigError(f"{output} exists; choose another file, nothing is overwritten")
    found = discover(asked, wish)
    for line in found.lines:
        typer.secho(line, err=True, fg="green")
    if output is None:
        typer.echo(found.yaml, nl=False)
    else:
        output.write_text(found.yaml, encoding="utf-8")
        typer.secho(f"written to {output}; next: twin edge check --live -c {output}", err=True, fg="green")


@edge_app.command("map")
def edge_map(
    config: Annotated[Path, typer.Argument(help="The agent's configuration.")],
    topic: Annotated[str, typer.Option("--topic", "-t", help="The topic of the message.")],
    payload: Annotated[str, typer.Option("--payload", "-p", help="The file with the payload; - for stdin.")] = "-",
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", help="topic=file of metadata that came before; may be repeated.")
    ] = None,
    retained: Annotated[bool, typer.Option("--retained", help="As if the broker had kept the message.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per reading.")] = False,
) -> None:
    """Show the signals, values and times that an MQTT message gives, or why it is refused. Touches no network."""
    from twin.commands.map_message import map_message

    tried = map_message(config, topic, payload, metadata=metadata or (), retained=retained, as_json=as_json)
    for line in tried.lines:
        typer.echo(line)
    if not tried.useful:
        raise typer.Exit(1)


@edge_app.command("size")
def edge_size(
    config: Configuration,
    rate: Annotated[
        list[str] | None, typer.Option("--rate", help="source=values per second; may be repeated. MQTT needs it.")
    ] = None,
    days: Annotated[float | None, typer.Option(help="An outage that must fit, else status 1.", min=0)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """How many values and bytes per second come, and how long an outage fits into the spool and on its disk."""
    from twin.commands.spool_size import sizing_document, sizing_lines, spool_size

    sizing = spool_size(config, rate or (), days)
    show(sizing_lines(sizing), sizing_document(sizing) if as_json else None)
    if not sizing.fits:
        raise typer.Exit(1)


@edge_app.command("status")
def edge_status(
    config: Configuration,
    over_s: Annotated[float, typer.Option("--over", help="Seconds between the two looks that give the rate.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """What waits in the spool beside the running agent, since when, how full it is; status 1 when values are lost."""
    from twin.commands.spool_status import spool_status, status_document, status_lines

    status = spool_status(config, over_s)
    show(status_lines(status), status_document(status) if as_json else None)
    if status.dropping:
        raise typer.Exit(1)


@edge_app.command("tail")
def edge_tail(
    config: Configuration,
    signal: Annotated[str, typer.Option(help="Only signals like this: factory/*/temperature.")] = "*",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    count: Annotated[int, typer.Option("-n", help="So many of the newest readings that wait.", min=0)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per reading.")] = False,
) -> None:
    """The readings that wait in the spool: time, signal, value, unit, quality."""
    from twin.commands.spool_tail import tail

    with contextlib.suppress(KeyboardInterrupt):
        for line in tail(config, signal=signal, count=count, follow=follow, as_json=as_json):
            typer.echo(line)


@edge_app.command("mappings")
def edge_mappings(
    name: Annotated[str | None, typer.Argument(help="Show the file of this mapping, to copy and change.")] = None,
) -> None:
    """The dialects that can be named in an edge configuration: mapping: <name>."""
    from edge.mapping_files import shipped_mappings

    found = {one.name: one for one in shipped_mappings()}
    if name is not None and name not in found:
        raise ConfigError(f"there is no mapping {name!r}; there are {', '.join(found)}")
    if name is not None:
        typer.echo(found[name].path.read_text(encoding="utf-8"), nl=False)
        return
    width = max(map(len, found))
    for one in found.values():
        typer.echo(f"{one.name:<{width}}  {one.description}")


@edge_app.command("keygen")
def edge_keygen(path: Annotated[Path, typer.Argument(help="Where the private key goes.")]) -> None:
    """Make the key with which configurations are signed; prints what the agents' files need."""
    from twin.commands.edge_desired import keygen

    say(keygen(path))


@edge_app.command("sign")
def edge_sign(
    config: Configuration,
    key: Annotated[Path, typer.Option("--key", "-k", help="The private key.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the bundle goes.")],
    serial: Annotated[int | None, typer.Option(help="Higher than any before; default: the time.", min=1)] = None,
    least_share: Annotated[
        float, typer.Option(help="Of the values per second before that it must reach.", min=0, max=1)
    ] = 0.5,
) -> None:
    """Make a signed bundle of an agent's configuration and the mappings of its own."""
    from twin.commands.edge_desired import sign

    say(sign(config, key, output, serial, least_share))


@edge_app.command("push")
def edge_push(
    bundle: Annotated[Path, typer.Argument(help="What twin edge sign made.")], config: Configuration = TWIN_YAML
) -> None:
    """Send a signed configuration to its node, over the twin's broker; it stays there until the node is back."""
    from twin.commands.edge_desired import push

    quiet()
    say(push(bundle, config))


@edge_app.command("apply")
def edge_apply(
    bundle: Annotated[Path, typer.Argument(help="What twin edge sign made.")], config: Configuration
) -> None:
    """Check a signed configuration and hand it to the agent on this machine, without a network."""
    from twin.commands.edge_desired import apply

    say(apply(bundle, config))
