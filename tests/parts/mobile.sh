#!/usr/bin/env bash
# Phones: the library for Android and iPhone, checked and linted (nothing is linked but a crate of four lines); a fault for one
# system alone is found; the 16 KB alignment reaches Android's linker; the scripts that package are sound.
#
# From nothing four minutes, most of it Rust's standard crates for two systems; with what other parts built half of that.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../mobile-env.sh"

need_phones

for target in "${PHONES[@]}"; do
    start=$EPOCHSECONDS
    # Clippy checks all that `cargo check` does.
    for_phone clippy --quiet --locked -p takings-ffi --target "$target" -- -D warnings || fail "takings-ffi for $target: see above"
    echo "takings-ffi compiles for $target without a warning: $((EPOCHSECONDS - start)) s"
done

# What only one of the systems sees must be seen: a type error behind its name, in a copy of one crate.
copy=$ROOT/target/planted-phone
rm -rf "$copy"
mkdir -p "$copy/core"
cp -R core/domain "$copy/core/domain"
cp Cargo.lock clippy.toml "$copy/"
awk '/^members = / { print "members = [\"core/domain\"]" }
     /^(default-)?members = / { skip = 1 } !skip { print } /\]$/ { skip = 0 }' Cargo.toml >"$copy/Cargo.toml"
planted() {
    (cd "$copy" && CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target} for_phone check --quiet --offline --lib --target "$1") >"$copy/log" 2>&1
}
for target in "${PHONES[@]}"; do
    os=${target##*-}
    cp core/domain/src/lib.rs "$copy/core/domain/src/lib.rs"
    planted "$target" || { cat "$copy/log"; fail "the copy without a fault does not compile for $target"; }
    printf '\n#[cfg(target_os = "%s")]\n/// Planted.\npub const PLANTED: u32 = "";\n' "$os" >>"$copy/core/domain/src/lib.rs"
    for other in "${PHONES[@]}"; do
        if planted "$other"; then found=no; else found=yes; fi
        [ "$other" = "$target" ] && expected=yes || expected=no
        [ "$found" = "$expected" ] || { cat "$copy/log"; fail "a fault on $os alone, compiled for $other: found $found, expected $expected"; }
        [ "$found" = no ] || grep -q 'mismatched types' "$copy/log" || { cat "$copy/log"; fail "it fails elsewhere"; }
    done
    echo "a type error for $os alone is found there, and only there"
done
rm -rf "$copy"

# The linker flags of .cargo/config.toml, seen in a library: each segment aligned to 16 KB. Without them it is another.
need_phone_link
page=$ROOT/target/page-size
mkdir -p "$page/src"
printf '[package]\nname = "page-size"\nversion = "0.0.0"\nedition = "2024"\n[lib]\ncrate-type = ["cdylib"]\n[profile.dev]\npanic = "abort"\n[workspace]\n' >"$page/Cargo.toml"
printf '#![no_std]\n#[panic_handler]\nfn stop(_: &core::panic::PanicInfo) -> ! {\n    loop {}\n}\n#[unsafe(no_mangle)]\npub extern "C" fn page_size() -> u32 {\n    7\n}\n' >"$page/src/lib.rs"
alignments() {
    (cd "$page" && for_phone build --quiet --offline --target aarch64-linux-android --target-dir "$page/target") || fail "a library of four lines does not link for Android"
    readelf -lW "$page/target/aarch64-linux-android/debug/libpage_size.so" | awk '$1 == "LOAD" { print $NF }' | sort -u
}
found=$(alignments)
[ "$found" = 0x4000 ] || fail "a library for Android is aligned to $found, not to 16 KB: the flags of .cargo/config.toml do not reach the linker"
found=$(RUSTFLAGS="-C debuginfo=0" alignments)
[ "$found" != 0x4000 ] || fail "aligned to 16 KB without our flags too: this check proves nothing"
echo "the flags for pages of 16 KB reach Android's linker (without them: $found)"

# The scripts for machines with the real SDKs, and what must be the same in them and beside them.
"$MOBILE/bin/shellcheck" --shell=bash --exclude=SC1091 android/make-native.sh ios/make-xcframework.sh tests/mobile-env.sh tests/parts/mobile.sh tests/parts/wheel.sh
same() {
    [ -n "$2" ] && [ "$2" = "$3" ] || fail "$1: '$2' and '$3'"
}
first() { sed -n "s/$1/\1/p" "$2" | head -1; }
same "ABIs of make-native.sh and build.gradle.kts" "$(first '^ABIS=(\(.*\))$' android/make-native.sh)" \
    "$(first '.*abiFilters += listOf(\(.*\)) }$' android/takings/build.gradle.kts | tr -d '",')"
same "oldest Android of make-native.sh and build.gradle.kts" "$(first '^PLATFORM=\(.*\)$' android/make-native.sh)" \
    "$(first '^ *minSdk = \(.*\)$' android/takings/build.gradle.kts)"
same "oldest iOS of make-xcframework.sh and Package.swift" "$(first '.*IPHONEOS_DEPLOYMENT_TARGET=\([0-9]*\)\.0.*' ios/make-xcframework.sh)" \
    "$(first '.*\.iOS(\.v\([0-9]*\)).*' ios/Package.swift)"
same "oldest macOS of make-xcframework.sh and Package.swift" "$(first '.*MACOSX_DEPLOYMENT_TARGET=\([0-9]*\)\.0.*' ios/make-xcframework.sh)" \
    "$(first '.*\.macOS(\.v\([0-9]*\)).*' ios/Package.swift)"
echo "make-native.sh and make-xcframework.sh: ShellCheck has nothing to say; versions and ABIs agree"
