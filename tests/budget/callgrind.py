"""What callgrind has written: for each dump its name, its instructions, how often malloc and its like were called, and the
instructions at each address of the program itself."""

import re
import subprocess
from typing import NamedTuple

ALLOCATIONS = {"malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "memalign"}
TRIGGER = "desc: Trigger: Client Request: "


class Dump(NamedTuple):
    name: str
    instructions: int
    allocations: int
    at: dict  # {address in the program: instructions}; what lies in libraries is under None


def run(program, out):
    """Runs `program counts` under callgrind; the dumps are `out`.1, `out`.2, ..."""
    # fair: otherwise a thread that looks for what another has to do keeps that other waiting for most of its time.
    options = ["--tool=callgrind", "--fair-sched=try", "--collect-atstart=no", "--dump-instr=yes", "--dump-line=no",
               "--compress-pos=no", "--compress-strings=no", f"--callgrind-out-file={out}"]
    ran = subprocess.run(["valgrind", *options, program, "counts"], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise SystemExit(f"budget: valgrind ended with {ran.returncode}:\n{ran.stderr[-4000:]}")


def parse(text, program):
    """One dump, or None if the program did not ask for it."""
    name, total, at, allocators = None, 0, {}, {}
    inside, allocator, skip = False, None, False
    for line in text.splitlines():
        if line.startswith(TRIGGER):
            name = line[len(TRIGGER):]
        elif line.startswith("ob="):
            inside = line[3:] == program
        elif line.startswith("fn="):
            allocator = allocators.setdefault(line[3:], {}) if line[3:] in ALLOCATIONS else None
        elif line.startswith("calls="):
            skip = True  # the next line is what the called ones took
        elif line.startswith("0x"):
            if skip:
                skip = False
                continue
            address, cost = line.split()
            address, cost = int(address, 16), int(cost)
            total += cost
            if allocator is not None:
                allocator[address] = allocator.get(address, 0) + cost
            key = address if inside else None
            at[key] = at.get(key, 0) + cost
    # A function's first instruction runs once a call. (callgrind's own count of calls goes on while it does not collect.)
    allocations = sum(costs[min(costs)] for costs in allocators.values() if costs)
    return Dump(name, total, allocations, at) if name else None


def inlined_at(program, addresses):
    """{address: names of the functions that it belongs to, the innermost first}."""
    asked = sorted(addresses)
    ran = subprocess.run(["addr2line", "-a", "-f", "-i", "-C", "-e", program], input="\n".join(map(hex, asked)),
                         capture_output=True, text=True, check=True)
    chains, lines = {}, None
    for line in ran.stdout.splitlines():
        if re.fullmatch(r"0x[0-9a-f]{16}", line):
            lines = chains[int(line, 16)] = []
        else:
            lines.append(line)
    return {address: chain[::2] for address, chain in chains.items()}
