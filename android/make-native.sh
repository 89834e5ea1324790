#!/usr/bin/env bash
# What the Android library needs from Rust: libtakings_ffi.so for each ABI, stripped, and the generated Kotlin, below
# android/takings/build-native. For a machine with the Android NDK (r28 or newer) and cargo-ndk.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

OUT=android/takings/build-native
ABIS=(arm64-v8a armeabi-v7a x86_64)
TARGETS=(aarch64-linux-android armv7-linux-androideabi x86_64-linux-android)

fail() {
    echo "error: $*" >&2
    exit 1
}
[ -d "${ANDROID_NDK_HOME:-}" ] || fail "ANDROID_NDK_HOME must be the folder of an Android NDK, r28 or newer"
command -v cargo-ndk >/dev/null || fail "cargo-ndk is needed (cargo install cargo-ndk)"
command -v rustup >/dev/null && rustup target add "${TARGETS[@]}"

rm -rf "$OUT"
mkdir -p "$OUT"

# The generator reads a library that was not stripped; what it says is the same on every platform.
cargo run --quiet -p takings-bindgen -- "$OUT/generated"
mv "$OUT/generated/kotlin" "$OUT/kotlin"
rm -rf "$OUT/generated" "$OUT"/kotlin/*.so "$OUT"/kotlin/*.dylib

# Phones with pages of 16 KB load nothing that is aligned to less.
export RUSTFLAGS="${RUSTFLAGS:-} -C link-arg=-Wl,-z,max-page-size=16384"
abi_args=()
for abi in "${ABIS[@]}"; do abi_args+=(-t "$abi"); done
cargo ndk "${abi_args[@]}" --platform 26 -o "$OUT/jniLibs" build --release -p takings-ffi

strip=$(find "$ANDROID_NDK_HOME" -name llvm-strip -type f | head -1)
readelf=$(find "$ANDROID_NDK_HOME" -name llvm-readelf | head -1)
for abi in "${ABIS[@]}"; do
    library=$OUT/jniLibs/$abi/libtakings_ffi.so
    [ -f "$library" ] || fail "$library was not built"
    "$strip" --strip-unneeded "$library"
    if "$readelf" -lW "$library" | awk '$1 == "LOAD" && $NF != "0x4000" { bad = 1 } END { exit !bad }'; then
        [ "$abi" = armeabi-v7a ] || fail "$library is not aligned to pages of 16 KB"
    fi
    echo "$(stat -c %s "$library") bytes  $library"
done
