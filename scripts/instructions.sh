#!/usr/bin/env bash
# Counts the instructions of decode and observe (callgrind) and compares them with benches/instructions.txt: more than
# 5 % off, either way, fails. A change on purpose changes the file, with a line why.
#
#   scripts/instructions.sh           compare
#   scripts/instructions.sh --print   print what the file should hold
set -euo pipefail
cd "$(dirname "$0")/.."

expected=benches/instructions.txt
tolerance_percent=5
# Two passes over the frames of the sample.
packets=40000

program=$(cargo bench --locked --bench instructions --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*instructions-[^"]*\)".*/\1/p')
"$program" # writes the trace

# Instructions per packet of one mode.
count() {
    local out
    out=$(mktemp)
    valgrind --quiet --tool=callgrind --callgrind-out-file="$out" --toggle-collect="*$1_frames*" "$program" "$1" >/dev/null 2>&1
    awk -v packets="$packets" '/^(summary|totals):/ { printf "%.1f\n", $2 / packets; exit }' "$out"
    rm -f "$out"
}

status=0
for mode in decode observe; do
    counted=$(count "$mode")
    if [ "${1:-}" = --print ]; then
        echo "$mode $counted"
        continue
    fi
    known=$(awk -v mode="$mode" '$1 == mode { print $2 }' "$expected")
    awk -v mode="$mode" -v counted="$counted" -v known="$known" -v tolerance="$tolerance_percent" 'BEGIN {
        percent = (counted - known) / known * 100
        printf "%s: %s instructions a packet, %s known (%+.1f %%)\n", mode, counted, known, percent
        exit (counted <= 0 || percent > tolerance || percent < -tolerance)
    }' || status=1
done
exit $status
