#!/usr/bin/env bash
# Checks the dashboards in grafana/ against the schema that Grafana publishes as an npm package.
#
#   scripts/grafana.sh fetch        puts the schema and the TypeScript compiler under target/tools
#   scripts/grafana.sh check        checks every dashboard
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$PWD/target/tools/grafana-schema
schema=13.2.3
typescript=5.9.3

fetch() {
    [ ! -e "$folder/fetched-$schema-$typescript" ] || return 0
    rm -rf "$folder"
    mkdir -p "$folder"
    # A package.json of its own: npm would look for one in the folders above.
    echo '{"private": true}' >"$folder/package.json"
    npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel error --save-exact \
        "@grafana/schema@$schema" "typescript@$typescript"
    touch "$folder/fetched-$schema-$typescript"
}

case "${1:-}" in
fetch) fetch ;;
check)
    fetch
    node scripts/grafana.mjs "$folder"
    ;;
*) printf 'usage: scripts/grafana.sh fetch|check\n' >&2 && exit 2 ;;
esac
