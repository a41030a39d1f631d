"""Who includes whom: reads every #include below src/ and include/ and compares it with the matrix that
src/CMakeLists.txt declares (rooms.json in the build folder)."""

import re

from tree import Complaint

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')

# Folders of system headers. Whatever else has a slash in its name is a dependency, and each of those has one room.
SYSTEM_FOLDERS = {"arpa", "asm", "linux", "net", "netinet", "sanitizer", "sys", "valgrind"}

# Headers without a folder of their own that a public header must not show to its users.
INTERNAL_STD = {"atomic", "stdatomic.h"}


def includes(text):
    """(line number, '<' or '"', name) of each #include."""
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1), found.group(2)


def owner_of(rooms, name):
    """The room that owns the third-party header `name`, or None."""
    for room, entry in rooms.items():
        if any(name == prefix or name.startswith(prefix + "/") for prefix in entry["owns"]):
            return room
    return None


def is_dependency(name):
    return "/" in name and name.split("/")[0] not in SYSTEM_FOLDERS


def check_room_file(path, text, matrix):
    """A file of src/<room>/."""
    rooms = matrix["rooms"]
    room = path.split("/")[1]
    allowed = set(rooms[room]["uses"]) | {room}
    published = {header for name in allowed & set(rooms) for header in rooms[name]["publishes"]}
    public = published | set(matrix["vocabulary"])
    for line, kind, name in includes(text):
        first = name.split("/")[0]
        owner = owner_of(rooms, name)
        if owner is not None:
            if owner != room:
                yield Complaint(path, line, "rooms", f"{name} belongs to src/{owner}: only that room includes it")
        elif name.startswith("weft/"):
            if kind != "<":
                yield Complaint(path, line, "rooms", f"{name} is a public header: include it with <>")
            elif name not in public and "public" not in allowed:
                yield Complaint(path, line, "rooms", f"{name} is not published by a room that {room} uses")
        elif first in rooms and first != name:
            if kind != '"':
                yield Complaint(path, line, "rooms", f'{name} is an internal header: include it with ""')
            elif first not in allowed:
                yield Complaint(path, line, "rooms", f"{room} may not include {first} (src/CMakeLists.txt)")
        elif kind == '"' and name != "weft_model_atomic.hpp":  # The model checker's switch, see base/atomic.hpp.
            yield Complaint(path, line, "rooms", f'"{name}" does not name its room')
        elif is_dependency(name):
            yield Complaint(path, line, "rooms", f"{name}: no room OWNS this dependency (src/CMakeLists.txt)")


def check_public_header(path, text, matrix):
    """A file of include/weft/."""
    rooms = matrix["rooms"]
    public_name = path.removeprefix("include/")
    for line, kind, name in includes(text):
        owner = owner_of(rooms, name)
        if kind == '"':
            yield Complaint(path, line, "public", f'"{name}": a public header includes only with <>')
        elif name in INTERNAL_STD:
            yield Complaint(path, line, "public", f"<{name}> in a public header: atomics stay behind the compiled core")
        elif owner is not None and public_name not in rooms[owner]["lent"]:
            yield Complaint(path, line, "public", f"{name}: src/{owner} has not LENT it to {public_name}")
        elif owner is None and is_dependency(name) and not name.startswith("weft/"):
            yield Complaint(path, line, "public", f"{name}: no room OWNS this dependency (src/CMakeLists.txt)")


def check_user_file(path, text, matrix):
    """A file of the program or of an example: written as a user of weft would."""
    for line, _, name in includes(text):
        first = name.split("/")[0]
        if first in matrix["rooms"] and first != name:
            yield Complaint(path, line, "rooms", f"{name} is internal: programs and examples include only <weft/...>")


def find_cycle(edges):
    """A list of nodes that leads back to its first, or None. `edges` maps a node to those that it points at."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node) :] + [node]
        if node in done:
            return None
        path.append(node)
        for following in edges.get(node, ()):
            cycle = visit(following)
            if cycle:
                return cycle
        done.add(path.pop())
        return None

    for start in edges:
        cycle = visit(start)
        if cycle:
            return cycle
    return None


def check_cycles(files, matrix):
    cycle = find_cycle({room: set(entry["uses"]) - {"public"} for room, entry in matrix["rooms"].items()})
    if cycle:
        yield Complaint("src/CMakeLists.txt", 0, "cycles", "rooms in a circle: " + " -> ".join(cycle))
    edges = {}
    for path, text in files.items():
        folder = path.split("/")[0]
        if folder in ("src", "include"):
            edges[path] = [
                root + name
                for _, _, name in includes(text)
                for root in ("src/", "include/")
                if root + name in files
            ]
    cycle = find_cycle(edges)
    if cycle:
        yield Complaint(cycle[0], 0, "cycles", "headers in a circle: " + " -> ".join(cycle))


def check_lists(files, matrix):
    """Every folder of src/ is a room, and every source of a room is in its list."""
    rooms = matrix["rooms"]
    listed = {source for entry in rooms.values() for source in entry["sources"]}
    for path in files:
        parts = path.split("/")
        if parts[0] != "src" or len(parts) < 3:
            continue
        if parts[1] not in rooms:
            yield Complaint(path, 0, "lists", f"src/{parts[1]} is no room: src/CMakeLists.txt does not declare it")
        elif path.endswith(".cpp") and path not in listed:
            yield Complaint(path, 0, "lists", f"not among the SOURCES of {parts[1]}: it is compiled into nothing")
    seen = {}
    for room, entry in rooms.items():
        for prefix in entry["owns"]:
            if prefix in seen:
                yield Complaint("src/CMakeLists.txt", 0, "lists", f"{prefix} is owned twice: {seen[prefix]}, {room}")
            seen[prefix] = room


def check(files, matrix):
    for path, text in files.items():
        parts = path.split("/")
        if not path.endswith((".hpp", ".cpp")):
            continue
        if parts[0] == "src" and len(parts) > 2 and parts[1] in matrix["rooms"]:
            yield from check_room_file(path, text, matrix)
        elif parts[0] == "include":
            yield from check_public_header(path, text, matrix)
        elif path.startswith(("tools/", "tests/examples/", "tests/install/")):
            yield from check_user_file(path, text, matrix)
    yield from check_cycles(files, matrix)
    yield from check_lists(files, matrix)
