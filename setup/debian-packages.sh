#!/bin/sh
# debian-packages.sh FOLDER SUITE PACKAGE…: unpacks Debian packages (exactly these, no dependencies) below FOLDER/tree.
# A private apt state, the mirror that this machine already uses, no root, nothing installed.
set -eu
folder=$(realpath -m "$1") suite=$2
shift 2
state=$folder/apt
mkdir -p "$state/lists/partial" "$state/archives/partial" "$folder/tree"
: > "$state/status"
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m1 '/debian/*$' || true)}
[ -n "$mirror" ] || mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p;s/^deb *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -m1 '/debian/*$' || true)
[ -n "$mirror" ] || { echo "debian-packages: no Debian mirror in the apt configuration; set DEBIAN_MIRROR" >&2; exit 2; }
printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "$mirror" "$suite" > "$state/private.sources"
apt() {
    apt-get -qq -o "Dir::Etc::sourcelist=$state/private.sources" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferencesparts=/dev/null -o "Dir::State::lists=$state/lists" -o "Dir::State::status=$state/status" \
        -o "Dir::Cache=$state" -o "Dir::Cache::archives=$state/archives" -o Debug::NoLocking=1 -o APT::Sandbox::User= \
        -o Acquire::Languages=none -o Dpkg::Use-Pty=0 "$@"
}
apt update
(cd "$state/archives" && apt download "$@")
for package in "$state"/archives/*.deb; do dpkg-deb -x "$package" "$folder/tree"; done
