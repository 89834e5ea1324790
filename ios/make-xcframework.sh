#!/usr/bin/env bash
# Makes what Package.swift needs on a Mac: the generated Swift code, and TakingsFFI.xcframework with the library for iPhones,
# their simulator and macOS. Needs Xcode and the Rust targets below; bitcode and signing are the app's.
#
#   ios/make-xcframework.sh            release build, ten minutes or so: OpenSSL and SQLCipher for each target
#   PROFILE=dev ios/make-xcframework.sh   faster to build, much larger
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "error: $*" >&2
    exit 1
}
[ "$(uname -s)" = Darwin ] || fail "an XCFramework is made on a Mac with Xcode"
for tool in cargo rustup xcodebuild lipo nm; do command -v "$tool" >/dev/null || fail "$tool is needed"; done

PROFILE=${PROFILE:-release}
TARGETS=(aarch64-apple-ios aarch64-apple-ios-sim x86_64-apple-ios aarch64-apple-darwin x86_64-apple-darwin)
# The versions of Package.swift.
export IPHONEOS_DEPLOYMENT_TARGET=16.0 MACOSX_DEPLOYMENT_TARGET=13.0
OUT=$PWD/target/xcframework
FRAMEWORK=ios/TakingsFFI.xcframework

rustup target add "${TARGETS[@]}"
for target in "${TARGETS[@]}"; do
    echo "building takings-ffi for $target"
    cargo rustc --locked --package takings-ffi --lib --crate-type staticlib --profile "$PROFILE" --target "$target"
done
cargo run --locked --quiet --package takings-bindgen -- "$OUT/generated"

built() {
    local directory=$PROFILE
    [ "$directory" = dev ] && directory=debug
    echo "target/$1/$directory/libtakings_ffi.a"
}
rm -rf "$OUT/slices" "$OUT/headers" "$FRAMEWORK"
mkdir -p "$OUT/slices/ios" "$OUT/slices/simulator" "$OUT/slices/macos" "$OUT/headers/TakingsFFI" ios/Sources/TakingsBindings
cp "$(built aarch64-apple-ios)" "$OUT/slices/ios/libtakings_ffi.a"
lipo -create "$(built aarch64-apple-ios-sim)" "$(built x86_64-apple-ios)" -output "$OUT/slices/simulator/libtakings_ffi.a"
lipo -create "$(built aarch64-apple-darwin)" "$(built x86_64-apple-darwin)" -output "$OUT/slices/macos/libtakings_ffi.a"

# A folder of its own: module maps of several frameworks may not lie side by side.
cp "$OUT/generated/swift/TakingsFFI.h" "$OUT/headers/TakingsFFI/"
cp "$OUT/generated/swift/TakingsFFI.modulemap" "$OUT/headers/TakingsFFI/module.modulemap"
cp "$OUT/generated/swift/TakingsBindings.swift" ios/Sources/TakingsBindings/

slices=()
for slice in ios simulator macos; do
    slices+=(-library "$OUT/slices/$slice/libtakings_ffi.a" -headers "$OUT/headers")
done
xcodebuild -create-xcframework "${slices[@]}" -output "$FRAMEWORK"

# What nobody may ship, and what must be there.
for library in "$OUT"/slices/*/libtakings_ffi.a; do
    symbols=$(nm -gU "$library" 2>/dev/null) || fail "nm cannot read $library"
    if grep -q planted <<<"$symbols"; then fail "$library has exports for tests"; fi
    grep -q uniffi_takings_ffi_fn_ <<<"$symbols" || fail "$library exports no call"
done
du -sh "$FRAMEWORK"/*
