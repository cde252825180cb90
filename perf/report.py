"""Tables and a plot of what bench.py has measured: as text, and between the markers of docs/perf.md.

Leaves to others: measuring. Invariant: no number here that is not in the JSON.

usage: perf/report.py FILE.json [DIRECTORY]     renders perf.md and perf.svg there; by default in docs/
"""
import json
import math
import pathlib
import sys

DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
# A difference of less than this share of CPU time is called none.
ALIKE = 0.02


def figure(value):
    """Three digits that matter, thousands separated."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - int(math.floor(math.log10(value))))}f}" if value > 0 else "0"


def range_of(values):
    """Median (min to max)."""
    return f"{figure(values['median'])} ({figure(values['min'])} to {figure(values['max'])})"


def bases_of(row):
    """With whom this row's servers are compared."""
    return [name for name in ("uring", "epoll", "beast") if name in row["servers"]]


def header(row):
    """What the columns of a row's table are."""
    return ["server", "CPU µs a message", "messages a second", "p50 µs", "p99 µs", "p99.9 µs", "RSS MiB",
            *(f"CPU / {base}" for base in bases_of(row))]


def lines_of(row):
    """A row's table, a list for each server."""
    for name, values in row["servers"].items():
        yield [name, range_of(values["server_us_per_message"]), figure(values["rate"]["median"]),
               figure(values["p50_us"]["median"]), range_of(values["p99_us"]), figure(values["p999_us"]["median"]),
               figure(values["server_memory"]["median"] / (1 << 20)),
               *(f"{values['cpu_ratio'][base]['median']:.2f}" for base in bases_of(row))]


def counted(row):
    """How many rounds stand behind a row."""
    text = f"{row['rounds']} rounds, {row['disturbed']} discarded as disturbed, {row['repeated']} runs repeated"
    if row["rate"]:
        text += f"; {row['rate']:,} messages a second"
    if not row["quiet"]:
        text += "; TOO DISTURBED: the figures are of all rounds"
    return text


