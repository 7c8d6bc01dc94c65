"""`twin alarms …`: how often would an alarm have fired, as a table and a plot in the terminal."""

import asyncio
import sys
from typing import Annotated

import typer

from twin.commands.console import TWIN_YAML, Configuration, quiet, show
from twin.errors import ConfigError

alarms_app = typer.Typer(help="Alarms: try a rule on stored history before it is armed.", no_args_is_help=True)

Seconds = Annotated[float | None, typer.Option(min=0)]


@alarms_app.callback()
def alarms() -> None:
    """Alarms: try a rule on stored history before it is armed."""


@alarms_app.command()
def replay(
    signal: Annotated[str | None, typer.Argument(help="The signal's path; with --anomalies: only below this.")] = None,
    name: Annotated[str, typer.Argument(help="lo-lo, lo, hi, hi-hi or stale.")] = "hi",
    config: Configuration = TWIN_YAML,
    limit: Annotated[float | None, typer.Option(help="In the signal's unit; default: the plant model's.")] = None,
    deadband: Annotated[float | None, typer.Option(min=0, help="How far inside the limit it must come back.")] = None,
    after: Annotated[float | None, typer.Option(min=0.001, help="Seconds of silence, for stale.")] = None,
    on_delay: Annotated[float | None, typer.Option(min=0, help="Seconds that the condition must last.")] = None,
    off_delay: Annotated[float | None, typer.Option(min=0, help="Seconds that it must be gone.")] = None,
    start: Annotated[str, typer.Option(help="RFC 3339 with a zone, or back from now: -7d, -12h.")] = "-7d",
    end: Annotated[str, typer.Option(help="As start; now by default.")] = "now",
    anomalies: Annotated[bool, typer.Option("--anomalies", help="The detectors' findings instead of a limit.")] = False,
    detector: Annotated[list[str] | None, typer.Option(help="With --anomalies: only these; repeat it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """How often would this alarm have fired over stored history? Changes nothing."""
    from twin.commands.alarms import Trial, replay_lines, run_replay
    from twin.commands.settings import load_twin

    if signal is None and not anomalies:
        raise ConfigError("which signal? twin alarms replay <signal path> hi --limit <number>, or --anomalies")
    quiet()
    changes = {
        "limit": limit,
        "deadband": deadband,
        "after_s": after,
        "on_delay_s": on_delay,
        "off_delay_s": off_delay,
    }
    trial = Trial(signal, name, changes, start, end, anomalies, tuple(detector or ()))
    settings = load_twin(config)
    with typer.progressbar(length=1_000, label="reading", hidden=as_json, file=sys.stderr) as bar:
        told = 0

        def progress(share: float) -> None:
            nonlocal told
            step = min(1_000, int(share * 1_000)) - told
            told += step
            bar.update(step)

        document = asyncio.run(run_replay(settings, trial, progress))
    show(replay_lines(document), document if as_json else None)
