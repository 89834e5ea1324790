# Sourced by the parts of tests/run and by .ci/run: what they need and how it gets here. Everything lands in .tools/.
# Each function says what it installs; what is already there is left alone.

if [ "${BASH_VERSINFO[0]}" -lt 5 ]; then
    echo "error: bash 5 or newer is needed" >&2
    exit 1
fi
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOOLS=$ROOT/.tools
PYTHON=$TOOLS/venv/bin/python
export ROOT TOOLS PYTHON PYTHONDONTWRITEBYTECODE=1 CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
cd "$ROOT" || exit 1
mkdir -p "$TOOLS"

# A network has its moments. Cargo tries again by itself, and so do npm and Maven.
export CARGO_NET_RETRY=${CARGO_NET_RETRY:-8}
# retried COMMAND…: up to three times.
retried() {
    local n
    for n in 1 2 3; do
        "$@" && return
        [ "$n" = 3 ] || { echo "that failed; once more in $((n * 5)) s" >&2 && sleep $((n * 5)); }
    done
    return 1
}
export -f retried

# Two parts, or two runs, may want the same tool at the same time.
locked() {
    if command -v flock >/dev/null; then flock "$TOOLS/lock" "$@"; else "$@"; fi
}
export -f locked

fail() {
    echo "error: $*" >&2
    exit 1
}

# want_tool COMMAND PACKAGE: by apt-get, if the command (or file) is missing and may be had so. What went wrong is said;
# whether it is there now is for the caller to see. An archive beside the point may be out of reach: lists that did not
# come are no end.
want_tool() {
    local sudo=
    if [ -f "$1" ] || command -v "$1" >/dev/null; then return; fi
    command -v apt-get >/dev/null || return 0
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    echo "installing with apt-get: $2"
    # shellcheck disable=SC2016
    locked bash -uc '
        export DEBIAN_FRONTEND=noninteractive
        said=$({ $1 apt-get -qq update; retried $1 apt-get -qq install -y --no-install-recommends "$2"; } 2>&1) ||
            tail -n 3 <<<"$said"
    ' - "$sudo" "$2"
}

command -v cargo >/dev/null || fail "Rust 1.95 with cargo is needed (rustup toolchain install 1.95)"

# $PYTHON with the packages of tests/oracle/requirements.txt.
need_python() {
    need_venv venv tests/oracle/requirements.txt
}

# need_venv NAME FILE: a Python of its own, .tools/NAME/bin/python, with the packages of FILE.
need_venv() {
    command -v python3 >/dev/null || fail "python3 (3.10 or newer) is needed"
    export VENV=$TOOLS/$1 NAME=$1 WANTED=$ROOT/$2
    cmp -s "$WANTED" "$VENV/installed" && return
    # shellcheck disable=SC2016
    locked bash -euc '
        cmp -s "$WANTED" "$VENV/installed" && exit
        echo "installing into .tools/$NAME: $(grep -v "^#" "$WANTED" | tr "\n" " ")"
        python3 -m venv "$VENV"
        retried "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -r "$WANTED"
        cp "$WANTED" "$VENV/installed"
    ' || fail "the Python packages could not be installed (on Debian the module venv is the package python3-venv)"
}

# need_npm PACKAGE VERSION: installs it into .tools/node; its commands are in .tools/node/node_modules/.bin.
need_npm() {
    export PACKAGE=$1 VERSION=$2
    command -v node >/dev/null && command -v npm >/dev/null ||
        fail "Node.js 20.19 or newer with npm is needed for $PACKAGE"
    # shellcheck disable=SC2016
    locked bash -euc '
        manifest=$TOOLS/node/node_modules/$PACKAGE/package.json
        if ! grep -qs "\"version\": \"$VERSION\"" "$manifest"; then
            echo "installing into .tools/node: $PACKAGE $VERSION"
            retried npm install --prefix "$TOOLS/node" --no-audit --no-fund --loglevel=error "$PACKAGE@$VERSION"
        fi
    ' || fail "$PACKAGE $VERSION could not be installed"
}

# need_cargo_tool NAME VERSION: installs it into .tools/bin. Built to be there soon, not to be fast.
need_cargo_tool() {
    export PACKAGE=$1 VERSION=$2
    # shellcheck disable=SC2016
    locked bash -euc '
        [ "$("$TOOLS/bin/$PACKAGE" --version 2>/dev/null)" = "$PACKAGE $VERSION" ] && exit
        echo "installing into .tools/bin: $PACKAGE $VERSION (some minutes)"
        CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 \
            CARGO_PROFILE_RELEASE_DEBUG=0 cargo install --quiet --locked --root "$TOOLS" "$PACKAGE@$VERSION"
    ' || fail "$PACKAGE $VERSION could not be installed"
}

