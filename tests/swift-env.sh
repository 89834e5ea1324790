# shellcheck shell=bash
# Sourced by the parts that need Swift, after tools.sh. Swift 6.0.3 from Debian 13, unpacked below .tools/swift and run with
# bubblewrap, so that it works beside any other Debian or Ubuntu and changes nothing of it.
#
#   need_swift           fetches, checks and unpacks what tests/swift-packages.txt names; at once where that was done before
#   over_package DIR     lays what takings-bindgen wrote to DIR/swift over ios/, for in_swift; $PACKAGE: arguments for swift-build
#   in_swift COMMAND…    runs it with that toolchain: no network, the checkout read-only, $SWIFT_WORK writable; SWIFT_ALSO
#                        holds further arguments for bwrap
#
# Versions are those of the archive: each point release replaces some, and the old ones are gone from it. What is unpacked
# is what Debian signed. TAKINGS_DEBIAN names another mirror.

SWIFT=$TOOLS/swift
SWIFT_WORK=$ROOT/target/swift
SWIFT_PACKAGES=$ROOT/tests/swift-packages.txt
# As Debian's own packages of keys have it, on Ubuntu too.
DEBIAN_KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
SWIFT_ALSO=()
export SWIFT SWIFT_PACKAGES DEBIAN_KEYS

# What nobody here uses: debugger, editor services, the static and the embedded library, documents. Half of the room.
swift_left_out() {
    local name
    for name in bin/'lldb*' bin/repl_swift bin/clangd bin/sourcekit-lsp bin/docc bin/'*lld*' bin/wasm-ld lib/'liblldb*' \
        lib/'libLTO*' lib/'libsourcekitdInProc*' lib/'libswiftGenericMetadataBuilder*' lib/swift_static \
        lib/swift/embedded lib/swift/host/lib_InternalSwiftScan.so; do
        echo "./usr/libexec/swift/$name"
    done
    printf './usr/share/%s\n' doc man locale info lintian
}
export -f swift_left_out

