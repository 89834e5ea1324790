#!/usr/bin/env bash
# Any bytes into everything that parses bytes from outside (tests/fuzz), on the stable toolchain; then days at the market changed
# in a few places, played: a day that is none is refused, and none ends its runner otherwise or keeps it busy.
#   tests/parts/fuzz.sh [--seed N] [--days N]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

seed=1 days=150
while [ $# -gt 0 ]; do
    case $1 in
        --seed) seed=${2:?} ;;
        --days) days=${2:?} ;;
        *) fail "unknown argument $1" ;;
    esac
    shift 2
done
FUZZ_SEED=$seed cargo test -p takings-fuzz
cargo build --quiet -p takings-fuzz
need_openssl_source_build
cargo build --quiet "${BORDER[@]}"

# In memory where there is such a place: every day has a ledger of its own.
if [ -w /dev/shm ]; then dir=$(mktemp -d -p /dev/shm); else dir=$(mktemp -d); fi
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/days"
target/debug/takings-fuzz days tests/scenarios/days "$dir/days" "$days" "$seed"
declare -A ended=([0]=0 [1]=0 [2]=0)
for day in "$dir"/days/*.json; do
    code=0
    TMPDIR=$dir timeout 60 target/debug/scenarios "$day" >"$dir/said" 2>"$dir/complaint" || code=$?
    case $code in
        0 | 1 | 2) ended[$code]=$((ended[$code] + 1)) ;;
        *)
            cp "$day" target/tests-run/
            fail "a changed day ends its runner with $code, kept in target/tests-run: $(basename "$day"): $(head -c 600 "$dir/complaint")"
            ;;
    esac
done
echo "$days days changed, seed $seed: ${ended[0]} played to their end, ${ended[1]} found wrong, ${ended[2]} found to be none"
[ "${ended[0]}" -gt 0 ] && [ "${ended[2]}" -gt 0 ] || fail "the changes are all of one kind"
