#!/usr/bin/env bash
# Builds a release into dist/: an archive with the stripped binary and its files, the debug symbols, the list of what the
# binary consists of (SPDX) and SHA256SUMS. bin/trafficmonitor is the same binary, with its symbols beside it.
#
#   scripts/release.sh                   build, for this machine
#   BINARY=FILE scripts/release.sh       take this binary; its size and its paths are not checked
#
# environment: DIST, BIN (folders), SOURCE_DATE_EPOCH
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/release-env.sh

target=$(rustc --version --verbose | sed -n 's/^host: //p')
name=trafficmonitor-$version-$target
bin=${BIN:-$PWD/bin}

binary=${BINARY:-}
if [ -z "$binary" ]; then
    without_build_paths
    make_small "$target"
    cargo build --release --locked
    binary=$CARGO_TARGET_DIR/release/trafficmonitor
fi

split "$binary" "$bin/trafficmonitor"
if [ -z "${BINARY:-}" ]; then
    check_build_paths "$bin/trafficmonitor"
    check_size "$bin/trafficmonitor"
fi

stage=$CARGO_TARGET_DIR/package/$name
rm -rf "$stage"
mkdir -p "$stage" "$dist"
rm -f "$dist/$name".*
printed "$stage" "$bin/trafficmonitor"
install -m 755 "$bin/trafficmonitor" "$stage/"
cp -r LICENSE NOTICE CHANGELOG.md alerts.rules.yml grafana examples "$stage/"
# These need the sources.
rm "$stage"/examples/{compose.yml,test-traffic.rs}
sed -i 's|^#   install -m 755 bin/|#   install -m 755 |' "$stage/examples/trafficmonitor.service"
scripts/documents.py copy "$stage"
scripts/dependencies.py licences "$target" >"$stage/THIRD-PARTY.txt"
archive "$stage" "$dist/$name.tar.gz"
install -m 644 "$bin/trafficmonitor.debug" "$dist/$name.debug"
libpcap=$("$bin/trafficmonitor" --version | sed -n 's/^libpcap version \([^ ]*\).*/\1/p')
scripts/dependencies.py sbom "$target" "$bin/trafficmonitor" "$libpcap" >"$dist/$name.spdx.json"
sums
