#!/usr/bin/env bash
# The Python wheel: built, looked at from outside, installed without a network into an empty environment, its types held
# against the module and against a script; the script for support asked where the money of a day is, on a day it plays and on a
# folder, and compared with the acquirer's own book.
#
#   tests/parts/wheel.sh                 the quickest build of the library
#   TAKINGS_PROFILE=release …            the one that ships: ten minutes more
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

need_openssl_source_build
need_venv wheel bindings/python/requirements.txt
BUILDER=$TOOLS/wheel/bin/python
WORK=$ROOT/target/wheel-test
export TAKINGS_PROFILE=${TAKINGS_PROFILE:-dev}
rm -rf "$WORK"
mkdir -p "$WORK"

"$BUILDER" -m pip --disable-pip-version-check wheel --quiet --no-index --no-build-isolation --no-deps --wheel-dir "$WORK" bindings/python ||
    fail "the wheel does not build (without --quiet: pip wheel --no-deps bindings/python)"
"$BUILDER" tests/parts/wheel.py contents "$WORK"/takings-*.whl

python3 -m venv "$WORK/empty"
USER_PYTHON=$WORK/empty/bin/python
"$USER_PYTHON" -m pip --disable-pip-version-check install --quiet --no-index "$WORK"/takings-*.whl
# The examples as a reader has them: somewhere else, with nothing of this checkout in sight.
cp -R bindings/python/examples "$WORK/examples"
cd "$WORK/examples"
unset PYTHONPATH

start=$EPOCHSECONDS
# -P: not from the folder of the call.
printf '%s\n' 'takings\..*\.__match_args__' 'takings\..*\.__del__' 'takings\.libtakings_ffi' >"$WORK/allowed"
(cd "$WORK" && MYPYPATH=$("$USER_PYTHON" -c 'import takings, pathlib; print(pathlib.Path(takings.__file__).parent.parent)') \
    PYTHONPATH=$("$USER_PYTHON" -c 'import takings, pathlib; print(pathlib.Path(takings.__file__).parent.parent)') \
    "$BUILDER" -m mypy.stubtest takings --concise --allowlist "$WORK/allowed" --ignore-unused-allowlist) || fail "the types and the module differ"
types() { "$BUILDER" -m mypy --strict --cache-dir "$WORK/mypy" --python-executable "$USER_PYTHON" "$@"; }
types where_is_the_money.py demo_day.py
for wrong in 'takings.PaymentQuery(limit="many")' 'takings.text_of(takings.WordKind.STAGE, 1, takings.Language.EN)' 'takings.Tills'; do
    printf 'import takings\n%s\n' "$wrong" >"$WORK/wrong.py"
    if types "$WORK/wrong.py" >"$WORK/said"; then fail "the type checker passes over $wrong"; fi
    grep -qE 'wrong.py:2: error: .*\[(arg-type|attr-defined)\]' "$WORK/said" || { cat "$WORK/said"; fail "the type checker fails elsewhere: $wrong"; }
done
echo "types: as the module, strict in the examples, three planted mistakes found: $((EPOCHSECONDS - start)) s"

