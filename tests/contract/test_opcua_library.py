"""The private names of asyncua that the OPC UA source leans on are still what they were."""

import inspect

from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UASocketProtocol
from asyncua.client.ua_session import UaSession
from asyncua.common.connection import TransportLimits
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import variant_from_binary

from edge.sources.opcua_library import PRIVATE


async def test_every_private_name_exists() -> None:
    client, protocol = Client("opc.tcp://127.0.0.1:1"), UASocketProtocol(1)
    for owner, name in PRIVATE:
        instance = {Client: client, UASocketProtocol: protocol}.get(owner)
        assert hasattr(owner, name) or hasattr(instance, name), f"{owner.__name__}.{name} is gone"


def test_requests_are_sent_as_we_send_them() -> None:
    assert list(inspect.signature(UaSession._send_request).parameters)[:3] == ["self", "request", "timeout"]
    assert inspect.iscoroutinefunction(UaSession._send_request)
    assert list(inspect.signature(UASocketProtocol._send_request).parameters)[:3] == ["self", "request", "timeout"]
    assert not inspect.iscoroutinefunction(UASocketProtocol._send_request)  # it returns the future of the answer


async def test_the_client_has_the_hooks_that_a_resumed_session_needs() -> None:
    client = Client("opc.tcp://127.0.0.1:1", timeout=3)
    session = client.uaclient.session
    token = ua.NodeId(5, 1)
    session.restore_authentication_token(token)
    assert session.authentication_token == token
    session.reset_authentication_token()
    assert session.authentication_token.is_null()
    assert client.uaclient.pre_request_hook is not None
    assert client.uaclient.protocol is None
    assert not client.security_policy.peer_certificate
    assert callable(client.uaclient.revolve_security_token)


def test_a_variant_is_decoded_in_the_middle_of_a_buffer() -> None:
    data = b"xx" + bytes([6]) + (7).to_bytes(4, "little") + b"rest"
    buffer = Buffer(data, 2, len(data) - 2)
    assert variant_from_binary(buffer).Value == 7
    assert data[buffer.cur_pos :] == b"rest"


async def test_the_limits_of_a_connection_stand_where_we_put_ours() -> None:
    protocol = UASocketProtocol(1)
    assert isinstance(protocol._connection._limits, TransportLimits)
    assert protocol.receive_buffer is None
    assert protocol._connection._incoming_parts == []
    methods = ("is_msg_size_within_limit", "is_chunk_count_within_limit", "update_client_limits")
    assert all(hasattr(TransportLimits, name) for name in methods)
