"""Lets contenders read pages in turns, and prints one table: `compare.py PAYMENTS 'NAME<tab>COMMAND<tab>…'…`, the first is
what the others are held against."""

import statistics
import subprocess
import sys

# Some pages each in turn, so that what else the machine does meets all; the first rounds warm caches and compilers up.
PAGES, ROUNDS, WARM_UP = 20, 60, 30
PLACES = {"first": "first page of 50", "deep": "page of 50 after 5,000 others"}


def main(payments, *contenders):
    running = {}
    for contender in contenders:
        name, *command = contender.split("\t")
        running[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    times = {(name, place): [] for place in PLACES for name in running}
    for turn in range(WARM_UP + ROUNDS):
        for place in PLACES:
            for name, process in running.items():
                process.stdin.write(f"{place} {PAGES}\n")
                process.stdin.flush()
                taken = [int(word) / 1000 for word in process.stdout.readline().split()]
                if len(taken) != PAGES:
                    sys.exit(f"error: {name} gave up")
                if turn >= WARM_UP:
                    times[name, place] += taken
    for process in running.values():
        process.stdin.close()
        process.wait(30)
    base = next(iter(running))
    print(f"\n### Pages in four languages, {payments} payments, {ROUNDS * PAGES} pages each\n")
    print(f"| what | language | p50 | p99 | p50 / {base} |\n| --- | --- | --- | --- | --- |")
    for (name, place), taken in times.items():
        middle, late = statistics.median(taken), statistics.quantiles(taken, n=100)[98]
        print(f"| {PLACES[place]} | {name} | {middle:.0f} us | {late:.0f} us | {middle / statistics.median(times[base, place]):.2f} |")


main(*sys.argv[1:])
