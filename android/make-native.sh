#!/usr/bin/env bash
# What the Android library needs from Rust: libtakings_ffi.so for each ABI, stripped, and the generated Kotlin, below
# android/takings/build-native. For a machine with the Android NDK (r28 or newer) and cargo-ndk 4.
#
#   android/make-native.sh                           all ABIs, as they ship: ten minutes or so each, OpenSSL included
#   ONLY=arm64-v8a PROFILE=bench-fast android/make-native.sh     one ABI, quicker to link
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

OUT=android/takings/build-native
# Those of build.gradle.kts, and its minSdk.
ABIS=(arm64-v8a armeabi-v7a x86_64)
PLATFORM=26
PROFILE=${PROFILE:-release}

fail() {
    echo "error: $*" >&2
    exit 1
}
rust_target() {
    case $1 in
        arm64-v8a) echo aarch64-linux-android ;;
        armeabi-v7a) echo armv7-linux-androideabi ;;
        x86_64) echo x86_64-linux-android ;;
        *) fail "no ABI of Android: $1" ;;
    esac
}
[ -z "${ONLY:-}" ] || ABIS=("$ONLY")

[ -f "${ANDROID_NDK_HOME:-}/source.properties" ] || fail "ANDROID_NDK_HOME must be the folder of an Android NDK, r28 or newer"
revision=$(sed -n 's/^Pkg.Revision *= *\([0-9]*\).*/\1/p' "$ANDROID_NDK_HOME/source.properties")
[ "${revision:-0}" -ge 28 ] || fail "the NDK is r${revision:-?}; r28 or newer is needed"
command -v cargo-ndk >/dev/null || fail "cargo-ndk is needed (cargo install --locked cargo-ndk@4.1.2)"
# One folder for the machine this runs on.
bin=$(echo "$ANDROID_NDK_HOME"/toolchains/llvm/prebuilt/*/bin)
for tool in llvm-strip llvm-readelf llvm-nm; do [ -x "$bin/$tool" ] || fail "the NDK has no $tool below toolchains/llvm/prebuilt"; done

abi_args=()
for abi in "${ABIS[@]}"; do
    target=$(rust_target "$abi")
    abi_args+=(-t "$abi")
    if command -v rustup >/dev/null; then rustup target add "$target"; fi
done

rm -rf "$OUT"
mkdir -p "$OUT"

# The generator reads a library that was not stripped; what it says is the same on every platform.
cargo run --quiet --locked -p takings-bindgen -- "$OUT/generated"
mv "$OUT/generated/kotlin" "$OUT/kotlin"
rm -rf "$OUT/generated" "$OUT"/kotlin/*.so "$OUT"/kotlin/*.dylib

# Pages of 16 KB, relocations packed: the flags stand in .cargo/config.toml, which cargo passes over where RUSTFLAGS is set.
[ -z "${RUSTFLAGS:-}" ] || export RUSTFLAGS="$RUSTFLAGS -C link-arg=-Wl,-z,max-page-size=16384 -C link-arg=-Wl,--pack-dyn-relocs=android"
cargo ndk "${abi_args[@]}" --platform "$PLATFORM" --output-dir "$OUT/jniLibs" build --locked --profile "$PROFILE" -p takings-ffi

for abi in "${ABIS[@]}"; do
    library=$OUT/jniLibs/$abi/libtakings_ffi.so
    [ -f "$library" ] || fail "$library was not built"
    "$bin/llvm-strip" --strip-unneeded "$library"
    alignments=$("$bin/llvm-readelf" -lW "$library" | awk '$1 == "LOAD" { print $NF }' | sort -u)
    # Pages of 16 KB are a matter of 64 bits.
    [ "$abi" = armeabi-v7a ] || [ "$alignments" = 0x4000 ] || fail "$library is aligned to '$alignments', not to pages of 16 KB (0x4000)"
    symbols=$("$bin/llvm-nm" --dynamic --defined-only "$library")
    if grep -q planted <<<"$symbols"; then fail "$library has exports for tests: nobody may ship them"; fi
    grep -q uniffi_takings_ffi_fn_ <<<"$symbols" || fail "$library exports no call"
    echo "$(wc -c <"$library") bytes  $library"
done
