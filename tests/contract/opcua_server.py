"""A real OPC UA server (asyncua) in a process of its own, with a log of all that it emitted.

It prints `ready <port>`, obeys commands on its standard input and answers each with one line:
swallow N   the next N data messages are not sent, and Republish has them
forget N    the next N data messages are not sent, and Republish has them not
bad N       v0 gets a bad status for N ticks
add NAME    a node s=NAME appears (and ticks like the others)
clock S     from now on its clock, and all its source times, are S seconds off
device S    the same for the source times of v0 alone, as if a device behind it had a clock of its own
Extra nodes: text (a string), array, untimed (no source timestamp).
With a certificate it lets in the user edge (password secret) and the holder of --user-certificate; who tried to log in
stands in the file `logins` beside the log.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.subscription_service import SubscriptionService
from asyncua.server.user_managers import User, UserManager, UserRole
from cryptography.hazmat.primitives.serialization import Encoding

URI = "urn:fabriquay:test"


class OneUser(UserManager):
    """Lets in `edge` with the password `secret`, or with one certificate, and nobody else."""

    def __init__(self, logins: Path, certificate: Path | None) -> None:
        self._logins = logins
        self._certificate = None if certificate is None else certificate.read_bytes()

    def get_user(self, iserver: object, username: object = None, password: object = None, certificate: object = None):
        with self._logins.open("a") as log:
            log.write(f"{username or 'no-name'}\n")
        if username is not None:
            right = (username, password) == ("edge", "secret")
        else:  # asyncua gives the certificate of the application where there is none of a user
            right = self._certificate is not None and _der(certificate) == self._certificate
        return User(role=UserRole.User) if right else None


def _der(certificate: object) -> bytes | None:
    return certificate.public_bytes(Encoding.DER) if hasattr(certificate, "public_bytes") else certificate


class Faults:
    spared: ClassVar[set[int]] = set()  # subscriptions of the server's own history
    swallow = 0
    forget = 0
    bad = 0
    clock = 0
    device = 0


def install(limit: int) -> None:
    """Give the server the limits and faults that it has no switches for."""
    create = SubscriptionService.create_monitored_items
    pop = InternalSubscription._pop_publish_result

    async def limited(self: SubscriptionService, params: ua.CreateMonitoredItemsParameters) -> list:
        if len(params.ItemsToCreate) > limit:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        return await create(self, params)

    def faulty(self: InternalSubscription) -> ua.PublishResult:
        result = pop(self)
        if self.data.SubscriptionId in Faults.spared:
            return result
        while result.NotificationMessage.NotificationData and (Faults.swallow or Faults.forget):
            if Faults.forget:
                Faults.forget -= 1
                self._not_acknowledged_results.pop(result.NotificationMessage.SequenceNumber)
            else:
                Faults.swallow -= 1
            result = pop(self)
        return result

    SubscriptionService.create_monitored_items = limited
    InternalSubscription._pop_publish_result = faulty


def ticks() -> Iterator[datetime]:
    """Whole milliseconds, each later than the one before."""
    last = 0
    while True:
        last = max(last + 1, int(datetime.now(UTC).timestamp() * 1000))
        yield datetime.fromtimestamp(last / 1000, UTC)


async def device(log: Path) -> AsyncIterator[tuple[int, datetime]]:
    """What another process writes as "<source time in ns> <count>": two servers may stand before one device."""
    with log.open(encoding="ascii") as lines:
        lines.seek(0, os.SEEK_END)
        while True:
            begin = lines.tell()
            line = lines.readline()
            if line.endswith("\n"):
                yield int(line.split()[1]), datetime.fromtimestamp(int(line.split()[0]) / 1e9, UTC)
            else:
                lines.seek(begin)
                await asyncio.sleep(0.01)


async def own(log: Path, period_s: float) -> AsyncIterator[tuple[int, datetime]]:
    """Ticks of this server itself."""
    with log.open("a", encoding="ascii") as lines:
        for count, true_at in enumerate(ticks(), start=1):
            at = true_at + timedelta(seconds=Faults.clock)
            lines.write(f"{round(at.timestamp() * 1000) * 1_000_000} {count}\n")
            lines.flush()
            yield count, at
            await asyncio.sleep(period_s)


def shown(count: int, place: int, at: datetime, *, bad: bool) -> ua.DataValue:
    """What a numeric node shows at a tick; the first one has the faults."""
    if place == 0:
        at += timedelta(seconds=Faults.device)
    if bad and place == 0:
        return ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadSensorFailure), SourceTimestamp=at)
    return ua.DataValue(ua.Variant(count + place / 1000, ua.VariantType.Double), SourceTimestamp=at)


async def record(server: Server, nodes: list[ua.NodeId]) -> None:
    """The server keeps a history of these nodes, which none of the faults touch."""
    before = set(server.iserver.subscription_service.subscriptions)
    await server.historize_node_data_change([server.get_node(node) for node in nodes], count=100_000)
    Faults.spared |= set(server.iserver.subscription_service.subscriptions) - before


async def secure(server: Server, arguments: argparse.Namespace) -> None:
    await server.set_application_uri(arguments.uri)
    await server.load_certificate(str(arguments.certificate))
    await server.load_private_key(str(arguments.key))
    server.set_security_policy([ua.SecurityPolicyType[name] for name in arguments.policy])
    server.iserver.user_manager = OneUser(arguments.log.with_name("logins"), arguments.user_certificate)


async def main(arguments: argparse.Namespace) -> None:
    install(arguments.limit)
    server = Server()
    await server.init()
    if arguments.certificate is not None:
        await secure(server, arguments)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{arguments.port}/test")
    for number in range(arguments.namespaces):
        await server.register_namespace(f"urn:other:{number}")
    index = await server.register_namespace(URI)
    objects = server.nodes.objects

    async def variable(name: str, value: object) -> ua.NodeId:
        node = await objects.add_variable(ua.NodeId(name, index), name, value)
        return node.nodeid

    numbers = [await variable(f"v{number}", 0.0) for number in range(arguments.items)]
    texts = await variable("text", "none")
    array = await variable("array", [0, 0])
    untimed = await variable("untimed", 0.0)

    async def commands() -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := (await reader.readline()).decode().split():
            if line[0] == "add":
                numbers.append(await variable(line[1], 0.0))
            else:
                setattr(Faults, line[0], int(line[1]))
            print("done", *line, flush=True)

    async def tick() -> None:
        source = device(arguments.log) if arguments.device else own(arguments.log, arguments.period_ms / 1000)
        async for count, at in source:
            bad = Faults.bad > 0
            Faults.bad -= bad
            await server.iserver.current_time_node.write_value(datetime.now(UTC) + timedelta(seconds=Faults.clock))
            for place, node in enumerate(numbers):
                await server.write_attribute_value(node, shown(count, place, at, bad=bad))
            for node, variant in ((texts, ua.Variant(f"tick {count} é")), (array, ua.Variant([count, count + 1]))):
                await server.write_attribute_value(node, ua.DataValue(variant, SourceTimestamp=at))
            await server.write_attribute_value(untimed, ua.DataValue(ua.Variant(float(count))))

    async with server:
        server.iserver._time_task_stop = True  # its clock is set by tick()
        await record(server, numbers if arguments.history else [])
        port = server.bserver.port
        print("ready", port, flush=True)
        await asyncio.gather(tick(), commands())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--items", type=int, default=20)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--history", action="store_true", help="the server records the numbers in memory")
    parser.add_argument("--namespaces", type=int, default=0)
    parser.add_argument("--period-ms", type=float, default=50)
    parser.add_argument("--device", action="store_true", help="the ticks stand in the log already: another writes it")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--uri", default="urn:fabriquay:test-server")
    parser.add_argument("--policy", nargs="*", default=[])
    parser.add_argument("--user-certificate", type=Path)
    asyncio.run(main(parser.parse_args()))
