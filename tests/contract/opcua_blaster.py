"""A real OPC UA server (asyncua) that publishes as fast as a compiled one: notifications are encoded once, with numpy.

Every subscription gets, at each publishing interval, `--hz` × interval values of each of its items (Double, with source
and server time). It prints `ready <port>` and, when asked with a line on its standard input, how many values it has sent.
"""

import argparse
import asyncio
import sys
import time

import numpy as np
from asyncua import Server, ua
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemService
from asyncua.server.uaprocessor import PublishRequestData, UaProcessor
from asyncua.ua.ua_binary import struct_to_binary

EPOCH_TICKS = 116_444_736_000_000_000
ITEM = np.dtype(
    [("handle", "<u4"), ("mask", "u1"), ("kind", "u1"), ("value", "<f8"), ("source", "<i8"), ("server", "<i8")]
)
sent = 0


class Prepared:
    """The items of one subscription as one array: all values of an item stand together, as in a server's queues."""

    def __init__(self, subscription: InternalSubscription, hz: float) -> None:
        handles = [item.client_handle for item in subscription.monitored_item_srv._monitored_items.values()]
        self.each = max(1, round(hz * subscription.data.RevisedPublishingInterval / 1000))
        self.items = np.zeros(len(handles) * self.each, ITEM)
        self.items["handle"] = np.repeat(np.array(handles, "u4"), self.each)
        self.items["mask"], self.items["kind"] = 13, 11
        self.step = int(subscription.data.RevisedPublishingInterval * 10_000 / self.each)
        self.offsets = np.tile(np.arange(self.each) * self.step, len(handles))
        self.at = time.time_ns() // 100 + EPOCH_TICKS

    def encode(self) -> bytes:
        self.items["source"] = self.at + self.offsets
        self.items["server"] = self.items["source"]
        self.items["value"] = self.items["source"] % 1000 / 7
        self.at += self.each * self.step
        return len(self.items).to_bytes(4, "little") + self.items.tobytes() + b"\xff\xff\xff\xff"


def install(hz: float) -> None:
    """Replace what encodes and sends: sequence numbers, sessions and publish requests stay asyncua's."""
    prepared: dict[int, Prepared] = {}
    subscriptions: dict[int, InternalSubscription] = {}
    pop, forward = InternalSubscription._pop_publish_result, UaProcessor.forward_publish_response

    def full(self: InternalSubscription) -> ua.PublishResult:
        self._triggered_datachanges = {0: []} if self.monitored_item_srv._monitored_items else {}
        result = pop(self)
        subscriptions[self.data.SubscriptionId] = self
        return result

    async def silent(self: MonitoredItemService, *_: object) -> None:
        """No first values: they would be encoded one by one."""

    async def send(self: UaProcessor, result: ua.PublishResult, request: PublishRequestData) -> None:
        global sent
        subscription = subscriptions.get(result.SubscriptionId)
        if subscription is None or not result.NotificationMessage.NotificationData:
            await forward(self, result, request)
            return
        count = len(subscription.monitored_item_srv._monitored_items)
        ready = prepared.get(result.SubscriptionId)
        if ready is None or len(ready.items) != count * ready.each:
            ready = prepared[result.SubscriptionId] = Prepared(subscription, hz)
        body = ready.encode()
        head = ua.PublishResponse()
        head.ResponseHeader.RequestHandle = request.requesthdr.RequestHandle
        encoded = b"\x01\x00\x3d\x03"
        encoded += struct_to_binary(head.ResponseHeader)
        encoded += result.SubscriptionId.to_bytes(4, "little") + b"\x00\x00\x00\x00" + b"\x00"
        encoded += result.NotificationMessage.SequenceNumber.to_bytes(4, "little") + ready.at.to_bytes(8, "little")
        encoded += b"\x01\x00\x00\x00" + b"\x01\x00\x2b\x03\x01" + len(body).to_bytes(4, "little") + body
        encoded += b"\xff\xff\xff\xff" + b"\xff\xff\xff\xff"
        self._transport.write(self._connection.message_to_binary(encoded, request_id=request.seqhdr.RequestId))
        subscription._not_acknowledged_results.pop(result.NotificationMessage.SequenceNumber, None)
        sent += len(ready.items)

    InternalSubscription._pop_publish_result = full
    InternalSubscription.has_published_results = lambda self: True
    MonitoredItemService.trigger_datachange = silent
    UaProcessor.forward_publish_response = send


async def main(arguments: argparse.Namespace) -> None:
    install(arguments.hz)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{arguments.port}/blast")
    index = await server.register_namespace("urn:fabriquay:blast")
    for number in range(arguments.items):
        await server.nodes.objects.add_variable(ua.NodeId(f"v{number}", index), f"v{number}", 0.0)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with server:
        print("ready", server.bserver.port, flush=True)
        while await reader.readline():
            print(sent, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--hz", type=float, default=10)
    asyncio.run(main(parser.parse_args()))