# What OpenSSL's own build needs. Debian's perl-base alone lacks modules of it.
need_openssl_source_build() {
    command -v make >/dev/null || fail "make is needed to build OpenSSL for SQLCipher (Debian: apt-get install make)"
    perl -MFindBin -MIPC::Cmd -MFile::Compare -MPod::Usage -e 1 2>/dev/null ||
        fail "perl with its standard modules is needed to build OpenSSL for SQLCipher (Debian: apt-get install perl)"
}

# $ENCRYPTED_TILL and $PLAIN_TILL: till-cli with SQLCipher and without. Cargo gives both builds one name: the encrypted
# one is put aside, and the plain one stands where the other parts look.
build_both_tills() {
    need_openssl_source_build
    ENCRYPTED_TILL=$ROOT/target/tests-run/till-cli-sqlcipher PLAIN_TILL=$ROOT/target/debug/till-cli
    mkdir -p "$ROOT/target/tests-run"
    echo "building till-cli with SQLCipher and without (minutes the first time: OpenSSL is compiled)"
    cargo build --quiet -p till-cli -p sandbox-acquirer --features till-cli/sqlcipher
    cp "$PLAIN_TILL" "$ENCRYPTED_TILL"
    cargo build --quiet -p till-cli -p sandbox-acquirer
}

# Whatever crosses the border is built by one choice of packages: cargo then settles on one set of features, and what
# comes from outside is built once for all parts.
BORDER=(-p takings-ffi -p takings-bindgen -p scenarios -p sandbox-acquirer)

# bugs: the names of those that can be planted in the core, for the world simulator.
bugs() {
    grep -oE '^    bug\("[a-z0-9_]+"' "$ROOT/core/domain/src/planted.rs" | cut -d'"' -f2 | sort
}

# planted_in FILE: those whose names a built file holds.
planted_in() {
    grep -aoFf <(bugs) -- "$1" | sort -u || true
}

# generate DIR [--planted]: builds these, writes the library and Kotlin, Swift and Python of it below DIR. Not with
# `cargo run`: it sets variables that build scripts watch, and ring with all that stands on it would be built each time.
generate() {
    need_openssl_source_build
    cargo build --quiet "${BORDER[@]}" && target/debug/takings-bindgen "$@"
}

# as_in_rust LANGUAGE FILE: FILE has every day of tests/scenarios, byte for byte as Rust plays them now. The runner is among
# what `generate` builds.
as_in_rust() {
    local rust=$ROOT/target/tests-run/days.$1.rust.jsonl days
    mkdir -p "$ROOT/target/tests-run"
    target/debug/scenarios >"$rust" || fail "a day fails in Rust"
    cmp "$rust" "$2" || fail "a day ends otherwise in $1 than in Rust"
    days=$(find tests/scenarios/days -name '*.json' | wc -l)
    [ "$days" -gt 0 ] && [ "$(wc -l <"$2")" -eq "$days" ] || fail "$days days are written, $(wc -l <"$2") were played in $1"
    echo "$days days end in $1 as in Rust, byte for byte"
}

# A JDK, 17 or newer, and Maven, from the system's packages where they are missing. $MAVEN is the command, quiet, with
# its repository in .tools/m2.
need_maven() {
    local missing=()
    [ "$(java_version)" -ge 17 ] || missing+=("a JDK")
    command -v mvn >/dev/null || missing+=(Maven)
    if [ ${#missing[@]} -gt 0 ]; then
        command -v apt-get >/dev/null || fail "a JDK, 17 or newer, and Maven are needed"
        echo "installing with apt-get: ${missing[*]} (200 MB)"
        # shellcheck disable=SC2016
        locked bash -euc '
            export DEBIAN_FRONTEND=noninteractive
            sudo=; [ "$(id -u)" -eq 0 ] || sudo=sudo
            retried $sudo apt-get -qq update || true
            # Of the long-lived versions, the first that this system has.
            jdk=$(apt-cache --names-only --generate pkgnames openjdk- | grep -xE "openjdk-(17|21|25)-jdk-headless" | sort | head -1)
            retried $sudo apt-get -qq install -y --no-install-recommends "${jdk:-default-jdk-headless}" maven >/dev/null
        ' || fail "${missing[*]} could not be installed"
        [ "$(java_version)" -ge 17 ] || fail "java is still older than 17: $(command -v java)"
    fi
    [ -d "$TOOLS/m2" ] || echo "installing into .tools/m2: Kotlin, JUnit, ktlint, Android's classes (300 MB from Maven Central)"
    MAVEN=(mvn --batch-mode --no-transfer-progress --quiet -Dstyle.color=never "-Dmaven.repo.local=$TOOLS/m2"
        # Maven before 3.9, and since.
        -Dmaven.wagon.http.retryHandler.count=8 -Daether.connector.http.retryHandler.count=8)
}

# The number before the first dot; 0 without a compiler beside the runtime.
java_version() {
    local version=0
    command -v javac >/dev/null && version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -1)
    echo "${version:-0}"
}
