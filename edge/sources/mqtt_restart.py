"""When a broker began. One that was restarted may have lost messages that it had acknowledged to its devices.

In: the broker's own word, a topic that says how many seconds it runs (Mosquitto: $SYS/broker/uptime, retained). Out:
nanoseconds UTC. Mosquitto saves sessions and queues every autosave_interval, not before each acknowledgement: killed,
it comes back with our session and without the newest messages, and nothing in the protocol says so.
"""

import asyncio
import re
import time
from collections.abc import Callable

from twin.errors import Retryable
from twin.wire.mqtt import BrokerSettings, Refused, connect

_SECONDS = re.compile(rb"\s*(\d{1,12})(?:\.\d*)?\s*(?:s|seconds?)?\s*")
_TIMEOUT_S = 2.0


async def broker_began_ns(
    broker: BrokerSettings, topic: str, *, client_id: str, clock: Callable[[], int] = time.time_ns
) -> int | None:
    """The latest time at which this broker can have begun, None when it does not say.

    The retained uptime may be older than now (Mosquitto renews it every 10 s) and is in whole seconds; both make the
    answer later than the truth, never earlier. Asked over a connection of its own: in the session of a source the
    answer would stand behind everything that the broker has queued.

    Raises:
        Retryable: the broker cannot be reached, or ends the connection of whoever asks.
    """
    try:
        async with connect(broker, client_id=client_id, max_inbound=1) as client, asyncio.timeout(_TIMEOUT_S):
            await client.subscribe([(topic, 0)])
            message = await anext(client.messages())
    except (TimeoutError, Refused):
        return None
    except Retryable as error:
        raise Retryable(
            f"asking {topic}: {error}; if the broker ends such connections, set uptime_topic: null"
        ) from error
    uptime = _SECONDS.fullmatch(message.payload)
    return None if uptime is None else clock() - int(uptime.group(1)) * 1_000_000_000
