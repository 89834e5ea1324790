"""Pages of 50 through the Python module: `pages.py DIR`; lines `first N` or `deep N` come in, nanoseconds go out."""

import asyncio
import sys
import time

import takings as t

SATURDAY_MS = 1_795_226_400_000
DEEP = 100


async def main(path):
    world = t.DemoWorld(17, SATURDAY_MS)
    till = await world.open_till(path, t.Language.EN)
    deep = None
    for _ in range(DEEP):
        deep = (await till.payments(t.PaymentQuery(limit=50, after=deep))).next
    for line in sys.stdin:
        place, count = line.split()
        times = []
        for _ in range(int(count)):
            query = t.PaymentQuery(limit=50, after=deep if place == "deep" else None)
            start = time.perf_counter_ns()
            page = await till.payments(query)
            times.append(time.perf_counter_ns() - start)
            assert len(page.payments) == 50
        print(*times, flush=True)
    await till.shutdown()


asyncio.run(main(sys.argv[1]))
