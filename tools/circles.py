"""Looks for circles among lavlive's files: files that import each other, directly or over others.

    python -m tools.circles      prints every circle; the exit status is 1 if there is one

Imports for the type checker alone are no circle: nothing runs through them. Circles among the rooms are a
contract of import-linter (pyproject.toml).
"""

from __future__ import annotations

import sys

import grimp


def circles() -> tuple[int, list[list[str]]]:
    """How many files there are, and the groups of those that reach each other; each sorted."""
    graph = grimp.build_graph("lavlive", exclude_type_checking_imports=True)
    imported = {module: sorted(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    return len(imported), _strongly_connected(imported)


def _strongly_connected(imported: dict[str, list[str]]) -> list[list[str]]:
    """Tarjan's algorithm, with a stack of our own instead of recursion; groups of one are left out."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found = []
    for root in sorted(imported):
        if root in number:
            continue
        stack = [(root, iter(imported[root]))]
        number[root] = lowest[root] = len(number)
        path.append(root)
        while stack:
            module, rest = stack[-1]
            step = next(rest, None)
            if step is None:
                stack.pop()
                if stack:
                    lowest[stack[-1][0]] = min(lowest[stack[-1][0]], lowest[module])
                if lowest[module] == number[module]:
                    at = path.index(module)
                    group, path[at:] = path[at:], []
                    if len(group) > 1:
                        found.append(sorted(group))
            elif step not in number:
                number[step] = lowest[step] = len(number)
                path.append(step)
                stack.append((step, iter(imported.get(step, []))))
            elif step in path:
                lowest[module] = min(lowest[module], number[step])
    return found


def main() -> int:
    """Print what there is."""
    count, found = circles()
    for group in found:
        print(" -> ".join([*group, group[0]]))
    print(f"{count} files, {len(found)} circles")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
