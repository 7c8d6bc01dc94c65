"""Mosquitto as the demo's broker: the users and topics of `twin.demo.broker`, sessions and queues kept on disk.

In: a port and the users. Out: a configuration in a folder, and the command that serves it. Needs Debian's package
`mosquitto`.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from twin.demo.broker_users import BrokerUser
from twin.errors import ConfigError

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def mosquitto_command(port: int, users: Mapping[str, BrokerUser], folder: Path) -> list[str]:
    """Write configuration, users and topics into `folder`; returns the command that serves 127.0.0.1:`port`.

    Raises:
        ConfigError: Mosquitto is not installed.
    """
    program, hasher = (shutil.which(name, path=_PATH) for name in ("mosquitto", "mosquitto_passwd"))
    if program is None or hasher is None:
        raise ConfigError("--broker mosquitto: Mosquitto is not installed; run: apt install mosquitto")
    folder.mkdir(parents=True, exist_ok=True)
    passwords = _private(folder / "passwords", "".join(f"{name}:{user.password}\n" for name, user in users.items()))
    subprocess.run([hasher, "-U", str(passwords)], check=True)  # noqa: S603 - replaces the passwords by their hashes
    topics = _private(folder / "acl", "\n".join(_topics(name, user) for name, user in users.items()))
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous false",
        f"password_file {passwords}",
        f"acl_file {topics}",
        "persistence true",
        f"persistence_location {folder}{os.sep}",
        "autosave_interval 1",
        "max_queued_messages 1000000",
        "max_inflight_messages 1000",
    ]
    if os.geteuid() == 0:
        lines.append("user root")  # else it gives up its rights and cannot read the demo's private files
    path = _private(folder / "mosquitto.conf", "\n".join(lines) + "\n")
    return [program, "-c", str(path)]


def _topics(name: str, user: BrokerUser) -> str:
    lines = [f"user {name}"]
    lines += [f"topic write {one}" for one in user.publish]
    lines += [f"topic read {one}" for one in user.subscribe]
    return "\n".join(lines) + "\n"


def _private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path
