"""Builds planted bugs into copies of the library's sources, each behind a switch that is read when the code runs.

usage: plant.py ROOT MUTANTS OUTPUT SOURCE...

Writes to OUTPUT each SOURCE (a path below ROOT) with its mutants as `if (planted == N) {…} else {…}`, and
mutants.hpp with their names in the order of N. Fails when the lines of a mutant are not found exactly once: then the
code has moved on, and the mutant must follow.
"""

import pathlib
import sys


class Mutant:
    def __init__(self, heading):
        self.name, self.file, self.what = (part.strip() for part in heading.split("|", 2))
        self.original, self.planted = [], []


def read(path):
    mutants = []
    for line in path.read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("mutant "):
            mutants.append(Mutant(line.removeprefix("mutant ")))
        elif line.startswith("-"):
            mutants[-1].original.append(line[2:])
        elif line.startswith("+"):
            mutants[-1].planted.append(line[2:])
        else:
            sys.exit(f"{path}: what is this line? {line}")
    return mutants


def split_common_end(original, planted):
    """The part both share at the end (the beginning of what follows) stays outside of the switch."""
    end = 0
    while end < min(len(original), len(planted)) and original[-1 - end] == planted[-1 - end]:
        end += 1
    return end


def plant(text, number, mutant):
    original = "\n".join(mutant.original)
    if text.count(original) != 1:
        sys.exit(f"mutant {mutant.name}: its lines stand {text.count(original)} times in {mutant.file}")
    return text.replace(original, switch(number, mutant))


def switch(number, mutant):
    first, second = mutant.original[0], mutant.planted[0] if mutant.planted else ""
    if first.rstrip().endswith("{") and second.rstrip().endswith("{"):
        # The head of a block: its condition is switched.
        pairs = [(a, b) for a, b in zip(mutant.original, mutant.planted) if a != b]
        lines = list(mutant.original)
        for before, after in pairs:
            if not before.strip().startswith("if ("):
                break
            head = before[: len(before) - len(before.lstrip())]
            conditions = [line.strip().removeprefix("if (").removesuffix(") {") for line in (after, before)]
            lines[lines.index(before)] = f"{head}if (::ringwire::test::planted == {number} ? bool({conditions[0]}) : bool({conditions[1]})) {{"
        else:
            return "\n".join(lines)
    if any(line.lstrip().startswith("const ") for line in mutant.original):
        name, value = mutant.original[0].split("=", 1)
        other = mutant.planted[0].split("=", 1)[1]
        return f"{name}= ::ringwire::test::planted == {number} ? {other.strip().rstrip(';')} : {value.strip()}"
    common = split_common_end(mutant.original, mutant.planted)
    kept = mutant.original[len(mutant.original) - common:] if common else []
    before = mutant.original[: len(mutant.original) - common]
    after = mutant.planted[: len(mutant.planted) - common]
    return "\n".join([f"if (::ringwire::test::planted == {number}) {{", *after, "} else {", *before, "}", *kept])


def main():
    root, table, output = (pathlib.Path(word) for word in sys.argv[1:4])
    mutants = read(table)
    names = [mutant.name for mutant in mutants]
    if len(set(names)) != len(names):
        sys.exit("two mutants have the same name")
    for source in sys.argv[4:]:
        text = (root / source).read_text()
        here = [(number, mutant) for number, mutant in enumerate(mutants, 1) if mutant.file == source]
        # Large ones first: the lines of a small one may stand in them.
        for number, mutant in sorted(here, key=lambda each: -len(each[1].original)):
            text = plant(text, number, mutant)
        target = output / source.replace("/", "_")
        target.write_text(f'#include "tests/mutants/planted.hpp"\n#line 1 "{source}"\n{text}')
    unknown = {mutant.file for mutant in mutants} - set(sys.argv[4:])
    if unknown:
        sys.exit(f"meson.build does not list {', '.join(sorted(unknown))}")
    entries = "".join(f'{{"{mutant.name}", "{mutant.what}"}},\n' for mutant in mutants)
    (output / "mutants.hpp").write_text(
        '#pragma once\n#include "tests/mutants/planted.hpp"\n'
        f"namespace ringwire::test {{\nconstexpr Mutant mutants[] = {{\n{entries}}};\n}}\n")


if __name__ == "__main__":
    main()
