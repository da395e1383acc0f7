#!/usr/bin/env bash
# Runs every check, group by group, and ends with one line: N passed, N failed, N skipped.
#
# A cargo test function counts as one, a group that is no cargo test counts as one. What a group needs and does not find
# skips it, with a line that says how to get it; as root with the captures at hand nothing may be skipped.
#
# A test that the kernel refuses a mode or an interface prints `skipped: ` and the reason. That counts as one that was
# skipped and is shown again at the end. A kernel that has all modes must take the program.
#
#   scripts/test.sh [GROUP…]            all groups when none is named
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

groups=(format lint deny "unit and integration" captures live prometheus examples grafana dashboard instructions packages)
[ $# -eq 0 ] || groups=("$@")

export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export PATH="$PWD/target/tools/bin:$PWD/target/tools/usr/bin:$PATH:/usr/sbin:/sbin"
captures=${TRAFFICMONITOR_CAPTURES:-../shared/captures}
logs=$CARGO_TARGET_DIR/test-logs
mkdir -p "$logs"

# The integration tests that are groups of their own: a test of theirs fails when its needs are missing, it never skips.
own_groups=(captures live prometheus)
# No group takes longer; one that does hangs.
group_seconds=2400

passed=0 failed=0 skipped=0
failures=() failed_logs=() refusals=()

# --- what a group needs: a line why it cannot run, nothing when it can ---

is_root() { [ "$(id -u)" = 0 ]; }

lacks_root() {
    is_root || echo "needs root (network namespaces, packet capture): sudo env HOME=\"\$HOME\" PATH=\"\$PATH\" make test"
}

lacks_namespaces() {
    unshare --net true 2>/dev/null || echo "needs leave to make network namespaces: not in an unprivileged container"
}

# Grafana itself is in no package registry, its schema is in npm's.
lacks_schema() {
    command -v npm >/dev/null || { echo "needs Node.js and npm (apt-get install npm)" && return; }
    scripts/grafana.sh fetch >"$logs/schema.log" 2>&1 ||
        echo "cannot fetch the schema of Grafana's dashboards from npm (scripts/grafana.sh fetch): see $logs/schema.log"
}

lacks_browser() {
    local node
    node=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) || node=0
    { [ "$node" -ge 20 ] && command -v npm >/dev/null; } || { echo "needs Node.js 20 or newer with npm" && return; }
    [ -x "${CHROMIUM:-/usr/bin/chromium}" ] || echo "needs Chromium (apt-get install chromium)"
}

# As root with the captures nothing may be skipped.
skips_fail() { is_root && [ -d "$captures" ]; }

lacks_captures() {
    [ -d "$captures" ] || echo "needs the capture files in $captures (or where TRAFFICMONITOR_CAPTURES says)"
}

# --- the groups: status 0 is passed; cargo's own counts are read from what it prints ---

cargo_test() {
    timeout --kill-after=10 "$group_seconds" cargo test --locked --no-fail-fast "$@"
}

format_group() { cargo fmt --check; }

lint_group() { cargo clippy --locked --all-targets -- -D warnings; }

deny_group() {
    # Not optimised: it builds in a third of the time and runs for a second.
    cargo deny --version >/dev/null 2>&1 ||
        cargo install cargo-deny --version 0.20.2 --locked --quiet --debug --no-default-features --root target/tools \
            --target-dir target/tools/build || return
    rm -rf target/tools/build
    cargo deny --locked check bans licenses sources
}

