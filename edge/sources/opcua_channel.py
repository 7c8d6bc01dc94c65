"""An activated session on an open secure channel: what is asked of asyncua's client, and the door for its errors.

In: a client whose session is active (`edge.sources.opcua_connect`). Out: `Channel`, which only reads and subscribes.
"""

import asyncio
import logging
import struct
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from asyncua.common.utils import Buffer
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from edge.sources.opcua_library import Opaque, nodeid_from_binary, struct_from_binary, ua
from twin.errors import Retryable

_CLOSE_S = 1.0  # for a polite good-bye when we are stopped
_SERVICE_FAULT = 397
_MALFORMED = (struct.error, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError)


class Refused(Retryable):
    """The server answered with a bad status code."""

    def __init__(self, what: str, code: int) -> None:
        self.code: int = code
        self.name: str = ua.StatusCode(code).name
        super().__init__(f"{what}: the server answers {self.name}")


@contextmanager
def door(what: str) -> Generator[None]:
    """Translate whatever the library raises while it does `what`.

    Raises:
        Refused: the server answered with a bad status code.
        Retryable: the connection failed, timed out, or what came back was not OPC UA.
    """
    try:
        yield
    except ua.UaStatusCodeError as error:
        raise Refused(what, error.code) from error
    except TimeoutError as error:
        raise Retryable(f"{what}: no answer in time") from error
    except (ua.UaError, OSError, InvalidSignature, UnsupportedAlgorithm, *_MALFORMED) as error:
        raise Retryable(f"{what}: {str(error) or type(error).__name__}") from error


@dataclass(slots=True)
class SessionMemory:
    """What a new connection needs in order to take up the session of the last one."""

    token: Opaque
    nonce: bytes | None
    token_policies: list[Opaque]
    server_certificate: bytes | None


