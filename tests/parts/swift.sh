#!/usr/bin/env bash
# The Swift package against the real library: its tests, and the days of tests/scenarios with the same result as Python's.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../swift-env.sh"

need_swift
need_openssl_source_build
generated=$SWIFT_WORK/generated
cargo run --quiet -p takings-bindgen -- "$generated" --planted

# What is generated lies over the package, so that ios/ stays as it is in git. What did not change keeps its file: the
# build looks at that.
bindings=$SWIFT_WORK/TakingsBindings ffi=$SWIFT_WORK/TakingsFFI
mkdir -p "$bindings" "$ffi" ios/Sources/TakingsBindings ios/Sources/TakingsFFI
keep() { cmp -s "$1" "$2" || cp "$1" "$2"; }
keep "$generated/swift/TakingsBindings.swift" "$bindings/TakingsBindings.swift"
keep "$generated/swift/TakingsFFI.h" "$ffi/TakingsFFI.h"
keep ios/Sources/TakingsFFI/module.modulemap "$ffi/module.modulemap"
SWIFT_ALSO=(--ro-bind "$bindings" "$ROOT/ios/Sources/TakingsBindings" --ro-bind "$ffi" "$ROOT/ios/Sources/TakingsFFI"
    --setenv TAKINGS_PLANTED 1)

# --allow-shlib-undefined: Debian's Observation wants a symbol that nobody has.
package=(--package-path "$ROOT/ios" --scratch-path "$SWIFT_WORK/build" --cache-path /tmp/cache --disable-sandbox
    -Xlinker "-L$generated/swift" -Xlinker "-rpath=$generated/swift" -Xlinker --allow-shlib-undefined)
timeout 900 bash -c "$(declare -f in_swift); $(declare -p SWIFT_WORK SWIFT_ALSO)"'; in_swift "$@"' -- \
    swift-test "${package[@]}" --disable-xctest "$@"
