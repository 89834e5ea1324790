"""Schemathesis fuzzes the sandbox by the document, signing its requests: it finds no violation.

    .tools/contract/bin/python tests/contract/fuzz.py [--seed N] [--max-examples N]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

import stage

HERE = stage.ROOT / "tests/contract"
RUN_S = 280
# What the fuzzer has to reach: a success of every operation, or it did not come past the doors.
SUCCESS = {"200", "201", "202"}


def schemathesis(url: str, admin: str, seed: int, examples: int, *more: str, document=stage.DOCUMENT):
    """One run against the acquirer at `url`, whose administration is at `admin`."""
    words = [stage.PYTHON.parent / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run", document, "--url", url]
    words += ["--max-examples", examples, "--seed", seed, "--request-timeout", 20, "--workers", 1, "--no-color"]
    words += ["--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off", *more]
    surroundings = {"SANDBOX": url, "ADMIN": admin, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE), "NO_PROXY": "*"}
    with tempfile.TemporaryDirectory() as directory:
        return subprocess.run(
            [str(word) for word in words],
            cwd=directory,
            env={**os.environ, **surroundings},
            capture_output=True,
            text=True,
            timeout=RUN_S,
        )


def main() -> None:
    """The whole document, every check, every phase."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--max-examples", type=int, default=30)
    asked = parser.parse_args()
    with stage.sandbox() as url:
        phases = ("--phases", "examples,coverage,fuzzing,stateful")
        run = schemathesis(url, url, asked.seed, asked.max_examples, *phases)
        answers = stage.admin(url, "GET", "/admin/ledger")["requests"]
    if run.returncode:
        sys.exit(f"{run.stdout[-20000:]}{run.stderr[-3000:]}")
    missed = [name for name in sorted(stage.operations()) if not SUCCESS & answers.get(name, {}).keys()]
    if missed:
        sys.exit(f"never answered with success, so hardly fuzzed: {', '.join(missed)}")
    count = re.search(r"(\d+) generated, (\d+) passed", run.stdout)
    statuses = sorted({status for by_status in answers.values() for status in by_status})
    print(f"seed {asked.seed}: Schemathesis made {count[1]} requests to {len(stage.operations())} operations and found no violation; answers {', '.join(statuses)}")


if __name__ == "__main__":
    main()
