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

# The block number $2 of the language $3 in the document $1.
block() {
    awk -v wanted="$2" -v begin="\`\`\`$3" '
        $0 == begin { number++; inside = number == wanted; next }
        /^```/ { inside = 0 }
        inside' "$1"
}

block README.md 1 yaml >"$scratch/prometheus.yml"
block README.md 2 yaml >"$scratch/rules.yml"
# Each query as a rule, which promtool reads.
{
    printf 'groups:\n  - name: queries\n    rules:\n'
    block README.md 1 promql | grep -v '^#' | sed "s/.*/      - {record: 'query', expr: '&'}/"
} >"$scratch/queries.yml"

# vmagent has no rules and takes the store as an option.
sed -n '/^scrape_configs:/,/^remote_write:/{/^remote_write:/d;p}' examples/prometheus-fleet.yml >"$scratch/scrape.yml"

check "prometheus.yml" promtool check config --syntax-only examples/prometheus.yml
check "prometheus-fleet.yml" promtool check config --syntax-only examples/prometheus-fleet.yml
check "prometheus-fleet.yml: vmagent reads its targets" vmagent -promscrape.config="$scratch/scrape.yml" \
    -promscrape.config.strictParse -promscrape.config.dryRun
check "recording.rules.yml" promtool check rules examples/recording.rules.yml
check "recording.rules.yml: its cases" promtool test rules tests/rules/recording.test.yml
check "recording.rules.yml: vmalert reads it" vmalert -dryRun -rule=examples/recording.rules.yml
check "alerts.rules.yml: vmalert reads it" vmalert -dryRun -rule=alerts.rules.yml
check "vector.yaml, fluent-bit.conf, clickhouse.sql" target/tools/pipelines/bin/python scripts/pipelines.py \
    "$binaries/trafficmonitor"
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

# --- Kubernetes ---

kubectl=$(scripts/kubectl.sh)
# Beside the base and the example of a site's own settings: what that example has as comments, one by one and together.
cp -r examples/kubernetes "$scratch/kubernetes"
with_components() {
    mkdir "$scratch/kubernetes/$1"
    sed "/$2/d; s/^# \(components:\|  - \)/\1/" examples/kubernetes/site/kustomization.yaml \
        >"$scratch/kubernetes/$1/kustomization.yaml"
}
with_components root '\.\.\/reload'
with_components reloading '\.\.\/as-root'
with_components both 'no such line'

render() { "$kubectl" kustomize "$scratch/kubernetes/$1" >"$scratch/$1.yaml"; }

is_root_without_escalation() {
    grep -q 'runAsUser: 0$' "$1" && ! grep -q 'allowPrivilegeEscalation: true' "$1"
}

for folder in base site root reloading both; do
    check "kubernetes/$folder: kustomize reads it" render "$folder"
    check "kubernetes/$folder: schemas and references" scripts/manifests.py check "$scratch/$folder.yaml"
done
check "kubernetes/root: has the other privileges" is_root_without_escalation "$scratch/root.yaml"
check "kubernetes/base: all files are listed" scripts/manifests.py listed examples/kubernetes/base
check "kubernetes/base: configuration" "$binaries/trafficmonitor" --config.file examples/kubernetes/base/trafficmonitor.yml \
    --config.check

cp tests/rules/pods.test.yml "$scratch"
scripts/manifests.py rules "$scratch/base.yaml" trafficmonitor >"$scratch/alerts.rules.yml"
scripts/manifests.py rules "$scratch/base.yaml" trafficmonitor-pods >"$scratch/pods.rules.yml"
check "kubernetes: alerting rules" promtool check rules "$scratch/alerts.rules.yml"
check "kubernetes: rules about pods" promtool check rules "$scratch/pods.rules.yml"
check "kubernetes: rules about pods do as their cases say" promtool test rules "$scratch/pods.test.yml"
{
    printf 'groups:\n  - name: queries\n    rules:\n'
    block docs/kubernetes.md 1 promql | grep -v '^#' | sed "s/.*/      - {record: 'query', expr: '&'}/"
} >"$scratch/queries-pods.yml"
check "docs/kubernetes.md: queries" promtool check rules "$scratch/queries-pods.yml"

# --- compose ---

check "compose.yml: schema and references" scripts/compose.py check examples/compose.yml
check "compose.yml: prometheus" promtool check config "$(scripts/compose.py config examples/compose.yml prometheus)"
check "compose.yml: alertmanager" amtool check-config "$(scripts/compose.py config examples/compose.yml alertmanager)"

# --- The checks find faults: each line has a fault as a sed expression, and what the complaint says of it. ---

finds() {
    local checker=$1 file=$2 faulty fault complaint
    faulty=$(dirname "$file")/faulty.yml
    while IFS='|' read -r fault complaint; do
        printf 'fault: %s\n' "$fault"
        sed "$fault" "$file" >"$faulty"
        ! cmp "$file" "$faulty" || return
        ! "$checker" check "$faulty" >"$scratch/complaints" 2>&1 || return
        grep -F -- "$complaint" "$scratch/complaints" || { cat "$scratch/complaints" && return 1; }
    done
}

check "kubernetes: faults are found" finds scripts/manifests.py "$scratch/base.yaml" <<'FAULTS'
s/hostNetwork: true/hostNetworks: true/|'hostNetworks' was unexpected
s/containerPort: 8888/containerPort: "8888"/|'8888' is not
s/sampleLimit/sampleLimits/|'sampleLimits' was unexpected
s/targetLabel: node/targetLabels: node/|'targetLabels' was unexpected
s/alert: TrafficmonitorHostScan/alerts: TrafficmonitorHostScan/|'alerts' was unexpected
s/kind: PriorityClass/kind: PriorityClasses/|no schema
s/^  namespace: trafficmonitor/  namespace: default/|is not in the namespace
s/jobLabel: .*/jobLabel: job/|the job is not called
s/- NET_RAW/- NET_ADMIN/|the capabilities are not NET_RAW alone
s/allowPrivilegeEscalation: true/allowPrivilegeEscalation: false/|a file capability needs
s/runAsNonRoot: true/runAsNonRoot: false/|contradict
s/type: RuntimeDefault/type: Unconfined/|not filtered
s/readOnlyRootFilesystem: true/readOnlyRootFilesystem: false/|may write
s/hostNetwork: true/hostNetwork: false/|not on the network of its node
s/:8888$/:8889/|not the one that is served
s,/-/ready,/-/healthy,|the probes
s/memory: 96Mi/memory: 1Gi/|the request is over the limit
s/name: POD_IP/name: HOST_IP/|nothing sets the variable
s/trafficmonitor-[a-z0-9]\{10\}$/trafficmonitor/|a change has to restart
s/--config.file=.*/--config.file=\/trafficmonitor.yml/|in no ConfigMap
s/priorityClassName: .*/priorityClassName: other/|there is no PriorityClass
FAULTS

mkdir "$scratch/examples"
cp examples/*.yml "$scratch/examples"
cp -r alerts.rules.yml grafana "$scratch"
check "compose.yml: faults are found" finds scripts/compose.py "$scratch/examples/compose.yml" <<'FAULTS'
s/restart: unless-stopped/restarts: true/|'restarts' was unexpected
s/cap_drop: \[ALL\]/cap_drop: ALL/|is not of type 'array'
s/cap_add: \[NET_RAW\]/cap_add: [NET_ADMIN]/|does not need, or lacks
s,\./prometheus.yml:,./prometheuses.yml:,|is not there
s,yml:ro,yml,|may be written to
s,:9090$,:9091,|is asked at
s,=127.0.0.1:8888,=:8888,|serves other hosts
s,/dashboards/trafficmonitor:ro,/dashboards:ro,|finds no
s,/etc/prometheus/alerts.rules.yml,/etc/alerts.rules.yml,|prometheus finds no
s/^  grafana:$/  grafanas:/|the volumes are not
FAULTS

# --- What the files say is tried as root, in namespaces of its own ---

contained() { unshare --net --mount --propagation private --pid --fork --mount-proc "$@"; }

pod() {
    rm -rf "$scratch/pod" && mkdir "$scratch/pod"
    contained scripts/pod.py "$1" "$binaries/trafficmonitor" "$scratch/pod" "${@:2}"
}

# Without leave to escalate, the file capability of the image has no effect.
capability_needs_escalation() {
    sed 's/allowPrivilegeEscalation: true/allowPrivilegeEscalation: false/' "$scratch/base.yaml" >"$scratch/refused.yaml"
    ! pod "$scratch/refused.yaml" >"$scratch/refused" 2>&1 && grep -q 'permission denied' "$scratch/refused"
}

if [ "$(id -u)" = 0 ] && unshare --net --mount --pid --fork true 2>/dev/null; then
    chmod 755 "$scratch"
    mkdir "$scratch/compose"
    check "kubernetes/base: the container captures as its security context says" pod "$scratch/base.yaml"
    check "kubernetes/base: and on a node of IPv6" pod "$scratch/base.yaml" fd00::1
    check "kubernetes/root: the container captures as its security context says" pod "$scratch/root.yaml"
    check "kubernetes/reloading: a changed ConfigMap is read" pod "$scratch/reloading.yaml"
    check "kubernetes/both: and by root without capabilities" pod "$scratch/both.yaml"
    check "kubernetes/base: the file capability needs privilege escalation" capability_needs_escalation
    check "compose.yml: Prometheus scrapes the exporter and knows Alertmanager" \
        contained scripts/compose.py run examples/compose.yml "$binaries/trafficmonitor" "$scratch/compose"
else
    printf 'skipped: running the containers of examples/ needs root and leave to make namespaces\n'
fi
