#!/bin/sh
# timescale.sh fetch: a real PostgreSQL with TimescaleDB (Apache-2 edition, Debian's own packages) in a private folder.
# Prints the folder of its programs. No root, no chroot, nothing installed: a private apt state, dpkg-deb -x, patchelf.
# Debian's C library is used through its own loader, so the machine's may be older.
#
# FABRIQUAY_CACHE   where to put it (default: .cache of this checkout; as root and when the unprivileged user `nobody`,
#                   who has to run it, cannot reach that: a folder below /var/tmp)
# DEBIAN_MIRROR     overrides the mirror that the machine's own apt configuration names
set -eu
suite=${TIMESCALE_SUITE:-trixie} major=${TIMESCALE_POSTGRES:-17}
checkout=$(cd "$(dirname "$0")/.." && pwd)
say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() { printf 'timescale: %s\n' "$*" >&2; exit 2; }
[ "${1:-}" = fetch ] || fail "usage: timescale.sh fetch"
for program in apt-get dpkg-deb flock; do
    command -v $program >/dev/null || fail "$program is missing: this way needs Debian or a derivative of it"
done

cache=$(realpath -m "${FABRIQUAY_CACHE:-$checkout/.cache}")
mkdir -p "$cache"
if [ "$(id -u)" = 0 ] && ! setpriv --reuid=nobody --regid=nogroup --clear-groups test -x "$cache"; then
    cache=/var/tmp/fabriquay-cache-root
    mkdir -p -m 755 $cache
    [ "$(stat -c %u $cache)" = 0 ] || fail "$cache belongs to somebody else; remove it or set FABRIQUAY_CACHE"
fi
folder=$cache/timescale-$suite-$major
tree=$folder/tree bin=$folder/tree/usr/lib/postgresql/$major/bin
mkdir -p "$folder"
exec 9>"$folder/lock"
flock -w 600 9 || fail "another fetch holds $folder/lock for ten minutes; end it and try again"
# The stamp holds the path: the loader and the library folder are patched in as absolute paths.
[ "$(cat "$folder/ready" 2>/dev/null)" = "$folder" ] && { echo "$bin"; exit 0; }

say "fetching PostgreSQL $major with TimescaleDB from Debian $suite into $folder"
patchelf=${PATCHELF:-$checkout/.venv/bin/patchelf}
[ -x "$patchelf" ] || patchelf=$(command -v patchelf) || fail "patchelf is missing: run sh setup/environment.sh dev"
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m1 '/debian/*$' || true)}
[ -n "$mirror" ] || mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p;s/^deb *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -m1 '/debian/*$' || true)
[ -n "$mirror" ] || fail "no Debian mirror in the apt configuration; set DEBIAN_MIRROR"
state=$folder/apt
rm -rf "$tree" "$state" "$folder/ready"
mkdir -p "$state/lists/partial" "$state/archives/partial" "$tree"
: > "$state/status"
printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "$mirror" "$suite" > "$state/private.sources"
apt() {
    apt-get -qq -o "Dir::Etc::sourcelist=$state/private.sources" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferencesparts=/dev/null -o "Dir::State::lists=$state/lists" -o "Dir::State::status=$state/status" \
        -o "Dir::Cache=$state" -o "Dir::Cache::archives=$state/archives" -o APT::Sandbox::User= -o APT::Install-Recommends=0 \
        -o Acquire::Languages=none -o Acquire::Retries=3 -o Debug::NoLocking=1 -o Dpkg::Use-Pty=0 "$@"
}
apt update >&2 || fail "the package lists of Debian $suite could not be fetched; check the network and the mirror"
# apt resolves the closure against an empty status; only the server, the extension and the libraries are kept.
apt --print-uris -y install "postgresql-$major" "postgresql-$major-timescaledb" libc6 | awk '{print $2}' | sed 's/_.*//' |
    grep -E "^(lib|zlib1g|postgresql-$major\$|postgresql-$major-timescaledb\$)" |
    grep -vE '^lib(llvm|clang|perl|python|apt|json-perl|ipc-run)|-perl$|-dev$' > "$state/packages"
[ -s "$state/packages" ] || fail "Debian $suite does not offer postgresql-$major-timescaledb; set TIMESCALE_SUITE"
# shellcheck disable=SC2046
(cd "$state/archives" && apt download $(cat "$state/packages")) >&2 || fail "the packages could not be downloaded"
for package in "$state"/archives/*.deb; do dpkg-deb -x "$package" "$tree"; done
loader=$(find "$tree/usr/lib" -maxdepth 2 -name 'ld-linux*' | head -n1)
[ -n "$loader" ] || fail "no loader in the unpacked C library; this machine's architecture is not supported here"
# DT_RPATH, not RUNPATH: the libraries' own dependencies must inherit it.
for program in postgres initdb pg_ctl; do
    "$patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$(dirname "$loader")" "$bin/$program"
done
"$bin/postgres" --version >&2 || fail "the unpacked server does not run on this machine"
rm -rf "$state"
echo "$folder" > "$folder/ready"
echo "$bin"
