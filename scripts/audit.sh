#!/usr/bin/env bash
# Checks the dependencies against the advisory database of RustSec, which cargo deny fetches: the network is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

export PATH="$PWD/target/tools/bin:$PATH"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
if ! cargo deny --version >/dev/null 2>&1; then
    # Not optimised: it builds in a third of the time and runs for a second.
    cargo install cargo-deny --version 0.20.2 --locked --quiet --debug --no-default-features --root target/tools \
        --target-dir target/tools/build
    rm -rf target/tools/build
fi
if ! cargo deny --locked check advisories; then
    printf 'audit: an advisory applies (see above), or the database could not be fetched\n' >&2
    exit 1
fi
