#!/usr/bin/env bash
# Counts the instructions of decode, of observe, of both with the packets recorded, and of merging the interval, without
# and with a history (callgrind). Compares them with benches/instructions.txt: more than 5 % off, either way, fails. A
# change on purpose changes the file, with a line why.
# Recording also has a limit of its own.
#
#   scripts/instructions.sh           compare
#   scripts/instructions.sh --print   print what the file should hold
set -euo pipefail
cd "$(dirname "$0")/.."

expected=benches/instructions.txt
tolerance_percent=5
# The most instructions that recording may add to observe, in percent. Capture may take 25 % more CPU with it at 200,000
# packets a second, most of which is the kernel's and libpcap's: 53 % more instructions here took 17 % more there.
record_percent=75
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
declare -A all
for mode in decode observe record merge history; do
    counted=$(count "$mode")
    all[$mode]=$counted
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
awk -v record="${all[record]}" -v observe="${all[observe]}" -v most="$record_percent" 'BEGIN {
    percent = (record - observe) / observe * 100
    printf "record: %.1f %% more instructions than observe, at most %s %%\n", percent, most
    exit (percent > most)
}' >&2 || status=1
exit $status
