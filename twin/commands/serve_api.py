"""`twin api`: the REST API, the live feed and the page."""

from pydantic import ValidationError

from api.serve import run_api
from api.settings import ApiSettings
from twin.commands.settings import TwinSettings
from twin.errors import ConfigError


async def serve_api(settings: TwinSettings) -> None:
    """Serve until cancelled."""
    await run_api(api_settings(settings))


def api_settings(settings: TwinSettings) -> ApiSettings:
    """What the api is told.

    Raises:
        ConfigError: everybody could look who reaches it, and nobody has said that this is meant.
    """
    try:
        return ApiSettings(
            dsn=settings.database,
            broker=settings.broker,
            plant=settings.plant,
            host=settings.api.host,
            port=settings.api.port,
            allowed_hosts=settings.api.names,
            allowed_origins=settings.api.origins,
            proxies=settings.api.proxies,
            tls=settings.api.tls,
            access=settings.access,
            alarms=settings.alarms,
        )
    except ValidationError as error:
        raise ConfigError(str(one["msg"]).removeprefix("Value error, ") for one in error.errors()) from error
