"""`twin doctor`, the broker: whether it takes us, what it lets us read and write, and what stands retained on it.

In: settings. Out: checks. Two messages that nobody else reads are published, not retained, below topics of ours.
"""

import asyncio
import json
import secrets
import ssl
import time
from collections.abc import Iterator
from datetime import datetime

from twin.commands.diagnosis import Check, days_left, ok, problem
from twin.commands.reading_words import duration_words
from twin.commands.settings import TwinSettings
from twin.plant.load import load_plant
from twin.wire import topic
from twin.wire.broker import BrokerSettings, PublishDenied
from twin.wire.mqtt import Client, connect
from twin.wire.mqtt_client import Refused

LISTEN_S = 2.0  # retained messages come at once
STALE_AFTER_S = 60.0
_RIGHTS = "give this user the rights of configs/mosquitto/acl: readwrite fabriquay/1/#"
_PROBES = (topic.receipt("doctor"), f"{topic.LIVE}/doctor")


async def check_broker(settings: TwinSettings) -> list[Check]:
    """Connect as the twin does.

    Raises:
        ConfigError, Retryable: it cannot be reached, or takes nobody with these words.
    """
    broker = settings.broker
    where = f"{broker.host}:{broker.port}"
    async with connect(broker, client_id=f"fabriquay-doctor-{secrets.token_hex(5)}") as client:
        found = [ok("broker", f"{where} speaks MQTT {client.protocol}{', TLS' if broker.tls else ''}")]
        rights = await _rights(client)
        assets = len(load_plant(settings.plant).assets)
        return [*found, *rights, _live(await _states(client), assets), *await _certificate(broker)]


async def _rights(client: Client) -> list[Check]:
    """What the broker denies; a broker of MQTT 3.1.1 says nothing, so the messages must come back."""
    try:
        await client.subscribe([(one, 1) for one in _PROBES])
    except Refused as refused:
        return [problem("rights at the broker", f"reading is denied: {refused}", _RIGHTS)]
    for one in _PROBES:
        try:
            await client.publish(one, b"twin doctor", qos=1)
        except PublishDenied as denied:
            return [problem("rights at the broker", f"writing {one} is denied: {denied}", _RIGHTS)]
    heard = await _heard(client, len(_PROBES))
    missing = [one for one in _PROBES if one not in heard]
    if missing:
        said = f"what was written to {', '.join(missing)} did not come back: reading or writing is denied"
        return [problem("rights at the broker", said, _RIGHTS)]
    return [ok("rights at the broker", f"may write and read below {topic.ROOT}/")]


async def _heard(client: Client, most: int) -> dict[str, bytes]:
    """The messages of the next moment, by topic, at most so many."""
    heard: dict[str, bytes] = {}
    try:
        async with asyncio.timeout(LISTEN_S):
            async for message in client.messages():
                heard[message.topic] = message.payload
                if len(heard) >= most:
                    break
    except TimeoutError:
        pass
    return heard


async def _states(client: Client) -> dict[str, bytes]:
    await client.subscribe([(topic.ALL_STATES, 1)])
    return {name: payload for name, payload in (await _heard(client, 100_000)).items() if name not in _PROBES}


def _live(states: dict[str, bytes], assets: int) -> Check:
    """How many assets have a state, and how old the newest is."""
    part = "live state"
    instants = list(_instants(states))
    do = "start twin run; if it runs, look into its log"
    if not instants:
        return problem(part, f"no state stands on {topic.ALL_STATES}", do)
    age_s = max(0.0, time.time() - max(instants))
    said = f"{len(instants)} of {assets} assets, the newest {duration_words(age_s)} old"
    return problem(part, said, do) if age_s > STALE_AFTER_S else ok(part, said)


def _instants(states: dict[str, bytes]) -> Iterator[float]:
    for payload in states.values():
        try:
            yield datetime.fromisoformat(json.loads(payload)["at"]).timestamp()
        except (ValueError, KeyError, TypeError):
            continue  # not a document of the twin's


async def _certificate(broker: BrokerSettings) -> list[Check]:
    """The certificate that the broker shows; it was accepted a moment ago."""
    if broker.tls is None:
        return []
    _, writer = await asyncio.open_connection(broker.host, broker.port, ssl=broker.tls.context())
    try:
        shown: dict[str, str] = writer.get_extra_info("peercert") or {}
    finally:
        writer.close()
    if "notAfter" not in shown:
        return []
    return [
        days_left("certificate of the broker", (ssl.cert_time_to_seconds(shown["notAfter"]) - time.time()) / 86_400)
    ]
