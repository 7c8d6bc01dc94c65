"""`twin api`: the REST API, the live feed and the page."""

from api.serve import run_api
from api.settings import ApiSettings
from twin.commands.settings import TwinSettings


async def serve_api(settings: TwinSettings) -> None:
    """Serve until cancelled."""
    await run_api(
        ApiSettings(
            dsn=settings.database,
            broker=settings.broker,
            plant=settings.plant,
            host=settings.api.host,
            port=settings.api.port,
            alarms=settings.alarms,
        )
    )
