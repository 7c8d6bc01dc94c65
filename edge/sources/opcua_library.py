"""asyncua as this package uses it: its names, untyped because its generated classes are.

The private ones among them are listed in `PRIVATE`; tests/contract/test_opcua_library.py fails when one of them goes.
"""

import logging
from typing import Any, TypeAlias

import asyncua.client.client
import asyncua.client.ua_client
import asyncua.client.ua_session
import asyncua.common.connection
import asyncua.ua
import asyncua.ua.ua_binary

Opaque: TypeAlias = Any  # an object of asyncua's

ua: Opaque = asyncua.ua
Client: Opaque = asyncua.client.client.Client
uatcp_to_binary: Opaque = asyncua.ua.ua_binary.uatcp_to_binary
TransportLimits: Opaque = asyncua.common.connection.TransportLimits
nodeid_from_binary: Opaque = asyncua.ua.ua_binary.nodeid_from_binary
struct_from_binary: Opaque = asyncua.ua.ua_binary.struct_from_binary  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
variant_from_binary: Opaque = asyncua.ua.ua_binary.variant_from_binary  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

TOO_MANY = frozenset(
    ua.StatusCodes.__dict__[name]
    for name in ("BadTooManyOperations", "BadRequestTooLarge", "BadResponseTooLarge", "BadEncodingLimitsExceeded")
)

_arrays: Opaque = asyncua.ua.ua_binary._create_uatype_array_deserializer  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportUnknownVariableType]


def _array_of(kind: Opaque) -> Opaque:
    """The library would make two thousand million nulls of nine bytes: their array has a length and no elements."""
    if kind is ua.VariantType.Null:
        raise ua.UaError("an array of nulls")
    return _arrays(kind)


asyncua.ua.ua_binary._create_uatype_array_deserializer = _array_of  # pyright: ignore[reportPrivateUsage]

PRIVATE = (
    (asyncua.client.ua_session.UaSession, "_send_request"),
    (asyncua.client.ua_client.UASocketProtocol, "_send_request"),
    (asyncua.client.ua_client.UASocketProtocol, "_fail_all_pending"),
    (asyncua.client.ua_client.UASocketProtocol, "_callbackmap"),  # of the instance
    (asyncua.common.connection.SecureConnection, "_drop_incoming_parts"),
    (asyncua.ua.ua_binary, "_create_uatype_array_deserializer"),
    (asyncua.client.client.Client, "_server_nonce"),  # of the instance
    (asyncua.client.client.Client, "_policy_ids"),
    (asyncua.client.client.Client, "_username"),
    (asyncua.client.client.Client, "_password"),
)

logging.getLogger("asyncua").setLevel(logging.WARNING)  # at INFO it formats every whole message


class _Once(logging.Filter):
    """Lets each complaint of the library pass once: all come to us as errors, and again at every attempt to connect."""

    def __init__(self) -> None:
        super().__init__()
        self._told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        new = record.msg not in self._told
        self._told.add(record.msg)
        return new


_protocol = logging.getLogger("asyncua.client.ua_client.UASocketProtocol")
_protocol.setLevel(logging.ERROR)  # its warnings are of answers that are faults; some, as to Republish, are expected
_protocol.addFilter(_Once())