# Both ways: the day played here, judged by the demo world's clock; and its folder, as support gets one, by this machine's.
support() { "$USER_PYTHON" where_is_the_money.py "$@"; }
support --demo --keep "$WORK/demo" --json >"$WORK/demo.json"
before=$(cd "$WORK/demo" && find . -type f -exec sha256sum {} + | sort)
folder=("$WORK/demo/ledger" --day 2026-11-14 --key-file "$WORK/demo/keys.json")
# Without a network, where this system can do that; and by its system calls, where they can be seen.
alone=() && if unshare --net --map-root-user true 2>/dev/null; then alone=(unshare --net --map-root-user); fi
"${alone[@]}" "$USER_PYTHON" where_is_the_money.py "${folder[@]}" --json >"$WORK/folder.json"
if [ ${#alone[@]} -gt 0 ]; then echo "answered without a network"; else echo "no network can be taken away here: the system calls are left to judge"; fi
"$BUILDER" "$ROOT/tests/parts/wheel.py" answers "$WORK/demo.json" "$WORK/folder.json" "$WORK/demo/book.json"
support "${folder[@]}" --lang zh >"$WORK/zh"
for said in '2026-11-14 的钱在哪里' '已到账'; do grep -q "$said" "$WORK/zh" || fail "no answer in Chinese: $said"; done
TAKINGS_LEDGER_KEY=$("$BUILDER" -c 'import json, sys; print(json.load(open(sys.argv[1]))["ledger_key"])' "$WORK/demo/keys.json")
TAKINGS_DEVICE_PUBLIC_KEY=$("$BUILDER" -c 'import json, sys; print(json.load(open(sys.argv[1]))["device_public_key"])' "$WORK/demo/keys.json")
(export TAKINGS_LEDGER_KEY TAKINGS_DEVICE_PUBLIC_KEY && support "$WORK/demo/ledger" --day 2026-11-14) >"$WORK/en"
if grep -rqF "$TAKINGS_LEDGER_KEY" "$WORK/en" "$WORK/zh" "$WORK/folder.json"; then fail "the answer shows the key"; fi
if command -v strace >/dev/null && strace -o "$WORK/calls" true 2>/dev/null; then
    strace -f -qq -e trace=socket,connect,sendto,bind -o "$WORK/calls" "$USER_PYTHON" where_is_the_money.py "${folder[@]}" >/dev/null
    if grep -qE 'AF_INET|connect\(' "$WORK/calls"; then cat "$WORK/calls"; fail "opening a copy reaches for the network"; fi
    echo "no socket to a network was made"
else
    [ ${#alone[@]} -gt 0 ] || fail "neither unshare nor strace works here: that nothing is sent cannot be judged (apt-get install strace)"
    echo "system calls cannot be seen here (strace): that it answered without a network is left to judge"
fi

# refused CODE SENTENCE ARGUMENT…: says this and ends so.
refused() {
    local code=$1 sentence=$2 got=0
    shift 2
    support "$@" >"$WORK/out" 2>"$WORK/said" || got=$?
    if [ "$got" -ne "$code" ] || ! grep -q "$sentence" "$WORK/said" || [ -s "$WORK/out" ] || grep -q Traceback "$WORK/said"; then
        cat "$WORK/said"
        fail "expected exit code $code and '$sentence', found $got: $*"
    fi
    if grep -qF "$TAKINGS_LEDGER_KEY" "$WORK/said"; then fail "it shows the key"; fi
    echo "refused ($code): $sentence"
}
day=(--day 2026-11-14)
key=(--key-file "$WORK/demo/keys.json")
"$BUILDER" "$ROOT/tests/parts/wheel.py" spoil "$WORK/demo" "$WORK/spoilt"
refused 2 'not a day' "$WORK/demo/ledger" --day 2026-11-32 "${key[@]}"
refused 3 'no such folder' "$WORK/nowhere" "${day[@]}" "${key[@]}"
refused 3 'no ledger in this folder' "$WORK/empty" "${day[@]}" "${key[@]}"
refused 4 'Both keys are needed' "$WORK/demo/ledger" "${day[@]}"
refused 4 'not the key of this ledger (wrong_key)' "$WORK/demo/ledger" "${day[@]}" --key-file "$WORK/spoilt/wrong-key.json"
refused 4 'not the key of this ledger (another_key)' "$WORK/demo/ledger" "${day[@]}" --key-file "$WORK/spoilt/other-phone.json"
refused 5 'The ledger ' "$WORK/spoilt/changed" "${day[@]}" "${key[@]}"
refused 5 'end of the ledger is missing' "$WORK/spoilt/without-end" "${day[@]}" "${key[@]}"
refused 6 'Nothing was sold on 2026-11-15' "$WORK/demo/ledger" --day 2026-11-15 "${key[@]}"

after=$(cd "$WORK/demo" && find . -type f -exec sha256sum {} + | sort)
[ "$before" = "$after" ] || fail "the folder that was asked about is not as it was"
echo "the folder is as it was, byte for byte"
