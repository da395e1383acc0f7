#!/usr/bin/env bash
# The dashboard page in web/. The built page is committed: cargo needs neither Node.js nor npm.
#
#   scripts/web.sh build            checks the types, builds web/dist
#   scripts/web.sh format           formats the sources
#   scripts/web.sh check            formats and types; builds the page again elsewhere: the same to the byte?
#   scripts/web.sh packages         installs the packages of package-lock.json
#   scripts/web.sh unit             the unit tests
#   scripts/web.sh browser URL      the tests in headless Chromium, over the exporter at URL
#   scripts/web.sh measure URL      frames per second, longest task, time to the first view
#   scripts/web.sh pictures URL     draws docs/dashboard-*.webp
set -euo pipefail
cd "$(dirname "$0")/../web"

die() {
    printf 'web: %s\n' "$*" >&2
    exit 1
}

command -v npm >/dev/null || die "npm is missing: install Node.js 20 or newer (Debian's packages nodejs and npm)"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || die "Node.js $(node --version) is too old: 20 or newer is needed"

# npm notes in node_modules what it installed.
packages() {
    [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-progress
}

types() { node_modules/.bin/tsc; }

check() {
    local again
    again=$(mktemp -d)
    trap 'rm -rf "$again"' RETURN
    node build.mjs "$again"
    diff -rq dist "$again" || die "web/dist is not what web/src gives: run scripts/web.sh build and commit web/dist"
}

url() { [ -n "${1:-}" ] || die "name the exporter's address: scripts/web.sh browser http://127.0.0.1:8888"; }

case "${1:-}" in
packages) packages ;;
build) packages && types && node build.mjs ;;
format) packages && node_modules/.bin/prettier --log-level warn --write . ;;
check) packages && node_modules/.bin/prettier --log-level warn --check . && types && check ;;
unit) packages && node build.mjs --unit && node --test build/unit/ ;;
browser) url "${2:-}" && packages && TM_URL=$2 node --test tests/all.test.mjs ;;
measure) url "${2:-}" && packages && TM_URL=$2 node tests/measure.mjs ;;
pictures) url "${2:-}" && packages && TM_URL=$2 node tests/pictures.mjs ../docs ;;
*) die "usage: scripts/web.sh packages|build|format|check|unit|browser URL|measure URL|pictures URL" ;;
esac
