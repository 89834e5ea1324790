#!/usr/bin/env bash
# Days at the market through Rust and Python: the same result byte for byte; the days' form; faults planted in days and
# in the world. Other languages play them in parts of their own.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

need_venv scenarios tests/scenarios/requirements.txt
generate target/bindings
export PYTHONPATH=target/bindings/python
python=$TOOLS/scenarios/bin/python rust=target/debug/scenarios
results=$ROOT/target/scenarios
mkdir -p "$results"

"$rust" >"$results/rust.jsonl"
"$python" tests/scenarios/run.py >"$results/python.jsonl"
cmp "$results/rust.jsonl" "$results/python.jsonl" || fail "the same days end differently in Rust and in Python"
echo "$(wc -l <"$results/rust.jsonl") days end in Rust and in Python with the same $(wc -c <"$results/rust.jsonl") bytes"

"$python" tests/scenarios/check.py "$rust" "$python tests/scenarios/run.py"
