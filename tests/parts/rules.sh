#!/usr/bin/env bash
# Rules of the tree that no compiler checks by itself. Each prints one line; all are tried.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

status=0
ok() { echo "ok      $*"; }
bad() {
    echo "BROKEN  $*"
    status=1
}

# without PACKAGE EDGES NAMES [DEPTH]: none of the named packages (an extended regular expression) is in its tree, as
# deep as DEPTH.
without() {
    local package=$1 edges=$2 names=$3 tree found
    if ! tree=$(cargo tree --quiet --locked -p "$package" -e "$edges" --depth "${4:-99}" --prefix none --format '{p}'); then
        bad "cargo tree of $package"
        return
    fi
    if found=$(grep -E "^($names) " <<<"$tree" | sort -u | tr '\n' ' ') && [ -n "$found" ]; then
        bad "$package depends on $found"
    else
        ok "$package depends on none of ${names//|/, }${4:+ itself}"
    fi
}

# The judge of the contract must not share a line with what it judges.
without sandbox-acquirer normal,build,dev 'takings-.*'
IMPURE='tokio|rusqlite|libsqlite3-sys|reqwest|hyper|rand|getrandom'
without takings-domain normal "$IMPURE"
without takings-readers normal "$IMPURE"
without takings-acquirers normal 'rusqlite|takings-store|takings-till'
without takings-store normal 'reqwest|tokio|hyper|takings-acquirers|takings-readers|takings-till'
# Its tests spoil files with SQLite; what ships knows the ledger alone.
without takings-till normal 'rusqlite|reqwest' 1

# What only tests and the simulator are built with: the engine's own face, bugs to plant, calls that break it.
FOR_TESTS='planted|simulation|panicking'
# for_tests PACKAGE [ARGUMENT…]: which of them its tree turns on in our crates.
for_tests() {
    local tree
    tree=$(cargo tree --quiet --locked -p "$@" -e normal --prefix none --format '{p}|{f}|') || { echo "no tree"; return; }
    awk -F'|' '/^(takings-|till-cli|market-day)/ { print $2 }' <<<"$tree" | tr ',' '\n' | grep -xE "$FOR_TESTS" |
        sort -u | paste -sd' '
}
for package in takings-ffi market-day till-cli; do
    found=$(for_tests "$package")
    if [ -n "$found" ]; then bad "$package is built with $found"; else ok "$package is built with none of ${FOR_TESTS//|/, }"; fi
done
for feature in planted simulation panicking; do
    found=$(for_tests market-day --features "takings-till/$feature")
    if [ "$found" = "$feature" ]; then ok "turned on, $feature is seen"; else bad "turned on, $feature is not seen: '$found'"; fi
done

# A bug that can be planted has a place in the code, and a place has its bug.
planted_bugs() {
    local places lost
    places=$(grep -rhoE 'planted::is\("[a-z0-9_]+"\)' core/*/src | cut -d'"' -f2 | sort -u)
    lost=$(diff <(bugs) <(echo "$places") | grep '^[<>]')
    if [ -n "$lost" ]; then
        bad "bugs without a place (<) and places without a bug (>):"
        sed 's/^/        /' <<<"$lost"
    else
        ok "each of $(bugs | wc -l) bugs that can be planted has its place in the core"
    fi
}
planted_bugs

# A clock read in the domain must be a lint error, and nothing else in this copy may be one.
planted_clock() {
    local copy=$ROOT/target/planted log=$ROOT/target/planted/clippy.log
    rm -rf "$copy"
    mkdir -p "$copy/core"
    cp -R core/domain "$copy/core/domain"
    cp Cargo.lock clippy.toml "$copy/"
    # The same workspace with one member: versions, lints and profiles are inherited as in the real one.
    awk '/^members = / { print "members = [\"core/domain\"]" }
         /^(default-)?members = / { skip = 1 } !skip { print } /\]$/ { skip = 0 }' \
        Cargo.toml >"$copy/Cargo.toml"
    lint() {
        (cd "$copy" && CARGO_TARGET_DIR=$ROOT/target cargo clippy --quiet --offline --lib -- -D warnings) >"$log" 2>&1
    }
    if ! lint; then
        bad "the copy of core/domain without a planted fault fails clippy:"
        sed 's/^/        /' "$log"
        return
    fi
    local fault
    for fault in 'std::time::SystemTime::now()' 'std::time::Instant::now()'; do
        cp core/domain/src/lib.rs "$copy/core/domain/src/lib.rs"
        printf '\n/// Planted.\n#[must_use]\npub fn planted() -> impl Sized {\n    %s\n}\n' "$fault" \
            >>"$copy/core/domain/src/lib.rs"
        if lint; then
            bad "a planted $fault in core/domain passes clippy"
        elif ! grep -q "use of a disallowed method" "$log"; then
            bad "a planted $fault in core/domain fails, but not as a disallowed method:"
            sed 's/^/        /' "$log"
        else
            ok "a planted $fault in core/domain is refused as a disallowed method"
        fi
    done
    rm -rf "$copy"
}
planted_clock

# What git tracks, or would: sources, never what is built or installed.
files() {
    git ls-files -z --cached --others --exclude-standard -- "$@" | while IFS= read -r -d '' file; do
        [ -f "$file" ] && printf '%s\0' "$file"
    done
}

# absent WHAT PATTERN PATHSPEC…: the extended regular expression matches in none of the files.
absent() {
    local what=$1 pattern=$2 found
    shift 2
    # What grep complains of counts as found: a pattern that cannot be read must not pass.
    found=$(files "$@" | xargs -0 grep -nIE -e "$pattern" -- 2>&1)
    if [ -n "$found" ]; then
        bad "$what:"
        sed 's/^/        /' <<<"$found" | head -20
    else
        ok "$what: none"
    fi
}

WALL=800
long=$(files '*.rs' | xargs -0 wc -l | awk -v wall=$WALL '$2 != "total" && $1 > wall { print $2 " (" $1 ")" }')
if [ -n "$long" ]; then bad "files over $WALL lines: ${long//$'\n'/, }"; else ok "files over $WALL lines: none"; fi

# The words are spelt so that this file does not hold them.
absent "unfinished work" '\b(TO''DO|FIX''ME|XX''X|HA''CK)\b|\b(to''do|unimple''mented)!\(' '*.rs' '*.py' '*.sh' '*.md' '*.yaml' '*.toml'
absent "floats in the core" '\bf(32|64)\b' 'core/*/src/*.rs'
absent "UniFFI outside bindings/ffi" '(^|[^a-z_])uniffi([^a-z_.]|$)|uniffi::' 'core/*.rs' 'core/*.toml' 'tests/*.rs' 'tests/*.toml'
absent "switched-off tests" '#\[ign''ore' '*.rs'
absent "paths of somebody's machine" "/(root|home|Users)/[A-Za-z0-9.]+/" ':!*.lock'
# Where this checkout lies, unless so near the root that the path could be anybody's.
case $ROOT in
    /*/*) absent "the path of this checkout" "$(sed 's/[.[\*^$()+?{|]/\\&/g' <<<"$ROOT")(/|\\b)" ;;
esac

exit "$status"
