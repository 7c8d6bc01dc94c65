"""Installs the peers that the tests talk to: an OPC UA server and Sparkplug nodes that this project did not write."""

import subprocess
import sys
from pathlib import Path

from page import ROOT, install

PYTHON_PEERS = ROOT / ".cache" / "peers"


def install_python() -> None:
    """An environment of their own, because they pin old versions of what we use."""
    lock, stamp = ROOT / "setup" / "peers.lock", PYTHON_PEERS / ".installed-from"
    if stamp.exists() and stamp.read_text() == lock.read_text():
        return
    sys.stderr.write("==> installing the Python peers\n")
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(PYTHON_PEERS)], check=True)
    into = ["--python", str(PYTHON_PEERS / "bin" / "python"), "--require-hashes"]
    subprocess.run([uv, "pip", "install", "--quiet", *into, "-r", str(lock)], check=True)
    stamp.write_text(lock.read_text())


if __name__ == "__main__":
    for peers in ("opcua", "sparkplug"):
        install(ROOT / "tests" / "peers" / peers)
    install_python()