# What is no group of its own, as options of cargo test.
common_targets() {
    local file name
    printf '%s\n' --lib --bins --examples
    for file in tests/*.rs; do
        name=$(basename "$file" .rs)
        [[ " ${own_groups[*]} " == *" $name "* ]] || printf '%s\n' --test "$name"
    done
}

unit_and_integration_group() {
    local status=0 targets
    mapfile -t targets < <(common_targets)
    cargo_test "${targets[@]}" || status=1
    cargo_test --doc || status=1
    return "$status"
}

captures_group() { cargo_test --test captures; }

# Besides its own file the tests of the common targets that are marked `ignore`: they need root.
live_group() {
    local status=0 targets
    scripts/unpack.sh prometheus logrotate libpopt0 openssh-server libwrap0 || return
    mapfile -t targets < <(common_targets)
    # What the kernel refuses is skipped with a line, which must be seen.
    cargo_test "${targets[@]}" -- --ignored --test-threads=1 --show-output --skip soak || status=1
    cargo_test --test live -- --test-threads=1 --show-output --skip soak || status=1
    return "$status"
}

prometheus_group() {
    scripts/unpack.sh prometheus prometheus-alertmanager victoria-metrics && scripts/prometheus-client.sh &&
        cargo_test --test prometheus -- --test-threads=1 --show-output --skip soak
}

examples_group() {
    scripts/unpack.sh prometheus prometheus-alertmanager victoria-metrics && scripts/pipelines.sh &&
        cargo build --locked --examples --bins &&
        scripts/examples.sh "$CARGO_TARGET_DIR/debug"
}

# The dashboards, by the schema that Grafana publishes.
grafana_group() { scripts/grafana.sh check; }

# The page: its sources give the committed one, its units, and the whole of it in a browser over the exporter.
dashboard_group() {
    web/check && scripts/web.sh unit && scripts/unpack.sh prometheus && cargo build --locked --bins &&
        scripts/dashboard.sh "$CARGO_TARGET_DIR/debug/trafficmonitor"
}

# A guard against slowly growing slower: instructions do not depend on what else runs.
instructions_group() { scripts/instructions.sh; }

# The group before builds the release binary. Where it did not, the debug binary does.
packages_group() {
    local binary=$CARGO_TARGET_DIR/release/trafficmonitor commit
    commit=$(git rev-parse --short=12 HEAD 2>/dev/null)
    if ! "$binary" --version 2>/dev/null | grep -qx "commit $commit"; then
        cargo build --locked --bins || return
        binary=$CARGO_TARGET_DIR/debug/trafficmonitor
    fi
    scripts/packages.sh "$binary"
}

# --- running and counting ---

# Adds up cargo's `test result:` lines of a log: passed, failed, ignored.
cargo_counts() {
    sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
        /^test result: / {
            for (i = 1; i < NF; i++) {
                if ($(i + 1) ~ /^passed/) passed += $i
                if ($(i + 1) ~ /^failed/) failed += $i
                if ($(i + 1) ~ /^ignored/) ignored += $i
            }
        }
        END { print passed + 0, failed + 0, ignored + 0 }'
}

count() {
    local group=$1 log=$2 status=$3 ok=0 bad=0 ignored=0
    if grep -q '^test result: ' <(sed 's/\x1b\[[0-9;]*m//g' "$log"); then
        read -r ok bad ignored < <(cargo_counts "$log")
    elif [ "$status" = 0 ]; then
        ok=1
    fi
    # A group that fails without a failed test: it did not compile, was killed, or is no cargo test.
    if [ "$status" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
    if [ "$bad" != 0 ]; then failures+=("$group: see $log") failed_logs+=("$log"); fi
    # Those that the common targets ignore are run by the group `live`.
    [ "$group" != "unit and integration" ] || ignored=0
    if [ "$ignored" != 0 ]; then forbid_skips "$group"; fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + ignored))
    count_refusals "$group" "$log"
}

# What the kernel refused to the tests of a group.
count_refusals() {
    local group=$1 log=$2 line
    while IFS= read -r line; do
        refusals+=("$group: ${line#skipped: }")
        skipped=$((skipped + 1))
        if has_all_modes && [[ $line == *"the kernel does not take"* ]]; then forbid_skips "$group"; fi
    done < <(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep '^skipped: ')
}

# TCX, the youngest mode of the kernel path, came with Linux 6.6.
has_all_modes() { [ "$(printf '%s\n' 6.6 "$(uname -r)" | sort -V | head -n1)" = 6.6 ]; }

skip() {
    printf 'SKIPPED %s: %s\n' "$1" "$2"
    skipped=$((skipped + 1))
    forbid_skips "$1"
}

forbid_skips() {
    skips_fail || return 0
    failed=$((failed + 1))
    failures+=("$1: skipped, but as root and with $captures nothing may be")
}

# The first lines of what the failed tests said: Rust's, then those of the page.
print_messages() {
    {
        grep -h -A4 -E '^(test|thread) .*( FAILED$| panicked at )|^error' "${failed_logs[@]}"
        grep -h -A20 '^not ok ' "${failed_logs[@]}"
    } | cut -c1-1000 | head -n 100
}

run() {
    local group=$1 name=${1// /_} needs=$2 lacking="" log status=0 need
    printf '\n== %s ==\n' "$group"
    for need in $needs; do
        [ -n "$lacking" ] || lacking=$("lacks_$need")
    done
    if [ -n "$lacking" ]; then
        skip "$group" "$lacking"
        return
    fi
    log=$logs/$name.log
    local start=$SECONDS
    "${name}_group" </dev/null 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    count "$group" "$log" "$status"
    printf -- '-- %s: %s, %s s\n' "$group" "$([ "$status" = 0 ] && echo ok || echo FAILED)" $((SECONDS - start))
}

for group in "${groups[@]}"; do
    case "$group" in
    format | lint | deny | "unit and integration" | examples | instructions) run "$group" "" ;;
    captures) run "$group" "captures" ;;
    grafana) run "$group" "schema" ;;
    dashboard) run "$group" "root namespaces browser" ;;
    live | packages) run "$group" "root namespaces" ;;
    prometheus) run "$group" "root" ;;
    *) printf 'test: no such group: %s\n' "$group" >&2 && exit 2 ;;
    esac
done

printf '\n'
[ "${#refusals[@]}" = 0 ] || printf 'SKIPPED %s\n' "${refusals[@]}"
[ "${#failures[@]}" = 0 ] || { print_messages; printf 'FAILED %s\n' "${failures[@]}"; }
printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