class Channel:
    """One connection with an activated session. Everything it raises is `Retryable`."""

    def __init__(self, client: Opaque, *, resumed: bool) -> None:
        self.resumed: bool = resumed  # True: the server still knew our session
        self._client: Opaque = client
        self._session: Opaque = client.uaclient.session
        self._protocol: Opaque = client.uaclient.protocol

    def memory(self) -> SessionMemory:
        """What the next connection needs to resume this session."""
        return _remember(self._client)

    async def read(self, nodes: list[Opaque], what: str) -> list[Opaque]:
        """The Value attribute of each node."""
        with door(f"read {what}"):
            return await self._session.read_attributes(nodes, ua.AttributeIds.Value)

    async def read_attributes(self, wanted: list[tuple[Opaque, int]], what: str) -> list[Opaque]:
        """One DataValue for each node and attribute."""
        parameters = ua.ReadParameters()
        for node, attribute in wanted:
            value = ua.ReadValueId()
            value.NodeId, value.AttributeId = node, attribute
            parameters.NodesToRead.append(value)
        with door(f"read {what}"):
            return await self._session.read(parameters)

    async def browse(self, nodes: list[Opaque]) -> list[Opaque]:
        """Objects and variables below each node; a result may have a continuation point."""
        parameters = ua.BrowseParameters()
        for node in nodes:
            description = ua.BrowseDescription()
            description.NodeId = node
            description.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HierarchicalReferences)
            description.NodeClassMask = ua.NodeClass.Object | ua.NodeClass.Variable
            description.ResultMask = ua.BrowseResultMask.All
            parameters.NodesToBrowse.append(description)
        with door("browse"):
            return await self._session.browse(parameters)

    async def browse_next(self, points: list[bytes]) -> list[Opaque]:
        """What comes after each continuation point."""
        parameters = ua.BrowseNextParameters()
        parameters.ReleaseContinuationPoints = False
        parameters.ContinuationPoints = points
        with door("browse"):
            return await self._session.browse_next(parameters)

    async def read_history(self, details: Opaque, nodes: list[Opaque]) -> bytes:
        """HistoryRead of some nodes: the response after its header, not yet decoded."""
        request = ua.HistoryReadRequest()
        request.Parameters.HistoryReadDetails = details
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ReleaseContinuationPoints = False
        request.Parameters.NodesToRead = nodes
        with door("read history"):
            return response_body(await self._session._send_request(request))

    async def create_subscription(self, parameters: Opaque) -> Opaque:
        """A new subscription (asyncua's own publish loop is not started)."""
        request = ua.CreateSubscriptionRequest()
        request.Parameters = parameters
        with door("create the subscription"):
            answer = struct_from_binary(ua.CreateSubscriptionResponse, await self._session._send_request(request))
            return answer.Parameters

    async def create_monitored_items(self, parameters: Opaque) -> list[Opaque]:
        """One batch of items; each has its own status."""
        with door("create monitored items"):
            return await self._session.create_monitored_items(parameters)

    async def refresh_conditions(self, subscription_id: int) -> None:
        """Let the server send the present state of all its conditions (Part 9, ConditionRefresh)."""
        request = ua.CallMethodRequest()
        request.ObjectId = ua.NodeId(ua.ObjectIds.ConditionType)
        request.MethodId = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)
        request.InputArguments = [ua.Variant(subscription_id, ua.VariantType.UInt32)]
        with door("refresh conditions"):
            (result,) = await self._session.call([request])
            result.StatusCode.check()

    async def transfer(self, subscription_id: int) -> None:
        """Take a subscription of an earlier session over into this one."""
        parameters = ua.TransferSubscriptionsParameters()
        parameters.SubscriptionIds = [subscription_id]
        parameters.SendInitialValues = True
        with door("transfer the subscription"):
            (result,) = await self._session.transfer_subscriptions(parameters)
            result.StatusCode.check()

    async def delete_subscription(self, subscription_id: int) -> None:
        """Let the server forget a subscription."""
        with door("delete the subscription"):
            await self._session.delete_subscriptions([subscription_id])

    async def republish(self, subscription_id: int, sequence_number: int) -> bytes:
        """One NotificationMessage once more, not yet decoded."""
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = subscription_id
        request.Parameters.RetransmitSequenceNumber = sequence_number
        with door(f"republish {sequence_number}"):
            return response_body(await self._session._send_request(request))

    def publish(
        self, acknowledgements: list[tuple[int, int]], arrived: Callable[["asyncio.Future[Buffer]"], None]
    ) -> None:
        """Send one PublishRequest; `arrived` is called with the future that holds the answer or the error."""
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = [
            ua.SubscriptionAcknowledgement(SubscriptionId=subscription, SequenceNumber=number)
            for subscription, number in acknowledgements
        ]
        with door("publish"):
            answer = cast("asyncio.Future[Buffer]", self._protocol._send_request(request, 0))
        answer.add_done_callback(arrived)

    async def keep_secure(self) -> None:
        """Renew the channel's security token in time, for ever."""
        while True:
            await asyncio.sleep(self._client.secure_channel_timeout / 1000 * 0.75)
            with door("renew the secure channel"):
                await self._client.open_secure_channel(renew=True)
                self._client.uaclient.revolve_security_token()

    async def close(self) -> None:
        """Close the session and its subscriptions; nobody minds when that fails."""
        try:
            with door("close the session"):
                async with asyncio.timeout(_CLOSE_S):
                    await self._session.close_session(True)
        except Retryable as error:
            logging.getLogger(__name__).debug("%s", error)

    def drop(self) -> None:
        """Cut the connection at once; the session stays on the server."""
        if self._protocol.transport is not None:
            self._protocol.transport.abort()


def response_body(answer: Buffer) -> bytes:
    """What follows the header of a response.

    Raises:
        ua.UaStatusCodeError: when it is a ServiceFault, or its service result is bad.
    """
    kind = nodeid_from_binary(answer)
    header = struct_from_binary(ua.ResponseHeader, answer)
    header.ServiceResult.check()
    if kind.Identifier == _SERVICE_FAULT:
        raise ua.UaStatusCodeError(ua.StatusCodes.BadUnexpectedError)
    return answer.read(len(answer))


def _remember(client: Opaque) -> SessionMemory:
    return SessionMemory(
        client.uaclient.session.authentication_token,
        client._server_nonce,
        client._policy_ids,
        client.security_policy.peer_certificate,
    )
