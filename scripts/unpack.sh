#!/usr/bin/env bash
# Unpacks Debian packages under target/tools, without installing them: on a machine with systemd an installed
# `prometheus` would start a service. UNPACK_INTO names another folder.
#
#   scripts/unpack.sh PACKAGE[=VERSION]…
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${UNPACK_INTO:-$PWD/target/tools}

# The sandbox user `_apt` cannot write here; without the option apt says so each time.
fetch() {
    (cd "$download" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$1")
}

# A new machine or container may have no package lists, or stale ones.
refresh() {
    if [ "$(id -u)" = 0 ]; then apt-get update -q; else sudo apt-get update -q; fi
}

for package in "$@"; do
    [ ! -e "$tools/unpacked/$package" ] || continue
    download=$(mktemp -d)
    trap 'rm -rf "$download"' EXIT
    fetch "$package" || { refresh && fetch "$package"; } || {
        printf 'unpack: cannot download the Debian package %s (apt-get download %s)\n' "$package" "$package" >&2
        exit 1
    }
    mkdir -p "$tools/unpacked"
    dpkg -x "$download"/*.deb "$tools"
    touch "$tools/unpacked/$package"
    rm -rf "$download"
done
