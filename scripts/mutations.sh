#!/usr/bin/env bash
# Applies each deliberate mistake in tests/mutations/ to a scratch copy of the decoder and demands that the decoder's
# tests notice it. Prints a table; ends in 1 when a mistake went unnoticed or no longer applies.
#
# Takes a few minutes, so it is not part of `make test`:
#
#     scripts/mutations.sh [tests/mutations/NAME.patch …]
set -euo pipefail
top=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
cd "$top"
[ $# -gt 0 ] || set -- tests/mutations/*.patch
mapfile -t patches < <(realpath -- "$@")

scratch=$(mktemp -d)
trap 'git worktree remove --force "$scratch/tree" >/dev/null 2>&1; rm -rf "$scratch"' EXIT
git worktree add --quiet --detach "$scratch/tree" HEAD
# What is built there is built apart: cargo would take a mistaken build for that of the files here, which are older.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$top/target}/mutations
export CARGO_INCREMENTAL=1 RUST_BACKTRACE=0

# The outcome of one test binary: passed, or the number of its tests that failed.
outcome() {
    local log=$scratch/log.$1
    if (cd "$scratch/tree" && cargo test --quiet --test "$1" >"$log" 2>&1); then
        echo passed
    elif grep -q '^test result: FAILED' "$log"; then
        sed -n 's/^test result: FAILED\. [0-9]* passed; \([0-9]*\) failed.*/\1 failed/p' "$log"
    else
        # A stack overflow or an abort ends without a result; a mistake that does not compile proves nothing.
        grep -q '^error: could not compile' "$log" && echo 'does not compile' || echo aborted
    fi
}

if [ "$(outcome decode_differential)" != passed ] || [ "$(outcome decode_contract)" != passed ]; then
    echo 'the tests fail without any mistake: run cargo test first' >&2
    exit 1
fi
printf '%-50s %-14s %-14s %s\n' mistake differential contract verdict
unnoticed=0
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    if ! git -C "$scratch/tree" apply "$patch" 2>/dev/null; then
        printf '%-50s %-14s %-14s %s\n' "$name" - - 'DOES NOT APPLY'
        unnoticed=$((unnoticed + 1))
        continue
    fi
    differential=$(outcome decode_differential)
    contract=$(outcome decode_contract)
    verdict=noticed
    case $differential in passed | 'does not compile') verdict=UNNOTICED unnoticed=$((unnoticed + 1)) ;; esac
    printf '%-50s %-14s %-14s %s\n' "$name" "$differential" "$contract" "$verdict"
    git -C "$scratch/tree" checkout --quiet -- src
done
printf '%d of %d mistakes noticed by the differential test\n' $((${#patches[@]} - unnoticed)) ${#patches[@]}
[ "$unnoticed" -eq 0 ]
