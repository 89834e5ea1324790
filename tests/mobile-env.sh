# shellcheck shell=bash
# Sourced by the part that compiles for phones, after tools.sh: the library of Rust for their targets, and a C compiler that
# stands in for Google's and Apple's, so that the build scripts of what is in C run. What it compiles is never linked.
#
#   need_phones      fetches it, says so, and sets what cargo needs; at once where that was done before
#   for_phone COMMAND…    cargo with that: for_phone clippy --target aarch64-linux-android …
#   need_phone_link       a linker for aarch64-linux-android without Google's libraries: for looking at what reaches it
#
# Not Google's headers but musl's, not Apple's SDK but the headers of macOS that Zig carries: this finds what of the Rust does
# not fit a target, not what of the C does not.

PHONES=(aarch64-linux-android aarch64-apple-ios)
MOBILE=$TOOLS/mobile
# The source of Rust's own library as Debian packs it, for where rustup is not, or cannot fetch.
RUST_SOURCE=rust-src_1.95.0+dfsg1-2~bpo13+1_all.deb
RUST_SOURCE_SUM=7b76db5b880a77f9e52975d2baa6209d2f76d2c9c2789515c3088cb960e2c83b
BUILD_STD=() BUILD_STD_LINTS=()
export MOBILE RUST_SOURCE RUST_SOURCE_SUM

need_phones() {
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "this part runs on Linux x86_64 (elsewhere: the real tool chains, android/README.md and ios/README.md)"
    need_openssl_source_build
    need_venv mobile tests/mobile-requirements.txt
    need_phones_library
    phone_compiler android aarch64-linux-musl
    # Apple's header for its log is in its SDK alone.
    phone_compiler ios aarch64-macos -DSQLCIPHER_OMIT_LOG_DEVICE
    need_openssl_headers
}

# rustup's, into the toolchain in use; else built from source beside what is compiled.
need_phones_library() {
    local target missing=() root
    root=$(rustc --print sysroot)
    for target in "${PHONES[@]}"; do
        [ -n "$(find "$root/lib/rustlib/$target/lib" -name 'libstd-*' 2>/dev/null)" ] || missing+=("$target")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if command -v rustup >/dev/null; then
        echo "installing with rustup into ${root##*/}: the library of Rust for ${missing[*]} (30 MB each)"
        # shellcheck disable=SC2016
        if locked bash -c 'retried "$@"' - rustup --quiet target add --toolchain "${root##*/}" "${missing[@]}"; then return; fi
        echo "rustup could not: the library is built from source instead"
    fi
    [[ $(rustc --version) == "rustc 1.95.0 "* ]] || fail "the library of Rust for ${missing[*]} is missing, and its source here is that of 1.95.0: $(rustc --version)"
    # shellcheck disable=SC2016
    locked bash -euc '
        [ -f "$MOBILE/rust-src/$RUST_SOURCE_SUM" ] && exit
        echo "installing into .tools/mobile: the source of the library of Rust 1.95.0, from Debian (45 MB)"
        rm -rf "$MOBILE/rust-src"
        mkdir -p "$MOBILE/rust-src"
        cd "$MOBILE/rust-src"
        for archive in "${TAKINGS_DEBIAN:-http://deb.debian.org/debian}" http://snapshot.debian.org/archive/debian/20261122T000000Z; do
            curl --silent --fail --location --retry 3 --output "$RUST_SOURCE" "$archive/pool/main/r/rustc/$RUST_SOURCE" && break
        done
        echo "$RUST_SOURCE_SUM  $RUST_SOURCE" | sha256sum --check --quiet
        dpkg-deb --fsys-tarfile "$RUST_SOURCE" | tar x --strip-components=5 ./usr/src/rustc-1.95.0/library
        rm "$RUST_SOURCE"
        touch "$RUST_SOURCE_SUM"
    ' || fail "the library of Rust for ${missing[*]} could not be fetched (rustup target add ${missing[*]})"
    # A nightly option on a stable compiler: for checking alone.
    export RUSTC_BOOTSTRAP=1 __CARGO_TESTS_ONLY_SRC_ROOT=$MOBILE/rust-src
    BUILD_STD=("-Zbuild-std=std,panic_abort")
    # In a library built so, the lint does not see that a const is one.
    # shellcheck disable=SC2034
    BUILD_STD_LINTS=(-A clippy::missing_const_for_thread_local)
}

