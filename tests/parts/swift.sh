#!/usr/bin/env bash
# The Swift package against the real library: its tests, and the days of tests/scenarios with the same result as in Rust.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../swift-env.sh"

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

# The same days, byte for byte.
mkdir -p "$SWIFT_WORK/results"
bounded 300 "$SWIFT_WORK/build/debug/scenarios" >"$SWIFT_WORK/results/swift.jsonl"
as_in_rust Swift "$SWIFT_WORK/results/swift.jsonl"
