#!/usr/bin/env bash
# Phones: the library for Android and iPhone, checked and linted (nothing is linked but a crate of a few lines); a fault for one
# system alone is found; the flags for 16 KB pages and packed relocations reach Android's linker; the scripts that package are sound.
#
# From nothing four minutes, most of it Rust's standard crates for two systems; with what other parts built half of that.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../mobile-env.sh"

need_phones

for target in "${PHONES[@]}"; do
    start=$EPOCHSECONDS
    # Clippy checks all that `cargo check` does.
    for_phone clippy --quiet --locked -p takings-ffi --target "$target" -- -D warnings "${BUILD_STD_LINTS[@]}" || fail "takings-ffi for $target: see above"
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

# The linker flags of .cargo/config.toml, seen in a library: each segment aligned to 16 KB, relocations packed. Without them it
# is another.
need_phone_link
page=$ROOT/target/page-size
mkdir -p "$page/src"
printf '[package]\nname = "page-size"\nversion = "0.0.0"\nedition = "2024"\n[lib]\ncrate-type = ["cdylib"]\n[profile.dev]\npanic = "abort"\n[workspace]\n' >"$page/Cargo.toml"
# A table of addresses, for the loader to set.
cat >"$page/src/lib.rs" <<'RUST'
#![no_std]
#[panic_handler]
fn stop(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
#[unsafe(no_mangle)]
pub static WORDS: [&str; 64] = ["word"; 64];
RUST
# linked: alignments of its segments, then the kinds of its tables of relocations.
linked() {
    local library=$page/target/aarch64-linux-android/debug/libpage_size.so
    (cd "$page" && for_phone build --quiet --offline --target aarch64-linux-android --target-dir "$page/target") || fail "a library of a few lines does not link for Android"
    readelf -lW "$library" | awk '$1 == "LOAD" { print $NF }' | sort -u | tr '\n' ' '
    # ANDROID_RELA has a number of its own, and no name in every readelf.
    readelf -dW "$library" | awk '$1 == "0x0000000060000011" { print "packed" } $2 == "(RELA)" { print "not packed" }'
}
found=$(linked)
[ "$found" = "0x4000 packed" ] || fail "a library for Android is '$found', not aligned to 16 KB and packed: the flags of .cargo/config.toml do not reach the linker"
found=$(RUSTFLAGS="-C debuginfo=0" linked)
[[ $found != *0x4000* && $found == *"not packed" ]] || fail "'$found' without our flags: this check proves nothing"
echo "the flags for pages of 16 KB and packed relocations reach Android's linker (without them: $found)"

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
