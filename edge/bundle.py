"""A signed configuration: one agent's file, the mappings of its own, a serial number. In: files. Out: JSON; and back.

What is signed is the text of the document, byte for byte, so that nobody has to agree on how JSON is written.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from twin.errors import ConfigError, Rejected
from twin.wire.topic import NODE_NAME

FORMAT = 1
CONFIGURATION = "edge.yaml"  # what a configuration is called in its folder
MOST_BYTES = 4 << 20
_MAPPING_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*){0,8}")
_RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw


@dataclass(frozen=True, slots=True)
class Bundle:
    """A configuration that somebody wants a node to have."""

    node: str
    serial: int  # grows with every one that is meant for the node
    configuration: str
    mappings: Mapping[str, str]  # path from the configuration's folder → text
    least_share: float = 0.5  # of the values per second before, that it has to reach
    fingerprint: str = ""  # of the document that was signed; "" before

    def signed(self, key: Ed25519PrivateKey) -> bytes:
        """The message for the command topic, which is the bundle's file, too."""
        document = json.dumps(
            {
                "format": FORMAT,
                "node": self.node,
                "serial": self.serial,
                "least_share": self.least_share,
                "configuration": self.configuration,
                "mappings": dict(self.mappings),
            }
        )
        signature = base64.b64encode(key.sign(document.encode())).decode()
        return json.dumps({"want": "configuration", "document": document, "signature": signature}).encode()


def opened(payload: bytes, public_key: str) -> Bundle:
    """The content of a bundle that was signed with the key that belongs to `public_key` (base64).

    Raises:
        Rejected: 'malformed', or 'bad-signature'.
    """
    document, signature = _outer(payload)
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key)).verify(signature, document.encode())
    except (InvalidSignature, ValueError) as error:
        raise Rejected("bad-signature", "the configuration is not signed with this agent's key") from error
    return _inner(document)


def unverified(payload: bytes) -> Bundle:
    """The same without the key, to say what a bundle claims to be.

    Raises:
        Rejected: 'malformed'.
    """
    return _inner(_outer(payload)[0])


def new_key() -> tuple[bytes, str]:
    """A private key as PEM, and the public one as it stands in an agent's file."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, base64.b64encode(key.public_key().public_bytes(*_RAW)).decode()


def read_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file.

    Raises:
        ConfigError: it cannot be read or is another kind of key.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); make a key with twin edge keygen") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: is no private key without pass phrase; make one with twin edge keygen") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: is no Ed25519 key; make one with twin edge keygen")
    return key


def is_mapping_path(path: str) -> bool:
    """Whether a mapping's path stays within the configuration's folder."""
    return _MAPPING_PATH.fullmatch(path) is not None


def _outer(payload: bytes) -> tuple[str, bytes]:
    if len(payload) > MOST_BYTES:
        raise Rejected("malformed", f"a configuration of {len(payload)} bytes is not accepted")
    try:
        match json.loads(payload):
            case {"want": "configuration", "document": str(document), "signature": str(signature)}:
                return document, base64.b64decode(signature, validate=True)
            case _:
                raise Rejected("malformed", "not a signed configuration")
    except (ValueError, RecursionError, binascii.Error) as error:
        raise Rejected("malformed", f"not a signed configuration: {error}") from error


def _inner(document: str) -> Bundle:
    try:
        found: Any = json.loads(document)
        bundle = Bundle(
            node=found["node"],
            serial=found["serial"],
            configuration=found["configuration"],
            mappings=found["mappings"],
            least_share=found["least_share"],
            fingerprint=hashlib.sha256(document.encode()).hexdigest(),
        )
        sound = found["format"] == FORMAT and _is_sound(bundle)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Rejected("malformed", f"the signed document is not a configuration: {error!r}") from error
    if not sound:
        raise Rejected("malformed", "the signed document has another format, a bad node name, serial or mapping path")
    return bundle


def _is_sound(bundle: Bundle) -> bool:
    mappings = cast("object", bundle.mappings)
    return (
        NODE_NAME.fullmatch(bundle.node) is not None
        and type(bundle.serial) is int
        and 0 < bundle.serial < 1 << 53
        and isinstance(cast("object", bundle.least_share), int | float)
        and isinstance(cast("object", bundle.configuration), str)
        and isinstance(mappings, dict)
        and all(
            isinstance(text, str) and is_mapping_path(path) and path != CONFIGURATION
            for path, text in cast("dict[str, object]", mappings).items()
        )
    )
