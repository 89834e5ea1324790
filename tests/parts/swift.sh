#!/usr/bin/env bash
# The Swift package against the real library: its tests, and the days of tests/scenarios with the same result as Python's.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../swift-env.sh"

command -v python3 >/dev/null || fail "python3 (3.10 or newer) is needed"
need_swift
bash -n ios/make-xcframework.sh
generated=$SWIFT_WORK/generated
generate "$generated" --planted
# The library with exports that nobody may ship stays here alone.
cargo build --quiet "${BORDER[@]}"

over_package "$generated"
SWIFT_ALSO+=(--setenv TAKINGS_PLANTED 1 --setenv SANDBOX "$ROOT/target/debug/sandbox-acquirer")
package=("${PACKAGE[@]}" --scratch-path "$SWIFT_WORK/build")
bounded() { in_swift timeout "$@" || fail "$2: exit code $? (124: not done within $1 s)"; }
bounded 900 swift-build "${package[@]}" --build-tests
# The second counts what the whole process leaves behind, and has it for itself.
bounded 300 swift-test "${package[@]}" --skip-build --disable-xctest --skip LeftBehind
bounded 120 swift-test "${package[@]}" --skip-build --disable-xctest --filter LeftBehind

# The same days in two languages.
results=$SWIFT_WORK/results
mkdir -p "$results"
PYTHONPATH=$generated/python python3 tests/scenarios/run.py >"$results/python.jsonl"
bounded 300 "$SWIFT_WORK/build/debug/scenarios" >"$results/swift.jsonl"
cmp "$results/python.jsonl" "$results/swift.jsonl" || fail "a day ends differently in Swift and in Python"
[ -s "$results/swift.jsonl" ] || fail "no day was played"
echo "$(wc -l <"$results/swift.jsonl") days, equal in Swift and Python byte for byte"
