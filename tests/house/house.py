#!/usr/bin/env python3
"""house.py ROOT MATRIX: the rules of the tree that a machine can check; one line for each place that breaks one.
house_test.py shows for each rule a sample that it refuses."""

import json
import sys

import rooms
import sync
import text
from tree import read_tree


def check(files, matrix):
    yield from rooms.check(files, matrix)
    yield from text.check(files)
    yield from sync.check(files)


def main():
    root, matrix_path = sys.argv[1:]
    with open(matrix_path, encoding="utf-8") as file:
        matrix = json.load(file)
    files = read_tree(root)
    complaints = list(check(files, matrix))
    for complaint in complaints:
        print(complaint)
    print(f"{len(files)} files, {len(complaints)} complaints")
    return 1 if complaints or not files else 0


if __name__ == "__main__":
    sys.exit(main())