# swift_fetch DIR: the packages into DIR, by an apt whose lists and state are its own.
swift_fetch() {
    local state=$1/apt names archive=${TAKINGS_DEBIAN:-http://deb.debian.org/debian}
    rm -rf "$state"
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    : >"$state/status"
    printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nArchitectures: amd64\nSigned-By: %s\n' \
        "$archive" "$DEBIAN_KEYS" >"$state/archive.sources"
    local own=(-qq -o Dir::Etc::SourceList="$state/archive.sources" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$state/lists"
        -o Dir::Cache="$state/cache" -o Dir::State::status="$state/status" -o APT::Architecture=amd64 -o Acquire::Retries=3
        -o APT::Sandbox::User="$(id -un)" -o APT::Update::Error-Mode=any -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
        -o Acquire::IndexTargets::deb::Translations::DefaultEnabled=false)
    mapfile -t names < <(grep -v '^#' "$SWIFT_PACKAGES")
    apt-get "${own[@]}" update && (cd "$1" && apt-get "${own[@]}" download "${names[@]}")
}
export -f swift_fetch

swift_unpack() {
    local new=$SWIFT/new debs=$SWIFT/debs name deb
    rm -rf "$new" "$SWIFT/system" "$debs"
    mkdir -p "$new/system" "$debs"
    echo "installing into .tools/swift: Swift 6.0.3 for Linux, packages of Debian 13 (500 MB to fetch, 0.8 GB unpacked)"
    retried swift_fetch "$debs" >"$SWIFT/apt.log" 2>&1 || {
        grep '^E:' "$SWIFT/apt.log" | head -3
        exit 1
    }
    swift_left_out >"$new/left-out"
    for deb in "$debs"/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" |
            tar x -C "$new/system" --no-same-owner --anchored --wildcards --exclude-from="$new/left-out"
        rm "$deb"
    done
    for name in bin lib lib64 sbin; do ln -s "usr/$name" "$new/system/$name"; done
    ln -s bash "$new/system/usr/bin/sh"
    # Mounts need something to be mounted on.
    mkdir -p "$new/system/"{proc,dev,tmp} "$new/system$ROOT"
    mv "$new/system" "$SWIFT/system"
    rm -rf "$new" "$debs"
    cp "$SWIFT_PACKAGES" "$SWIFT/installed"
}
export -f swift_unpack

CONTAINED=(--proc /proc --dev /dev --tmpfs /tmp --unshare-net --die-with-parent)

need_container() {
    local said
    want_tool bwrap bubblewrap
    command -v bwrap >/dev/null || fail "bubblewrap is needed for Swift (Debian: apt-get install bubblewrap)"
    # No other way: proot, which needs no rights, now and then loses a compiler without a word.
    said=$(bwrap --ro-bind / / "${CONTAINED[@]}" true 2>&1) || fail "Swift needs a container, and bubblewrap may not make one \
here (${said:-no reason given}). What it asks for: user namespaces (kernel.unprivileged_userns_clone=1, \
kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0), or root with CAP_SYS_ADMIN"
}

need_swift() {
    local tool
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "the Swift part runs on Linux x86_64; on a Mac: swift test in ios/"
    mkdir -p "$SWIFT" "$SWIFT_WORK"
    for tool in apt-get dpkg-deb; do
        command -v $tool >/dev/null || fail "$tool is needed to unpack Swift (Debian: apt, dpkg)"
    done
    need_container
    # A moved checkout has another path to mount on.
    cmp -s "$SWIFT_PACKAGES" "$SWIFT/installed" && [ -d "$SWIFT/system$ROOT" ] && return
    want_tool "$DEBIAN_KEYS" debian-archive-keyring
    [ -f "$DEBIAN_KEYS" ] || fail "Debian's keys are needed to check Swift's packages (apt-get install debian-archive-keyring)"
    # shellcheck disable=SC2016
    locked bash -euo pipefail -c 'cmp -s "$SWIFT_PACKAGES" "$SWIFT/installed" && [ -d "$SWIFT/system$ROOT" ] || swift_unpack' ||
        fail "Swift could not be installed: the packages of tests/swift-packages.txt were not to be had, see above and .tools/swift/apt.log"
    in_swift swiftc --version >/dev/null 2>&1 || fail "the unpacked Swift does not start"
}

# ios/ itself stays as it is in git. What did not change keeps its file: the build looks at that. What did change starts it
# anew: it would link objects that were compiled against the old records.
over_package() {
    local bindings=$SWIFT_WORK/TakingsBindings ffi=$SWIFT_WORK/TakingsFFI
    mkdir -p "$bindings" "$ffi" ios/Sources/TakingsBindings ios/Sources/TakingsFFI
    keep() {
        cmp -s "$1" "$2" && return
        rm -rf "$SWIFT_WORK/build"
        cp "$1" "$2"
    }
    keep "$1/swift/TakingsBindings.swift" "$bindings/TakingsBindings.swift"
    keep "$1/swift/TakingsFFI.h" "$ffi/TakingsFFI.h"
    keep ios/Sources/TakingsFFI/module.modulemap "$ffi/module.modulemap"
    SWIFT_ALSO+=(--ro-bind "$bindings" "$ROOT/ios/Sources/TakingsBindings" --ro-bind "$ffi" "$ROOT/ios/Sources/TakingsFFI")
    # --allow-shlib-undefined: Debian's Observation wants a symbol that nobody has.
    PACKAGE=(--package-path "$ROOT/ios" --cache-path /tmp/cache --disable-sandbox
        -Xlinker "-L$1/swift" -Xlinker "-rpath=$1/swift" -Xlinker --allow-shlib-undefined)
}

in_swift() {
    bwrap --ro-bind "$SWIFT/system" / "${CONTAINED[@]}" --ro-bind "$ROOT" "$ROOT" --bind "$SWIFT_WORK" "$SWIFT_WORK" \
        --chdir "$SWIFT_WORK" --clearenv --setenv HOME /tmp --setenv TZ UTC --setenv LANG C.UTF-8 \
        --setenv PATH /usr/libexec/swift/bin:/usr/bin:/bin "${SWIFT_ALSO[@]}" "$@"
}