def text_of(row):
    """A row for a terminal."""
    table = [header(row), *lines_of(row)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    shown = ["  ".join(cell.ljust(width) if index == 0 else cell.rjust(width)
                       for index, (cell, width) in enumerate(zip(line, widths))) for line in table]
    return "\n".join([f"{row['name']}: {row['title']} ({counted(row)})", *shown, ""])


def behind(row, key):
    """Who is better than ringwire in this row: (name, ratio of ringwire to it), worst first."""
    ratios = row["servers"].get("ringwire", {}).get(key, {})
    found = [(name, ratio["median"]) for name, ratio in ratios.items()
             if name not in ("ringwire", "ringwire-epoll") and ratio["median"] > 1 + ALIKE]
    return sorted(found, key=lambda pair: -pair[1])


def verdict(result):
    """Where ringwire loses."""
    lines = [f"where others need less CPU than ringwire, by more than {ALIKE:.0%} (ringwire / other):"]
    for row in result["rows"]:
        found = ", ".join(f"{name} {ratio:.2f}" for name, ratio in behind(row, "cpu_ratio")) or "nobody"
        lines.append(f"  {row['name']:12} {found}" + ("" if row["quiet"] else "  (disturbed)"))
    return "\n".join(lines)


def markdown_table(table):
    """Lines of cells as a table of Markdown."""
    table = list(table)
    rule = ["---"] * len(table[0])
    return "\n".join("| " + " | ".join(line) + " |" for line in [table[0], rule, *table[1:]])


def overview(result):
    """One line a row: ringwire beside its bases, and who beats it."""
    yield ["row", "ringwire, CPU µs a message", "/ uring", "/ epoll", "/ beast",
           "who needs less CPU (ringwire / them)"]
    for row in result["rows"]:
        ours = row["servers"].get("ringwire")
        if not ours:
            continue
        ratios = [f"{ours['cpu_ratio'][base]['median']:.2f}" if base in ours["cpu_ratio"] else ""
                  for base in ("uring", "epoll", "beast")]
        losses = ", ".join(f"{name} {ratio:.2f}" for name, ratio in behind(row, "cpu_ratio")) or "nobody"
        yield [row["title"], range_of(ours["server_us_per_message"]), *ratios, losses]


def markdown(result):
    """What stands between the markers."""
    box = result["machine"]
    kind = "a virtual machine" if box["virtual"] else "bare metal"
    parts = [f"Measured on {result['date']} with `{result['command']}`: Linux {box['kernel']}, {kind} with "
             f"{box['cpus']} CPUs ({box['cpu']}), {box['compiler']}; "
             f"{result['rounds']} rounds of {result['seconds']:g} s.",
             "![CPU time per message, relative](perf.svg)", markdown_table(overview(result))]
    for row in result["rows"]:
        parts += [f"### {row['title']}", f"`{row['name']}`: {counted(row)}.",
                  markdown_table([header(row), *lines_of(row)])]
    return "\n\n".join(parts)


# -- the plot ---------------------------------------------------------------------------------------------------

COLORS = {"ringwire": "#c1121f", "ringwire-epoll": "#f4a261", "uring": "#1d3557", "epoll": "#457b9d",
          "asio": "#2a9d8f", "asio-uring": "#8ab17d", "libuv": "#6d597a", "libevent": "#b08968", "beast": "#2a9d8f"}
LEFT, RIGHT, TOP, STEP, WIDTH = 340, 30, 64, 34, 900
LEAST, MOST = 0.5, 4.0


def x_of(ratio):
    """Where a ratio stands; logarithmic, so that half and double are as far from 1."""
    ratio = min(max(ratio, LEAST), MOST)
    return LEFT + math.log(ratio / LEAST) / math.log(MOST / LEAST) * (WIDTH - LEFT - RIGHT)


def text(x, y, content, anchor="start", size=12):
    """A piece of text."""
    safe = content.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{safe}</text>'


def svg(result):
    """A line for each row, a dot for each server: CPU time per message over that of epoll, or Beast."""
    shown = [row for row in result["rows"] if "epoll" in row["servers"] or "beast" in row["servers"]]
    names = list(dict.fromkeys(name for row in shown for name in row["servers"]))
    height = TOP + STEP * len(shown) + 40
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
             f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             text(12, 20, "CPU time of the server per message, over that of plain epoll "
                  "(websocket: of Beast on Asio); left is better")]
    x = 12
    for name in names:
        parts.append(f'<circle cx="{x + 5}" cy="40" r="5" fill="{COLORS.get(name, "#000000")}"/>')
        parts.append(text(x + 14, 44, name))
        x += 32 + 7 * len(name)
    for ratio in (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0):
        parts.append(f'<line x1="{x_of(ratio):.1f}" x2="{x_of(ratio):.1f}" y1="{TOP - 6}" y2="{height - 34}" '
                     f'stroke="{"#555555" if ratio == 1 else "#dddddd"}"/>')
        parts.append(text(x_of(ratio), height - 18, f"{ratio:g}", "middle"))
    for index, row in enumerate(shown):
        y = TOP + STEP * (index + 0.5)
        base = "epoll" if "epoll" in row["servers"] else "beast"
        parts.append(text(12, y + 4, row["title"][:56], size=11))
        for name, values in reversed(list(row["servers"].items())):  # ringwire on top.
            ratio = values["cpu_ratio"].get(base)
            if ratio:
                size = 6 if name == "ringwire" else 4.5
                parts.append(f'<circle cx="{x_of(ratio["median"]):.1f}" cy="{y:.1f}" r="{size}" '
                             f'fill="{COLORS.get(name, "#000000")}" fill-opacity="0.85"/>')
    return "\n".join([*parts, "</svg>", ""])


def main():
    """The command."""
    with open(sys.argv[1], encoding="utf-8") as file:
        result = json.load(file)
    docs = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else DOCS
    page = docs / "perf.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        sys.exit(f"{page} has no {BEGIN} … {END}")
    page.write_text(f"{before}{BEGIN}\n\n{markdown(result)}\n\n{END}{after}", encoding="utf-8")
    (docs / "perf.svg").write_text(svg(result), encoding="utf-8")
    print(verdict(result))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main()
