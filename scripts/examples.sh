#!/usr/bin/env bash
# Checks the files of examples/ and the examples of README.md by the programs that read them: the group `examples` of
# scripts/test.sh.
#
#   scripts/examples.sh DIRECTORY       where trafficmonitor and the built examples are (target/debug)
set -euo pipefail
cd "$(dirname "$0")/.."
binaries=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Runs a check and says how it went; the first that fails ends the script.
check() {
    local what=$1
    shift
    "$@" >"$scratch/output" 2>&1 || {
        printf 'examples: %s: FAILED: %s\n' "$what" "$*"
        cat "$scratch/output"
        exit 1
    }
    printf 'examples: %s: ok\n' "$what"
}

# systemd wants the program to be there, so a copy of the unit names one that is; the rest is what people install.
unit=$scratch/trafficmonitor.service
sed 's,^ExecStart=[^ ]*,ExecStart=/bin/true,' examples/trafficmonitor.service >"$unit"

only_capability_is_net_raw() {
    [ "$(grep -E '^(Ambient)?Capabilit(yBoundingSet|ies)=' "$unit" | cut -d= -f2 | sort -u)" = CAP_NET_RAW ]
}

names_no_interface() {
    ! grep -v '^#' "$unit" | grep -qE -- '-(i|iface|interface)\b|TRAFFICMONITOR_IFACE'
}

wrong_usage_ends_it() { grep -qx 'RestartPreventExitStatus=2' "$unit"; }

# A hung service is ended by the watchdog, and both that and a failure start it again.
hung_service_is_restarted() {
    grep -qx 'Type=notify' "$unit" && grep -qE '^WatchdogSec=[0-9]+s$' "$unit" && grep -qx 'Restart=on-failure' "$unit"
}

# Each directory that the comments of the unit offer is one that systemd makes for the service.
directories_are_made() {
    local directory made
    made=$(sed -nE 's,^StateDirectory=,/var/lib/,p; s,^LogsDirectory=,/var/log/,p' "$unit" | sed 's, , /var/lib/,g' | tr ' ' '\n')
    grep -oE '/var/(lib|log)/[a-z/.]*' "$unit" | sed 's,/[a-z]*\.[a-z]*$,,' | sort -u | while read -r directory; do
        grep -qx "$directory" <<<"$made" || return 1
    done
}

# $1 tenths of exposure at most. The score of the unit and of what is beside it as drop-ins.
exposure() { systemd-analyze security --offline=yes --threshold="$1" "$unit"; }

kernel_path_is_allowed() {
    local lines=$unit.d/kernel-path.conf
    for capability in CAP_BPF CAP_NET_ADMIN CAP_PERFMON; do
        [ "$(grep -cE "^(Ambient)?Capabilit(yBoundingSet|ies)=.*\b$capability\b" "$lines")" = 2 ] || return
    done
    grep -qx 'SystemCallFilter=bpf' "$lines"
}

# The block number $1 of the language $2 in README.md.
block() {
    awk -v wanted="$1" -v begin="\`\`\`$2" '
        $0 == begin { number++; inside = number == wanted; next }
        /^```/ { inside = 0 }
        inside' README.md
}

block 1 yaml >"$scratch/prometheus.yml"
block 2 yaml >"$scratch/rules.yml"
# Each query as a rule, which promtool reads.
{
    printf 'groups:\n  - name: queries\n    rules:\n'
    block 1 promql | grep -v '^#' | sed "s/.*/      - {record: 'query', expr: '&'}/"
} >"$scratch/queries.yml"

check "prometheus.yml" promtool check config --syntax-only examples/prometheus.yml
check "alertmanager.yml" amtool check-config examples/alertmanager.yml
check "trafficmonitor.service: systemd reads it" systemd-analyze verify "$unit"
check "trafficmonitor.service: names no interface" names_no_interface
check "trafficmonitor.service: no restart after wrong usage" wrong_usage_ends_it
check "trafficmonitor.service: one capability" only_capability_is_net_raw
check "trafficmonitor.service: a hung service is restarted" hung_service_is_restarted
check "trafficmonitor.service: its directories are made" directories_are_made
check "trafficmonitor.service: exposure of 2 of 10 at most" exposure 20
cp -r examples/trafficmonitor.service.d "$scratch"
check "kernel-path.conf: systemd reads it" systemd-analyze verify "$unit"
check "kernel-path.conf: what the program asks for" kernel_path_is_allowed
check "kernel-path.conf: exposure of 2 of 10 at most" exposure 20
check "trafficmonitor.yml" "$binaries/trafficmonitor" --config.file examples/trafficmonitor.yml --config.check
check "cases.yml" "$binaries/trafficmonitor" test examples/cases.yml
check "README.md: configuration of Prometheus" promtool check config --syntax-only "$scratch/prometheus.yml"
check "README.md: rules" promtool check rules "$scratch/rules.yml"
check "README.md: queries" promtool check rules "$scratch/queries.yml"
check "README.md: picture" scripts/picture.py "$binaries/trafficmonitor" --check
