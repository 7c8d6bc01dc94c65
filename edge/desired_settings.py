"""What an agent's file says of configurations that come from elsewhere. In: YAML. Out: frozen `DesiredSettings`."""

import base64
import binascii
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from twin.settings import Settings

_KEY_BYTES = 32


def _public_key(text: str) -> str:
    try:
        sound = len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except binascii.Error:
        sound = False
    if not sound:
        raise ValueError("must be an Ed25519 public key, 32 bytes in base64; twin edge keygen prints it")
    return text


class DesiredSettings(Settings):
    """Whose configurations this agent accepts, and how long each has to prove itself."""

    public_key: Annotated[str, AfterValidator(_public_key)]
    probation_s: Annotated[float, Field(ge=1, le=86_400)] = 120.0
    folder: Path | None = None  # where they are kept; default: <this file>.desired beside it
