#!/bin/sh
# Installs what the tests need beside Python packages: Mosquitto, Chromium and what drives it from Debian, TimescaleDB into a private folder.
set -eu
cd "$(dirname "$0")/.."
say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
missing=
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || missing="$missing mosquitto"
command -v mosquitto_pub >/dev/null || missing="$missing mosquitto-clients"
command -v chromium >/dev/null || missing="$missing chromium fonts-dejavu-core"
/sbin/ldconfig -p | grep -q 'libatomic\.so\.1' || missing="$missing libatomic1" # of the browser's driver
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then root=; elif command -v sudo >/dev/null; then root=sudo; else
        echo "setup: the tests need$missing; run: su -c 'apt-get install --no-install-recommends$missing'" >&2
        exit 2
    fi
    say "installing for the tests:$missing"
    $root apt-get -qq update
    DEBIAN_FRONTEND=noninteractive $root apt-get -qq install -y --no-install-recommends -o Dpkg::Use-Pty=0 $missing >/dev/null
fi
sh setup/timescale.sh fetch
