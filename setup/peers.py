"""Installs the peers that the tests talk to, which this project did not write: OPC UA, Sparkplug, OpenID.

`peers.py bench` installs what the benchmarks compare with, too.
"""

import subprocess
import sys
from pathlib import Path

from page import ROOT, install


def install_python(name: str) -> None:
    """setup/<name>.lock into .cache/<name>: an environment of its own, because they pin old versions of what we use."""
    lock, folder = ROOT / "setup" / f"{name}.lock", ROOT / ".cache" / name
    stamp = folder / ".installed-from"
    if stamp.exists() and stamp.read_text() == lock.read_text():
        return
    sys.stderr.write(f"==> installing the Python {name}\n")
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
    into = ["--python", str(folder / "bin" / "python"), "--require-hashes"]
    subprocess.run([uv, "pip", "install", "--quiet", *into, "-r", str(lock)], check=True)
    stamp.write_text(lock.read_text())


if __name__ == "__main__":
    for peers in ("oidc", "opcua", "page", "sparkplug"):
        install(ROOT / "tests" / "peers" / peers)
    install_python("peers")
    if "bench" in sys.argv[1:]:
        install(ROOT / "tests" / "peers" / "load")
        install_python("thingsboard")
