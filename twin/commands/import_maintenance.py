"""`twin import maintenance FILE`: what was done to the machines, from a CSV file; all of it or nothing."""

from pathlib import Path

from twin.commands.access import operating_user
from twin.commands.settings import TwinSettings
from twin.errors import ConfigError
from twin.plant.load import load_plant
from twin.plant.maintenance import read_events
from twin.store.connect import open_store


async def import_maintenance(settings: TwinSettings, path: Path) -> list[str]:
    """Check every line, then write them in one transaction; a second import of the same file changes nothing.

    Raises:
        ConfigError: with every line that cannot be used; nothing was imported.
        Retryable: the database is away.
    """
    plant = load_plant(settings.plant)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            events = read_events(str(path), lines, plant)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    async with open_store(settings.database) as store:
        new = await store.maintenance.add(events, operating_user())
    return [f"{path}: {len(events)} events, {new} of them new"]
