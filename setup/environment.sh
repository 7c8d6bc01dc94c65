#!/bin/sh
# environment.sh {demo|dev|bench}: makes or brings up to date the virtual environment .venv from the lock of that name.
# Needs Python 3.11 or newer and nothing else: where Debian's Python comes without ensurepip, pip is taken from
# Debian's own package into a private folder (no root, nothing installed on the machine).
set -eu
cd "$(dirname "$0")/.."
kind=${1:?usage: environment.sh demo|dev|bench}
say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 2; }

python=${PYTHON:-}
for candidate in $python python3.11 python3.12 python3.13 python3; do
    if command -v "$candidate" >/dev/null 2>&1 &&
        "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || fail "no Python 3.11 to 3.13 found; install it (Debian: apt install python3) or set PYTHON"

stamp() { echo "$1 $(cat "setup/$1.lock" setup/bootstrap.lock | sha256sum | cut -c1-16)"; }
have=$(cat .venv/.synced 2>/dev/null || true)
[ "$have" = "$(stamp "$kind")" ] && exit 0
[ "$kind" != bench ] && [ "$have" = "$(stamp bench)" ] && exit 0 # the greater one serves the lesser
[ "$kind" = demo ] && [ "$have" = "$(stamp dev)" ] && exit 0

if [ ! -x .venv/bin/python ]; then
    say "creating the virtual environment .venv with $("$python" --version)"
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv .venv
    else
        "$python" -m venv --without-pip .venv
    fi
fi
if [ ! -x .venv/bin/uv ]; then
    if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
        command -v apt-get >/dev/null || fail "this Python has no ensurepip and there is no apt-get; install python3-venv"
        say "this Python has no ensurepip: taking pip from Debian's python3-pip-whl into .cache/pip"
        sh setup/debian-packages.sh .cache/pip bookworm python3-pip-whl
        wheel=$(ls .cache/pip/tree/usr/share/python-wheels/pip-*.whl)
        PYTHONPATH=$wheel .venv/bin/python -m pip install --quiet --no-index --no-deps "$wheel"
    fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r setup/bootstrap.lock
fi
say "installing $(grep -c '==' "setup/$kind.lock") pinned packages (setup/$kind.lock)"
.venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes "setup/$kind.lock"
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
stamp "$kind" > .venv/.synced
