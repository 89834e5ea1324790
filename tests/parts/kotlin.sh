#!/usr/bin/env bash
# The Kotlin library on the JVM against the real core: its tests, the days of tests/scenarios with the same result as
# in Rust, Android's own classes, style.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

# Two runs share what Maven builds and the days they write: one after the other. (--close: nothing they start keeps the lock.)
if [ -z "${KOTLIN_ALONE:-}" ] && command -v flock >/dev/null; then
    exec env KOTLIN_ALONE=1 flock --close "$TOOLS/kotlin.lock" bash "${BASH_SOURCE[0]}"
fi

command -v python3 >/dev/null || fail "python3 (3.10 or newer) is needed"
need_maven

BUILT=$ROOT/android/takings/target
NATIVE=$ROOT/target/kotlin/kotlin
RESULTS=$ROOT/target/tests-run
mkdir -p "$RESULTS"

generate target/kotlin --planted

maven() {
    # A planted panic is told by its error alone.
    RUST_BACKTRACE=0 "${MAVEN[@]}" -f "android/takings/$1" "$2" || fail "Maven: android/takings/$1 $2 did not pass (or could not fetch what it needs, see above)"
}
start=$EPOCHSECONDS
# A test that was taken away would still lie there compiled, and run.
rm -rf "$BUILT/surefire-reports" "$BUILT/test-classes"
maven pom.xml package
# JUnit passes over a test that returns something, in silence.
python3 - "$BUILT"/surefire-reports/*.xml <<'PYTHON'
import pathlib, re, sys, xml.etree.ElementTree as tree
suites = [tree.parse(path).getroot() for path in sys.argv[1:]]
ran = sum(int(suite.get("tests")) - int(suite.get("skipped")) for suite in suites)
sources = pathlib.Path("android/takings/src/test/kotlin").rglob("*.kt")
written = sum(len(re.findall(r"^ *@Test$", source.read_text("utf-8"), re.M)) for source in sources)
print(f"{ran} Kotlin tests passed, in {len(suites)} classes")
sys.exit(f"error: {written} tests are written, {ran} ran" if ran != written else 0)
PYTHON
echo "Kotlin library and tests: $((EPOCHSECONDS - start)) s"

# The same days, byte for byte.
play() {
    java "-Djna.library.path=$NATIVE" "-Dtakings.root=$ROOT" -cp "$BUILT/classes:$BUILT/test-classes:$(cat "$BUILT/classpath")" \
        app.takings.scenarios.MainKt "$@"
}
play >"$RESULTS/days.kotlin.jsonl"
as_in_rust Kotlin "$RESULTS/days.kotlin.jsonl"

# A day that expects what does not happen must be found, and said where; a file that is no day, too.
planted=$RESULTS/planted.json
for plant in 'day["end"] = {"payments": {"$count": 99}}|1|end.payments: expected $count 99' \
    'day["steps"][0]["do"] = "dance"|2|no step is called "dance"'; do
    IFS='|' read -r change code complaint <<<"$plant"
    python3 -c "
import json, pathlib, sys
day = json.loads(sorted(pathlib.Path('tests/scenarios/days').glob('*.json'))[0].read_text('utf-8'))
$change
pathlib.Path(sys.argv[1]).write_text(json.dumps(day), 'utf-8')" "$planted"
    got=0
    play "$planted" >/dev/null 2>"$planted.said" || got=$?
    if [ "$got" -ne "$code" ] || ! grep -qF "$complaint" "$planted.said"; then
        fail "planted ($complaint): exit code $got, said $(cat "$planted.said")"
    fi
    echo "found: $(cut -c 1-80 "$planted.said")"
done

maven android-check.xml compile
echo "compiles against Android's own classes"
java -jar "$BUILT/lint/ktlint.jar" --log-level=error "android/**/*.kt" "android/**/*.kts" '!android/**/target/**'
bash -n android/make-native.sh
# What the tests ran with is what Gradle compiles in.
for name in kotlin coroutines jna; do
    version=$(sed -n "s|.*<$name.version>\(.*\)</$name.version>|\1|p" android/takings/pom.xml)
    grep -q "$name.*[:\"]$version[@\"]" android/takings/build.gradle.kts || fail "build.gradle.kts has another version of $name than $version"
done
python3 -c "import sys, xml.dom.minidom as dom; [dom.parse(path) for path in sys.argv[1:]]" android/takings/src/android/AndroidManifest.xml
echo "style is sound"

# What was built last has exports that nobody may ship.
cargo build --quiet "${BORDER[@]}"
