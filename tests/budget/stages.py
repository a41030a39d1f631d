"""The stages of a task's way: which instructions belong to which, by the functions that they were inlined from."""

import re

# Of each part that is counted: stages in the order of the way, by what the innermost function that is named here is
# called; what is found nowhere belongs to the last one.
PARTS = {
    "parent submit": [
        ("encode", r"detail::(Packed|pack|encode)|Codec<|Encoder"),
        ("publish", r"ring::Producer|FramePort|wire::put|doorbell::|prefetch_for_writing|lend\(|LoanBook|Exchange::"),
        ("submit: take a slot, choose a worker", r""),
    ],
    "worker work": [
        ("find", r"ring::Consumer|ring::begin|wire::get|Exchange::borrow|WorkerLoop::(lead|on_frame|on_task)"),
        ("decode", r"detail::unpack|detail::decode|::decoded\("),
        ("encode", r"detail::(Packed|pack|encode)|Encoder"),
        ("publish", r"ring::Producer|ring::claim|FramePort|wire::put|doorbell::|RunningTask::reply|WorkerLoop::"
                    r"(after_reply|send|lend)|LoanBook|Exchange::"),
        ("call", r""),
    ],
    "parent get": [
        ("find", r"ring::Consumer|wire::get|CallTable::find|Exchange::borrow"),
        ("decode: value()", r"detail::unpack|detail::decode|Execution<.*>::value|CallHandle::value|payload_of"),
        ("settle", r""),
    ],
    "parent end": [("end of the Execution", r"")],
}
ORDER = [("parent submit", "submit: take a slot, choose a worker"), ("parent submit", "encode"),
         ("parent submit", "publish"), ("worker work", "find"), ("worker work", "decode"), ("worker work", "call"),
         ("worker work", "encode"), ("worker work", "publish"), ("parent get", "find"), ("parent get", "settle"),
         ("parent get", "decode: value()"), ("parent end", "end of the Execution")]
LIBRARY = "the C library in these: memcpy, malloc, free"


def stage_of(part, chain):
    for function in chain:
        for stage, pattern in PARTS[part]:
            if pattern and re.search(pattern, function):
                return stage
    return PARTS[part][-1][0]


def split(part, at, chains):
    """{stage: instructions} of {address: instructions}."""
    stages = {}
    for address, cost in at.items():
        stage = LIBRARY if address is None else stage_of(part, chains.get(address, []))
        stages[stage] = stages.get(stage, 0) + cost
    return stages


def table(found, kinds):
    """Markdown of {(part, kind): {stage: instructions a task}}."""
    lines = [f"| stage | side | {' | '.join(kinds)} |", f"| --- | --- |{' --- |' * len(kinds)}"]
    sums = [0.0] * len(kinds)

    def row(stage, parts):
        values = [sum(found[part, kind].get(stage, 0) for part in parts) for kind in kinds]
        for index, value in enumerate(values):
            sums[index] += value
        if any(values):
            lines.append(f"| {stage} | {parts[0].split()[0]} | {' | '.join(f'{value:.0f}' for value in values)} |")

    for part, stage in ORDER:
        row(stage, [part])
    for side in ("parent", "worker"):
        row(LIBRARY, [part for part in PARTS if part.startswith(side)])
    lines.append(f"| **all** | | {' | '.join(f'**{value:.0f}**' for value in sums)} |")
    return "\n".join(lines)
