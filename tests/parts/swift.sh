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

# What is generated lies over the package, so that ios/ stays as it is in git. What did not change keeps its file: the
# build looks at that.
bindings=$SWIFT_WORK/TakingsBindings ffi=$SWIFT_WORK/TakingsFFI
mkdir -p "$bindings" "$ffi" ios/Sources/TakingsBindings ios/Sources/TakingsFFI
keep() { cmp -s "$1" "$2" || cp "$1" "$2"; }
keep "$generated/swift/TakingsBindings.swift" "$bindings/TakingsBindings.swift"
keep "$generated/swift/TakingsFFI.h" "$ffi/TakingsFFI.h"
keep ios/Sources/TakingsFFI/module.modulemap "$ffi/module.modulemap"
SWIFT_ALSO=(--ro-bind "$bindings" "$ROOT/ios/Sources/TakingsBindings" --ro-bind "$ffi" "$ROOT/ios/Sources/TakingsFFI"
    --setenv TAKINGS_PLANTED 1 --setenv SANDBOX "$ROOT/target/debug/sandbox-acquirer")

# --allow-shlib-undefined: Debian's Observation wants a symbol that nobody has.
package=(--package-path "$ROOT/ios" --scratch-path "$SWIFT_WORK/build" --cache-path /tmp/cache --disable-sandbox
    -Xlinker "-L$generated/swift" -Xlinker "-rpath=$generated/swift" -Xlinker --allow-shlib-undefined)
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
