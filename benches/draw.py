"""Draws what `measure.py` measured: pictures beside `results.json`, and the table of the README.

    draw.py FOLDER
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "wheelwright"  # the same picture from the same numbers
import matplotlib.pyplot as plt  # noqa: E402

SERIES = [
    ("fast", "wheelwright, fast sweep", "#1f5fa8", "o-"),
    ("floor_fast", "bare loop over the SDK", "#777777", "s--"),
    ("full", "wheelwright, full sweep", "#c05a1c", "o-"),
    ("floor_full", "bare loop, full", "#bbaaaa", "s--"),
    ("boto3_8", "boto3, 8 threads", "#3a8f4a", "^-"),
    ("boto3_32", "boto3, 32 threads", "#77b77f", "v-"),
    ("c7n", "c7n-org", "#8a3a8f", "D-"),
]


def lines(results: dict, value, title: str, unit: str, path: Path, log: bool) -> None:
    figure, axes = plt.subplots(figsize=(7, 4))
    for key, label, colour, style in SERIES:
        points = [(int(n), value(told[key])) for n, told in results["spokes"].items() if key in told]
        if points:
            axes.plot(*zip(*sorted(points)), style, color=colour, label=label, markersize=4, linewidth=1.2)
    axes.set_xscale("log")
    if log:
        axes.set_yscale("log")
    axes.set_xlabel("accounts, five marked rules each")
    axes.set_ylabel(unit)
    axes.set_title(title, fontsize=10)
    axes.grid(True, which="major", linewidth=0.3)
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def row(name: str, told: dict) -> str:
    peak = f"{told['rss_peak_mib']:.0f}" if "rss_peak_mib" in told else ""
    return (
        f"| {name} | {told['calls_per_account']:.2f} | {told['cpu_ms_per_account']:.2f} | {told['wall_ms'] / 1000:.2f} "
        f"| {peak} |"
    )


NAMES = {
    "converge": "first converge, from nothing",
    "first": "first sweep after a start (full, signs in)",
    "fast": "**fast sweep**",
    "floor_fast": "the same calls, bare loop",
    "full": "**full sweep**",
    "floor_full": "the same calls, bare loop",
    "boto3_8": "the fast sweep's calls, boto3, 8 threads",
    "boto3_32": "the fast sweep's calls, boto3, 32 threads",
    "c7n": "c7n-org (signs in, starts anew)",
}


def table(results: dict) -> str:
    host = results["machine"]
    out = [
        f"{host['cores']} cores of {host['cpu']}, {host['memory_gib']} GiB, Linux {host['kernel']}, {host['date']}; "
        f"load average {host['load_1_5_15'][0]:.1f} before, {host['load_at_the_end'][0]:.1f} after; each answer "
        f"{results['latency_ms']} ms late.\n"
    ]
    head = "| | calls an account | CPU ms an account | wall s | peak RSS MiB |\n|---|--:|--:|--:|--:|"
    spokes = sorted(results["spokes"].items(), key=lambda item: int(item[0]))
    shapes = [(f"{int(n):,} accounts", told) for n, told in spokes]
    if "far" in results:
        shapes.append(("200 accounts, each answer 50 ms late", results["far"]))
    if "hub" in results:
        shapes.append(("One hub with 300 rules, and 30 accounts that they deliver to, at 15 calls a second in each (the bare loop at no pace)", results["hub"]))
    for title, told in shapes:
        out.append(f"{title}:\n\n{head}")
        for key, name in NAMES.items():
            if key in told:
                out.append(row(name, told[key]))
            if key.startswith("boto3") and key in told:
                out.append(row("the same, its first round (signs in)", told[key]["first"]))
        out.append("")
    out.append(ratios(results))
    out.append(actions(results))
    if "surface" in results:
        out.append(surface(results["surface"]))
    if "page" in results:
        out.append(page(results["page"]))
    return "\n".join(out) + "\n"


def ratios(results: dict) -> str:
    out = [
        "| accounts | fast / bare loop | full / bare loop | boto3 (8) / fast | boto3 (8), first round / fast | c7n-org / fast |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for accounts, told in sorted(results["spokes"].items(), key=lambda item: int(item[0])):
        cpu = {key: part["cpu_ms"] for key, part in told.items()}
        if "boto3_8" in told:
            cpu["boto3_first"] = told["boto3_8"]["first"]["cpu_ms"]

        def ratio(one: str, other: str, form: str) -> str:
            return format(cpu[one] / cpu[other], form) if one in cpu and other in cpu else ""

        cells = [
            ratio("fast", "floor_fast", ".2f"),
            ratio("full", "floor_full", ".2f"),
            ratio("boto3_8", "fast", ".1f"),
            ratio("boto3_first", "fast", ".0f"),
            ratio("c7n", "fast", ".0f"),
        ]
        out.append(f"| {int(accounts):,} | {' | '.join(cells)} |")
    return "CPU as ratios:\n\n" + "\n".join(out) + "\n"


def actions(results: dict) -> str:
    """Which calls a sweep makes, of the largest number of accounts that was measured."""
    accounts, told = max(results["spokes"].items(), key=lambda item: int(item[0]))
    kinds = [key for key in ("fast", "full", "converge") if key in told]
    names = sorted({action for kind in kinds for action in told[kind]["by_action"]})
    out = [f"| calls for {int(accounts):,} accounts | {' | '.join(NAMES[kind].strip('*') for kind in kinds)} |"]
    out.append("|---|" + "--:|" * len(kinds))
    for name in names:
        counts = [told[kind]["by_action"].get(name, 0) for kind in kinds]
        out.append(f"| {name} | {' | '.join(f'{count:,}' if count else '' for count in counts)} |")
    return "Calls by action:\n\n" + "\n".join(out) + "\n"


def page(told: dict) -> str:
    """The page of a large organisation, by view."""
    views = [f"{name} {view['bytes'] / 1000:,.0f} kB in {view['median_ms']:.1f} ms" for name, view in told.items()]
    return f"The page of 500 spokes and 3,000 routes, for each GET in a row: {', '.join(views)}.\n"


def surface(told: dict) -> str:
    return (
        f"{told['clients']} clients at the HTTP surface, a third of them bad, for {told['seconds']:.0f} s, while {told['accounts']} "
        f"accounts are swept each second, or as often as it goes: {told['requests_per_second']:,.0f} requests a second are answered, the median after "
        f"{told['median_ms']:.1f} ms, 99 % within {told['p99_ms']:.0f} ms; resident memory {told['rss_before_mib']:.0f} MiB before, "
        f"{told['rss_after_mib']:.0f} after; sweeps a minute {told['sweeps_per_minute']:.0f} without and "
        f"{told['sweeps_per_minute_under_load']:.0f} with them ({told['sweep_ratio']:.2f})."
    )


def main() -> None:
    folder = Path(sys.argv[1])
    results = json.loads((folder / "results.json").read_text())
    (folder / "table.md").write_text(table(results))
    per_account = lambda told: told["cpu_ms_per_account"]  # noqa: E731
    lines(results, per_account, "CPU of one warm sweep", "CPU ms an account", folder / "cpu.svg", True)
    lines(results, lambda told: told["wall_ms"] / 1000, "Time of one warm sweep", "seconds", folder / "wall.svg", True)
    lines(results, lambda told: told["rss_peak_mib"], "Peak resident memory", "MiB", folder / "memory.svg", True)


if __name__ == "__main__":
    main()
