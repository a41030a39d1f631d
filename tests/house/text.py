"""Rules about the text of single files."""

import re

from tree import Complaint

LINES_MAX = 450
CODE = (".hpp", ".cpp", ".h", ".py", ".cmake")
# In two halves, or this file would find itself.
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
# Public headers that need what not every user of weft has installed.
OPTIONAL = {"include/weft/asio.hpp"}
SOMEBODYS_FOLDER = re.compile(r"(?:^|[^\w.$}])/(?:home|root|Users)/")
NOT_A_NEIGHBOUR = {
    r"\bshm_open\s*\(": "nothing that weft makes has a name in the file system: memfd_create",
    r"\bwaitpid\s*\(\s*-\s*1": "reaps children that are not ours: waitid on the worker's pidfd",
    r"\b(?:system|popen)\s*\(": "no shell",
    r"\bSIGCHLD\s*,": "the host program's SIGCHLD is not ours: watch the pidfd",
}


def without_comments(text):
    """The code alone, on the same lines: comments and what stands between quotes are blanked out."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def lines_with(pattern, text):
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(pattern, line):
            yield number


def check_length(path, text):
    count = text.count("\n")
    if path.endswith(CODE) and count > LINES_MAX:
        yield Complaint(path, 0, "length", f"{count} lines, more than {LINES_MAX}: one noun a file")


def check_marks(path, text):
    for line in lines_with(UNFINISHED, text):
        yield Complaint(path, line, "marks", "unfinished by its own word: finish it, or open an issue")


def check_places(path, text):
    for line in lines_with(SOMEBODYS_FOLDER, text):
        yield Complaint(path, line, "places", "names a folder of one machine")


def check_header(path, text):
    if path.endswith(".hpp") and not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield Complaint(path, 0, "header", "no #pragma once")


def check_throws(path, text):
    """Nothing below work/ throws; `throw;` alone only looks at what somebody else threw."""
    if re.match(r"src/(?!work/)\w+/.*\.[ch]pp$", path):
        for line in lines_with(r"\bthrow\b(?!\s*;)", without_comments(text)):
            yield Complaint(path, line, "throws", "below work/ errors are values: return a base::Fault")


def check_neighbour(path, text):
    if path.startswith(("src/", "include/")) and path.endswith((".hpp", ".cpp")):
        code = without_comments(text)
        for pattern, reason in NOT_A_NEIGHBOUR.items():
            for line in lines_with(pattern, code):
                yield Complaint(path, line, "neighbour", reason)


def check_umbrella(files):
    """weft.hpp includes every public header that is not optional."""
    umbrella = files.get("include/weft/weft.hpp")
    if umbrella is None:
        return
    for path in files:
        if re.fullmatch(r"include/weft/\w+\.hpp", path) and path not in OPTIONAL | {"include/weft/weft.hpp"}:
            if f"#include <{path.removeprefix('include/')}>" not in umbrella:
                yield Complaint(path, 0, "umbrella", "weft/weft.hpp does not include it")


def check_samples(files):
    """Each C++ sample for users stands in a test too, where it is compiled and run; a sample's parts may stand apart there."""
    tests = ["".join(text.split()) for path, text in files.items() if re.match(r"tests/.*\.[ch]pp$", path)]
    for path, text in files.items():
        if path != "README.md" and not re.fullmatch(r"include/weft/\w+\.md", path):
            continue
        for sample in re.finditer(r"^```cpp\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            parts = ["".join(part.split()) for part in sample.group(1).split("\n\n")]
            if not any(all(part in test for part in parts) for test in tests):
                line = text.count("\n", 0, sample.start()) + 1
                yield Complaint(path, line, "samples", "no test has this sample, so nobody knows whether it holds")


def check(files):
    for path, text in files.items():
        yield from check_length(path, text)
        yield from check_marks(path, text)
        yield from check_places(path, text)
        yield from check_header(path, text)
        yield from check_throws(path, text)
        yield from check_neighbour(path, text)
    yield from check_umbrella(files)
    yield from check_samples(files)
