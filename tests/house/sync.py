"""Orderings of the lock-free code: each acquire, release, seq_cst and each fence carries `// SYNC <label>: ...` on its
line or just above, and a label stands on both sides, so at least at two places."""

import re

from text import without_comments
from tree import Complaint

ORDERED = re.compile(r"[:_(, ](?:acquire|release|acq_rel|seq_cst)\s*[,)]|\b(?:full_fence|atomic_thread_fence)\s*\(")
LABEL = re.compile(r"//.*\bSYNC ([\w-]+)(?::|$)")
DEFINITIONS = "src/base/atomic.hpp"
LINES_ABOVE = 5


def label_of(lines, index):
    """The label on line `index` or in the lines just above it, as far as the blank line before them."""
    for candidate in range(index, max(-1, index - LINES_ABOVE - 1), -1):
        found = LABEL.search(lines[candidate])
        if found:
            return found.group(1)
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
            if not ORDERED.search(code) or "atomic_signal_fence" in code:
                continue
            if label_of(lines, index) is None:
                yield Complaint(path, index + 1, "sync", "an ordering without // SYNC <label>: what becomes visible")
        for number, line in enumerate(lines, 1):
            found = LABEL.search(line)
            if found:
                places.setdefault(found.group(1), []).append((path, number))
    for label, sites in places.items():
        if len(sites) < 2:
            path, line = sites[0]
            yield Complaint(path, line, "sync", f"SYNC {label} stands only here: the other side needs the same label")