# phone_compiler NAME TARGET FLAG…: .tools/mobile/bin/cc-NAME, Zig's clang for TARGET whatever target it is asked for.
phone_compiler() {
    local name=$1 target=$2 zig
    shift 2
    zig=$(echo "$MOBILE"/lib/python*/site-packages/ziglang/zig)
    mkdir -p "$MOBILE/bin"
    cat >"$MOBILE/bin/cc-$name.new" <<SCRIPT
#!/bin/sh
for argument; do
    shift
    case \$argument in
        --target=* | -m*-version-min=*) ;;
        *) set -- "\$@" "\$argument" ;;
    esac
done
exec "$zig" cc -target $target $* "\$@"
SCRIPT
    printf '#!/bin/sh\nexec "%s" ar "$@"\n' "$zig" >"$MOBILE/bin/ar.new"
    local made
    for made in "cc-$name" ar; do
        # A compiler with another date is another compiler: everything would be compiled again.
        chmod +x "$MOBILE/bin/$made.new"
        cmp -s "$MOBILE/bin/$made.new" "$MOBILE/bin/$made" || cp "$MOBILE/bin/$made.new" "$MOBILE/bin/$made"
        rm "$MOBILE/bin/$made.new"
    done
}

# The headers of the OpenSSL that would be built, configured for the phone's processor. Its library would take a minute for
# each target, and nothing is linked.
need_openssl_headers() {
    local source
    source=$(cargo metadata --locked --format-version 1 --filter-platform aarch64-linux-android |
        python3 -c 'import json, sys; print(next(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "openssl-src"))') ||
        fail "the source of OpenSSL was not found among the dependencies"
    export OPENSSL_SOURCE=${source%/Cargo.toml}/openssl
    # shellcheck disable=SC2016
    locked bash -euc '
        [ "$(cat "$MOBILE/openssl/source" 2>/dev/null)" = "$OPENSSL_SOURCE" ] && exit
        echo "making in .tools/mobile: the headers of OpenSSL for phones"
        rm -rf "$MOBILE/openssl" "$MOBILE/openssl-source"
        cp -R "$OPENSSL_SOURCE" "$MOBILE/openssl-source"
        cd "$MOBILE/openssl-source"
        perl ./Configure linux-aarch64 no-shared no-tests no-apps no-docs no-module no-asm >"$MOBILE/openssl.log" 2>&1
        headers=$(ls include/openssl/*.h.in)
        make --silent ${headers//.in/} >>"$MOBILE/openssl.log" 2>&1
        mkdir -p "$MOBILE/openssl/lib"
        cp -R include "$MOBILE/openssl/"
        rm -rf "$MOBILE/openssl-source"
        # Archives without a member: looked for, not read.
        for name in crypto ssl; do printf "!<arch>\n" >"$MOBILE/openssl/lib/lib$name.a"; done
        echo "$OPENSSL_SOURCE" >"$MOBILE/openssl/source"
    ' || { tail -5 "$MOBILE/openssl.log"; fail "the headers of OpenSSL could not be made"; }
}

for_phone() {
    local command=$1
    shift
    CC_aarch64_linux_android=$MOBILE/bin/cc-android AR_aarch64_linux_android=$MOBILE/bin/ar \
        CC_aarch64_apple_ios=$MOBILE/bin/cc-ios AR_aarch64_apple_ios=$MOBILE/bin/ar SDKROOT=$MOBILE \
        OPENSSL_NO_VENDOR=1 OPENSSL_STATIC=1 OPENSSL_DIR=$MOBILE/openssl \
        ZIG_GLOBAL_CACHE_DIR=$MOBILE/zig ZIG_LOCAL_CACHE_DIR=$MOBILE/zig \
        cargo "$command" "${BUILD_STD[@]}" "$@"
}

# Rust's own lld behind the words that Android's clang takes. Nothing of Google's is linked in.
need_phone_link() {
    local lld
    lld=$(find "$(rustc --print sysroot)" -path '*/gcc-ld/ld.lld' | head -1)
    [ -x "$lld" ] || lld=$(command -v ld.lld) || fail "ld.lld is needed: it comes with Rust of rustup, or with the package lld"
    cat >"$MOBILE/bin/android-clang" <<SCRIPT
#!/bin/bash
words=()
for argument; do
    case \$argument in
        -Wl,*) IFS=, read -r -a more <<<"\${argument#-Wl,}" && words+=("\${more[@]}") ;;
        -l* | -m64 | -nodefaultlibs | -nostartfiles | -fuse-ld=* | --target=*) ;;
        *) words+=("\$argument") ;;
    esac
done
exec "$lld" "\${words[@]}"
SCRIPT
    chmod +x "$MOBILE/bin/android-clang"
    export CARGO_TARGET_AARCH64_LINUX_ANDROID_LINKER=$MOBILE/bin/android-clang
}
