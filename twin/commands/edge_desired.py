"""`twin edge keygen, sign, apply, push`: signed configurations. In: files. Out: files, a retained command, words."""

import asyncio
import os
import time
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, cast
from uuid import uuid4

import yaml

from edge.bundle import Bundle, is_mapping_path, new_key, opened, read_key, unverified
from edge.config import load_agent
from edge.desired_store import DesiredStore, folder_of
from edge.mapping_files import own_mappings
from edge.rollout import is_news, unfit
from twin.errors import ConfigError, Rejected
from twin.wire import topic
from twin.wire.mqtt import connect


def keygen(path: Path) -> list[str]:
    """Write a new private key; the lines say what belongs into the agents' files.

    Raises:
        ConfigError: the file exists or cannot be written.
    """
    pem, public = new_key()
    _create(path, pem, 0o600)
    return [f"{path}: the private key; keep it away from the gateways", f"desired: {{public_key: {public}}}"]


def sign(config: Path, key: Path, output: Path, serial: int | None, least_share: float) -> list[str]:
    """Make a bundle of an agent's file and the mappings of its own that it names.

    Raises:
        ConfigError: a file cannot be used.
    """
    text = _text(config)
    try:
        data: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{config}: not valid YAML; see twin edge check") from error
    node = _node(data)
    if not topic.NODE_NAME.fullmatch(node):
        raise ConfigError(f"{config}: node: must stand there as it is, it is who the bundle is for")
    names = sorted({str(PurePosixPath(name)) for name in own_mappings(data)})
    if bad := [name for name in names if not is_mapping_path(name)]:
        raise ConfigError(f"{config}: mapping {bad[0]}: a bundle takes mappings beside or below the file only; move it")
    mappings = {name: _text(config.parent / name) for name in names}
    bundle = Bundle(node, serial or int(time.time()), text, mappings, least_share)
    _create(output, bundle.signed(read_key(key)), 0o644)
    told = f"{output}: configuration {bundle.serial} of {node}, {len(mappings)} mappings of its own"
    return [f"{told}; next: twin edge push {output}"]


def apply(bundle: Path, config: Path) -> list[str]:
    """Check a bundle and hand it to the agent on this machine, whether it runs now or starts later.

    Raises:
        ConfigError: it is not for this agent, or its configuration is wrong.
    """
    settings = load_agent(config)
    store = DesiredStore(config, folder_of(config, settings))
    settings = load_agent(store.path())
    if settings.desired is None:
        raise ConfigError(f"{config}: desired.public_key is missing; this agent takes no configurations")
    payload = _bytes(bundle)
    try:
        found = opened(payload, settings.desired.public_key)
        if not is_news(found, store, settings.node):
            return [f"configuration {found.serial} was decided on already: {store.state.status} {store.state.detail}"]
    except Rejected as error:
        raise ConfigError(f"{bundle}: {error}") from error
    with TemporaryDirectory() as folder:
        staged = DesiredStore(config, Path(folder)).stage(found)
    if problem := unfit(staged, settings):
        raise ConfigError(f"{bundle}: {problem}")
    _hand_over(payload, store.inbox)
    return [f"configuration {found.serial} waits for the agent; its health report says what becomes of it"]


def push(bundle: Path, config: Path) -> list[str]:
    """Publish a bundle, retained, for its node: it takes it now or when it next connects.

    Raises:
        ConfigError: a file cannot be used.
        Retryable: the broker is away.
    """
    payload = _bytes(bundle)
    try:
        found = unverified(payload)
    except Rejected as error:
        raise ConfigError(f"{bundle}: {error}") from error
    from twin.commands.settings import load_twin  # knows the plant, which a gateway need not load

    broker = load_twin(config).broker

    async def publish() -> None:
        async with connect(broker, client_id=f"fabriquay-push-{uuid4().hex[:12]}") as client:
            await client.publish(topic.command(found.node), payload, qos=1, retain=True)

    asyncio.run(publish())
    return [f"configuration {found.serial} is on its way to {found.node}; its health report says what becomes of it"]


def _node(data: object) -> str:
    return str(cast("dict[str, object]", data).get("node", "")) if isinstance(data, dict) else ""


def _hand_over(payload: bytes, inbox: Path) -> None:
    folder = inbox.parent
    folder.mkdir(parents=True, exist_ok=True)
    fresh = inbox.with_name(".inbox.new")
    fresh.write_bytes(payload)
    if os.geteuid() == 0:  # the agent has a user of its own, that of the folder
        owner = folder.parent.stat()
        for path in (folder, fresh):
            os.chown(path, owner.st_uid, owner.st_gid)
    fresh.replace(inbox)


def _create(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists; choose another file, nothing is overwritten") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); choose another file") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path") from error


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
