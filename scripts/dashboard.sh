#!/usr/bin/env bash
# The tests of the dashboard page: headless Chromium over the exporter, with traffic between two network namespaces.
#
#   scripts/dashboard.sh PROGRAM              the tests
#   scripts/dashboard.sh PROGRAM COMMAND…     another command in the namespace of the exporter, which serves at $TM_URL
#
# Needs root, Node.js 20 and Chromium, and Prometheus for the tests of PromQL. No frame leaves the namespaces.
set -euo pipefail
cd "$(dirname "$0")/.."

program=$(realpath "$1")
shift
here=tm-page-$$-a there=tm-page-$$-b
url=http://127.0.0.1:8888
log=$(mktemp)
started=()

end() {
    local pid
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    ip netns del "$here" 2>/dev/null || true
    ip netns del "$there" 2>/dev/null || true
    rm -f "$log"
}
trap end EXIT

in_namespace() { ip netns exec "$@"; }

# No function runs in the background: the shell around it would be ended, and the program not.
background_in_namespace() {
    ip netns exec "$@" &
    started+=($!)
}

connect() {
    ip netns add "$here"
    ip netns add "$there"
    ip link add eth0 netns "$here" type veth peer name eth0 netns "$there"
    local namespace host
    for namespace in "$here" "$there"; do
        ip -n "$namespace" link set lo up
        ip -n "$namespace" link set eth0 up
    done
    for host in $(seq 2 60); do ip -n "$here" addr add "10.0.0.$host/24" dev eth0; done
    for host in $(seq 1 60); do ip -n "$there" addr add "192.0.2.$host/24" dev eth0; done
    ip -n "$here" route add 192.0.2.0/24 dev eth0
    ip -n "$there" route add 10.0.0.0/24 dev eth0
}

# The windows are short, so that an alert comes and goes within a test. All hosts are in the chart from the start.
capture() {
    background_in_namespace "$here" "$program" -iface eth0 -promHTTP "${url#http://}" -localNetworks 10.0.0.0/24 \
        --scan.interval 10 --alert.hold 2s -ChartMinBytes 1K >"$log" 2>&1
    export TM_EXPORTER_PID=$!
    local attempt
    for attempt in $(seq 1 100); do
        if in_namespace "$here" curl -sf -o /dev/null "$url/-/ready"; then return; fi
        sleep 0.2
    done
    printf 'dashboard: the exporter is not ready after %s attempts:\n' "$attempt" >&2
    cat "$log" >&2
    return 1
}

# Debian's, where it was unpacked (scripts/unpack.sh prometheus), or an installed one.
prometheus=$PWD/target/tools/usr/bin/prometheus
[ -x "$prometheus" ] || prometheus=$(command -v prometheus) || true
[ -z "$prometheus" ] || export TM_PROMETHEUS=$prometheus

scripts/web.sh packages
connect
background_in_namespace "$there" node web/tests/traffic.mjs serve
capture
background_in_namespace "$here" node web/tests/traffic.mjs talk
[ $# -gt 0 ] || set -- scripts/web.sh browser "$url"
export TM_URL=$url TM_ALERT_COMMAND="node $PWD/web/tests/traffic.mjs scan" TM_MANY_COMMAND="node $PWD/web/tests/traffic.mjs many"
in_namespace "$here" "$@"
