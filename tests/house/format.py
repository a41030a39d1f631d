#!/usr/bin/env python3
"""format.py ROOT CLANG_FORMAT [--fix]: that all C++ is as clang-format would write it."""

import os
import subprocess
import sys

from tree import read_tree


def main():
    root, clang_format = sys.argv[1:3]
    mode = ["-i"] if "--fix" in sys.argv else ["--dry-run", "-Werror"]
    paths = [os.path.join(root, path) for path in read_tree(root) if path.endswith((".cpp", ".hpp"))]
    ran = subprocess.run([clang_format, *mode, *paths], check=False)
    print(f"{len(paths)} files")
    return ran.returncode if paths else 1


if __name__ == "__main__":
    sys.exit(main())
