"""The files of the tree, and what is said about them."""

import os
from typing import NamedTuple

FOLDERS = ("benchmarks", "include", "schemas", "src", "tests", "tools", ".ci", ".github")
TEXT = (".hpp", ".cpp", ".h", ".py", ".cmake", ".in", ".txt", ".md", ".fbs", ".sh", ".yml", ".json")


class Complaint(NamedTuple):
    path: str
    line: int  # 0: the file as a whole
    rule: str
    text: str

    def __str__(self):
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: [{self.rule}] {self.text}"


def is_text(folder, name):
    return name.endswith(TEXT) or (folder in ("tools", ".ci") and "." not in name)


def read_tree(root):
    """{path relative to root: text} of everything that somebody writes by hand."""
    files = {}
    names = [name for name in os.listdir(root) if os.path.isfile(os.path.join(root, name)) and is_text("", name)]
    for name in names:
        files[name] = read(os.path.join(root, name))
    for top in FOLDERS:
        for folder, _, names in os.walk(os.path.join(root, top)):
            relative = os.path.relpath(folder, root)
            for name in names:
                if is_text(relative, name):
                    files[f"{relative}/{name}"] = read(os.path.join(folder, name))
    return dict(sorted(files.items()))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
