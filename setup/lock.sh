#!/bin/sh
# Makes the lock files anew: every dependency with its hashes, no addresses. Run after editing pyproject.toml.
set -eu
cd "$(dirname "$0")/.."
UV=${UV:-.venv/bin/uv}
lock() { # lock FILE ARGUMENT…
    out=setup/$1; shift
    "$UV" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links pyproject.toml "$@" --output-file "$out"
}
lock edge.lock --extra edge
lock run.lock --extra twin --extra api --extra traces
lock demo.lock --extra demo --group build --group page
lock dev.lock --extra demo --group dev
lock bench.lock --extra demo --group dev --group bench
printf 'mqtt-spb-wrapper==2.1.2\naas-http-client==1.2.2\n' | "$UV" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-annotate --no-emit-index-url - --output-file setup/peers.lock
printf 'thingsboard-gateway==3.8.5\nasyncua==1.1.5\n' | "$UV" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url - --output-file setup/thingsboard.lock # it wants exactly this asyncua
printf 'uv\n' | "$UV" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url - --output-file setup/bootstrap.lock
