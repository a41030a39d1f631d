"""Python's ProcessPoolExecutor of one process: PROGRAM FIGURE CPU PEER_CPU full|quick (README.md)."""

import concurrent.futures
import json
import os
import sys
import time

MESSAGE = bytes(32)
IN_FLIGHT = 256


def echo(message):
    return message


def pin(cpu):
    os.sched_setaffinity(0, {cpu})


def round_trips(pool, seconds):
    spans = []
    for part, keep in ((seconds / 10, False), (seconds, True)):
        until = time.perf_counter() + part
        while time.perf_counter() < until:
            begin = time.perf_counter_ns()
            pool.submit(echo, MESSAGE).result()
            if keep:
                spans.append([time.perf_counter_ns() - begin, 1])
    return {"ns": spans}


def pipelined(pool, seconds):
    flying = [pool.submit(echo, MESSAGE) for _ in range(IN_FLIGHT)]
    for part in (seconds / 10, seconds):
        begin = time.perf_counter()
        count = 0
        while time.perf_counter() - begin < part:
            for i in range(IN_FLIGHT):
                flying[i].result()
                flying[i] = pool.submit(echo, MESSAGE)
            count += IN_FLIGHT
        rate = count / (time.perf_counter() - begin)
    for one in flying:
        one.result()
    return {"rate": rate}


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in ("round_trip", "pipelined"):
        sys.exit("usage: process_pool.py round_trip|pipelined CPU PEER_CPU full|quick")
    figure, cpu, peer_cpu, how = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    seconds = 0.03 if how == "quick" else 0.3
    with concurrent.futures.ProcessPoolExecutor(1, initializer=pin, initargs=(peer_cpu,)) as pool:
        pool.submit(echo, MESSAGE).result()
        pin(cpu)
        print(json.dumps(round_trips(pool, seconds) if figure == "round_trip" else pipelined(pool, seconds)))


if __name__ == "__main__":
    main()
