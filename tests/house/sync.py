"""Orderings of the lock-free code: each acquire, release, seq_cst and each fence carries `// SYNC <label>: ...` on its
line or just above, and a label stands on both sides, so at least at two places. Each relaxed says why nothing is lost:
`// Relaxed: ...` there, or the label of the fence that orders it."""

import re

from text import without_comments
from tree import Complaint

ORDERED = re.compile(r"[:_(, ](?:acquire|release|acq_rel|seq_cst)\s*[,)]|\b(?:full_fence|atomic_thread_fence)\s*\(")
RELAXED = re.compile(r"[:_(, ]relaxed\s*[,)]|\b__ATOMIC_RELAXED\b")
REASON = re.compile(r"//.*\b[Rr]elaxed\b")
LABEL = re.compile(r"//.*\bSYNC ([\w-]+)(?::|$)")
DEFINITIONS = "src/base/atomic.hpp"
LINES_ABOVE = 5
REASON_LINES_ABOVE = 7  # one reason may serve for a few lines


def found_above(pattern, lines, index, lines_above):
    """What the pattern finds on line `index` or in the lines just above it, as far as the blank line before them."""
    for candidate in range(index, max(-1, index - lines_above - 1), -1):
        found = pattern.search(lines[candidate])
        if found:
            return found
        if not lines[candidate].strip():
            return None
    return None


def check(files):
    places = {}
    for path, text in files.items():
        if not re.match(r"src/.*\.[ch]pp$", path) or path == DEFINITIONS:
            continue
        lines = text.splitlines()
        for index, code in enumerate(without_comments(text).splitlines()):
            if "atomic_signal_fence" in code:
                continue
            label = found_above(LABEL, lines, index, LINES_ABOVE)
            if RELAXED.search(code) and not label and not found_above(REASON, lines, index, REASON_LINES_ABOVE):
                yield Complaint(path, index + 1, "relaxed", "without // Relaxed: why nothing is lost")
            if ORDERED.search(code) and label is None:
                yield Complaint(path, index + 1, "sync", "an ordering without // SYNC <label>: what becomes visible")
        for number, line in enumerate(lines, 1):
            found = LABEL.search(line)
            if found:
                places.setdefault(found.group(1), []).append((path, number))
    for label, sites in places.items():
        if len(sites) < 2:
            path, line = sites[0]
            yield Complaint(path, line, "sync", f"SYNC {label} stands only here: the other side needs the same label")
