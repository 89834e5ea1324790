#!/usr/bin/env python3
"""A market day is killed with its whole process group, again and again, and played to its end.

    tests/parts/interrupt.py --seed N --dir DIR [--kills N]     needs target/debug/market-day

Leaves script.jsonl, acquirer-ledger.json and out.json in DIR for the judge.
"""

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main() -> None:
    """Kills, then lets the day end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--kills", type=int, default=15)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    command = [ROOT / "target/debug/market-day", "--seed", str(asked.seed), "--dir", asked.dir]
    killed = 0
    for _ in range(asked.kills):
        day = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            # From before the first process runs to deep into the story.
            day.wait(timeout=chance.choice([0.02, 0.1, 0.5]) * chance.random())
        except subprocess.TimeoutExpired:
            # The till and the acquirer are in the group, too.
            os.killpg(day.pid, signal.SIGKILL)
            day.wait()
            killed += 1
        else:
            break
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(ended.stdout.strip().splitlines()[-1] if ended.stdout.strip() else "nothing was said")
    print(f"seed {asked.seed}: killed {killed} times")
    sys.exit(ended.returncode if killed else "the day was over before it could be killed")


if __name__ == "__main__":
    main()
