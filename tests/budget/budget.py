#!/usr/bin/env python3
"""budget.py SUBJECT BUDGETS FOLDER: counts what a task costs and holds it against the budgets, in FOLDER.
    --update        the budgets become what is counted
    --stages FILE   puts the table of a task's stages between the marks of FILE"""

import argparse
import json
import math
import pathlib
import re
import statistics
import subprocess
import sys

import callgrind
import stages

BEGIN, END = "<!-- stages -->", "<!-- end of stages -->"
KINDS = ("plain", "text", "buffer")


def grouped(rounds):
    """{what: {count of tasks: rounds}} of rounds called "side stage kind count"."""
    found = {}
    for each in rounds:
        what, count = each.name.rsplit(" ", 1)
        found.setdefault(what, {}).setdefault(int(count), []).append(each)
    return found


def middle(rounds):
    """The round that stands for all: the odd one was disturbed by another thread."""
    return sorted(rounds, key=lambda each: each.instructions)[(len(rounds) - 1) // 2]


def a_task(counts, of):
    """What one task takes: where there are rounds of two lengths, what both have anyway falls out."""
    most = max(counts)
    if len(counts) == 1:
        return of(middle(counts[most])) / most
    least = min(counts)
    return (of(middle(counts[most])) - of(middle(counts[least]))) / (most - least)


def counted(dumps, lines):
    """{budget: number} as the file has it."""
    found = {"instructions": {}, "allocations": {}, "lines": {}}
    for what, counts in sorted(grouped(dumps).items()):
        found["instructions"][what] = round(a_task(counts, lambda each: each.instructions), 1)
        found["allocations"][what] = round(a_task(counts, lambda each: each.allocations), 2)
    rows = [line.split() for line in lines.splitlines()]
    for side, kind in sorted({(row[0], row[2]) for row in rows}):
        ring, rest = {}, 0
        for _, _, _, count, in_ring, others in (row for row in rows if (row[0], row[2]) == (side, kind)):
            ring.setdefault(int(count), []).append(int(in_ring))
            rest = max(rest, int(others))
        least, most = min(ring), max(ring)
        each = (statistics.median_low(ring[most]) - statistics.median_low(ring[least])) / (most - least)
        found["lines"][f"{side} ring {kind}"] = round(each, 2)
        found["lines"][f"{side} others {kind}"] = rest
    return found


def limit_of(budget, tolerance):
    return budget + max(budget * tolerance["part"], tolerance["absolute"])


def rounded_up(number):
    up = math.ceil(number * 100 - 1e-6) / 100
    return int(up) if up == int(up) else up


def compare(budgets, found):
    """(rows of what is over its budget or has none, rows of what is well below)."""
    over, below = [], []
    for group, numbers in found.items():
        entry = budgets.get(group, {"tolerance": {"part": 0, "absolute": 0}, "budgets": {}})
        for what in sorted(numbers.keys() | entry["budgets"].keys()):
            budget, number = entry["budgets"].get(what), numbers.get(what)
            row = (group, what, budget, number)
            if budget is None or number is None or number > limit_of(budget, entry["tolerance"]):
                over.append(row)
            elif limit_of(number, entry["tolerance"]) < budget:
                below.append(row)
    return over, below


def show(rows):
    def word(number):
        return "none" if number is None else f"{number:g}"

    print(f"{'a task, in':<14}{'side, stage, kind':<28}{'budget':>10}{'counted':>10}")
    for group, what, budget, number in rows:
        print(f"{group:<14}{what:<28}{word(budget):>10}{word(number):>10}")


def stage_table(subject, dumps):
    groups = grouped(dumps)
    costs = {}
    for part in stages.PARTS:
        for kind in KINDS:
            counts = groups[f"{part} {kind}"]
            least, most = min(counts), max(counts)
            few, many = middle(counts[least]).at, middle(counts[most]).at
            costs[part, kind] = {address: (many.get(address, 0) - few.get(address, 0)) / (most - least)
                                 for address in many.keys() | few.keys()}
    addresses = {address for at in costs.values() for address in at if address is not None}
    chains = callgrind.inlined_at(subject, addresses)
    return stages.table({key: stages.split(key[0], at, chains) for key, at in costs.items()}, KINDS)


def put_between_marks(path, table):
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"budget: {path} has no {BEGIN} ... {END}")
    path.write_text(pattern.sub(f"{BEGIN}\n{table}\n{END}", text), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subject")
    parser.add_argument("budgets", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--stages", type=pathlib.Path)
    options = parser.parse_args()
    options.subject = str(pathlib.Path(options.subject).resolve())  # as callgrind calls it

    options.folder.mkdir(parents=True, exist_ok=True)
    for old in options.folder.glob("callgrind.out*"):
        old.unlink()
    out = options.folder / "callgrind.out"
    callgrind.run(options.subject, out)
    texts = (path.read_text(encoding="utf-8") for path in options.folder.glob("callgrind.out.*"))
    dumps = [dump for text in texts if (dump := callgrind.parse(text, options.subject))]
    lines = subprocess.run([options.subject, "lines"], capture_output=True, text=True, check=True).stdout
    found = counted(dumps, lines)

    budgets = json.loads(options.budgets.read_text(encoding="utf-8"))
    over, below = compare(budgets, found)
    if options.update:
        for group, numbers in found.items():
            budgets[group]["budgets"] = {what: rounded_up(number) for what, number in numbers.items()}
        options.budgets.write_text(json.dumps(budgets, indent=2) + "\n", encoding="utf-8")
        print("what has changed:")
        show(over + below)
    elif over:
        print("over its budget:")
        show(over)
        print(f"The budgets, the reasons and how far a count may be off stand in {options.budgets}. Where the price is\n"
              f"right, tools/budget --update takes what is counted now as the budgets.")
    elif below:
        print("well below its budget, which tools/budget --update would lower:")
        show(below)
    if options.stages:
        put_between_marks(options.stages, stage_table(options.subject, dumps))
    counts = sum(len(numbers) for numbers in found.values())
    print(f"{counts} counts, {len(over)} over their budgets, {len(below)} well below")
    return 1 if over and not options.update else 0


if __name__ == "__main__":
    sys.exit(main())
