#!/usr/bin/env bash
# Runs the program in a network of its own, sends datagrams over its loopback and reads from its metrics that it has
# counted them to the byte; called by scripts/packages.sh in new namespaces.
#
#   scripts/packages-run.sh ROOT PORT COMMAND…
set -euo pipefail
root=$1 port=$2
shift 2

datagrams=25 payload=100 service=7777
# With the headers of IPv4 and UDP.
bytes=$((datagrams * (payload + 28)))
# CAP_NET_RAW.
permitted=$((1 << 13))

mount -t proc proc "$root/proc"
mount -t proc proc /proc
ip link set lo up

log=$(mktemp)
"$@" >"$log" 2>&1 &
program=$!

fail() {
    printf 'packages: %s\n' "$1" >&2
    tail -n 20 "$log" >&2
    exit 1
}

metrics() { curl --silent --fail --max-time 5 "http://127.0.0.1:$port/metrics" || true; }

# until SECONDS COMMAND…
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    while ! "$@"; do
        kill -0 "$program" 2>/dev/null || fail "the program has ended"
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}

serves() { curl --silent --fail --max-time 5 --output /dev/null "http://127.0.0.1:$port/-/ready"; }
counted() { metrics | grep -q "^trafficmonitor_flow_bytes_total{.*port=\"$service\".*} $bytes\$"; }

until_true 30 serves || fail "nothing answers at port $port"
message=$(printf '%*s' "$payload" '')
for _ in $(seq "$datagrams"); do
    printf '%s' "$message" >/dev/udp/127.0.0.1/$service
done
until_true 60 counted || fail "$bytes bytes were sent, but: $(metrics | grep "port=\"$service\"")"

status=$(cat "/proc/$program/status")
field() { awk -v name="$1:" '$1 == name { print $2 }' <<<"$status"; }
[ "$(field Uid)" != 0 ] || fail "the program runs as root"
for set in CapEff CapPrm; do
    [ $((0x$(field $set) & ~permitted)) = 0 ] || fail "$set has more than CAP_NET_RAW: $(field $set)"
done

kill -TERM "$program"
wait "$program" || fail "the program ended with status $?"
rm -f "$log"
