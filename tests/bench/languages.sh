#!/usr/bin/env bash
# A page of 50 payments in each language, over the same ledger, beside Rust; one table. README.md says more.
#   tests/bench/languages.sh [--payments N] [--without-swift]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../swift-env.sh"

payments=10000 swift=yes
while [ $# -gt 0 ]; do
    case $1 in
        --payments) payments=$2 && shift ;;
        --without-swift) swift= ;;
        *) fail "tests/bench/languages.sh [--payments N] [--without-swift]" ;;
    esac
    shift
done
command -v python3 >/dev/null || fail "python3 (3.10 or newer) is needed"
need_openssl_source_build
need_maven
[ -z "$swift" ] || need_swift

WORK=$ROOT/target/bench/languages
GENERATED=$WORK/generated
mkdir -p "$WORK"
# As fast as what ships. Planted: the Kotlin tests, compiled with it, name those exports.
cargo build --quiet --profile bench-fast -p takings-ffi -p takings-bindgen
cargo build --quiet --profile bench-fast "${BORDER[@]}" --example pages
target/bench-fast/takings-bindgen "$GENERATED" --planted
ledger=$WORK/ledger-$payments
if [ ! -d "$ledger" ]; then
    echo "selling $payments times"
    rm -rf "$ledger.new"
    mkdir "$ledger.new"
    target/bench-fast/examples/pages make "$ledger.new" "$payments"
    mv "$ledger.new" "$ledger"
fi

# A ledger has one writer: each language reads a copy of its own.
contender() {
    local dir=$1/$2
    shift 2
    rm -rf "$dir"
    mkdir -p "${dir%/*}"
    cp -R "$ledger" "$dir"
    contenders+=("$(printf '%s\t' "$@")$dir")
}
contenders=()
contender "$WORK" rust Rust target/bench-fast/examples/pages
contender "$WORK" python Python env "PYTHONPATH=$GENERATED/python" python3 tests/bench/languages/pages.py

built=$ROOT/android/takings/target
"${MAVEN[@]}" -f android/takings/pom.xml "-Dtakings.generated=$GENERATED/kotlin" -DskipTests package
contender "$WORK" kotlin Kotlin java "-Djna.library.path=$GENERATED/kotlin" \
    -cp "$built/classes:$built/test-classes:$(cat "$built/classpath")" app.takings.bench.PagesKt

if [ -n "$swift" ]; then
    over_package "$GENERATED"
    in_swift swift-build "${PACKAGE[@]}" --scratch-path "$SWIFT_WORK/bench" -c release --product pages
    export -f in_swift
    contender "$SWIFT_WORK" bench-ledger Swift bash -c '. tests/tools.sh; . tests/swift-env.sh; in_swift "$SWIFT_WORK/bench/release/pages" "$1"' pages
fi
python3 tests/bench/languages/compare.py "$payments" "${contenders[@]}"
