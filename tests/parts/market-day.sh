#!/usr/bin/env bash
# 20 market days by seed, each judged by a script that shares no code with the core; days that are killed with their whole
# process group and played on; and whether the judge sees what is wrong: in payments, payouts, alerts and faults.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

need_python
cargo build --quiet -p market-day
days=$(mktemp -d)
trap 'rm -rf "$days"' EXIT
judge() { "$PYTHON" "tests/oracle/$1.py" "$days/$2"/{script.jsonl,acquirer-ledger.json,out.json}; }

for seed in $(seq 20); do
    target/debug/market-day --seed "$seed" --dir "$days/$seed" --json "$days/out-$seed.json" >"$days/$seed.log" ||
        { tail -n 30 "$days/$seed.log"; fail "seed $seed: exit code not 0"; }
    cmp -s "$days/out-$seed.json" "$days/$seed/out.json" || fail "seed $seed: --json is not the account"
    judge judge "$seed"
done
judge judge_test 1
# A day with a late approval: told, and only there.
grep -q payment_confirmed_late "$days/17/out.json" || fail "seed 17: no late approval: choose a seed that has one"
judge judge_test 17

for seed in 101 102 103; do
    python3 tests/parts/interrupt.py --seed "$seed" --dir "$days/$seed"
    judge judge "$seed"
done

target/debug/market-day --seed 5 --faults none --no-kill --payments 30 --dir "$days/good" >"$days/good.log" || fail "a good day is not right"
judge judge good
