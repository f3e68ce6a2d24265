#!/usr/bin/env python3
"""Measures what a sweep costs, beside its floor and beside what people use today, on one simulated AWS.

    python3 benches/measure.py               all of it: some twenty minutes on two quiet cores, and the build
    python3 benches/measure.py --sizes 10,100 --peer-size 100 --no-c7n

It needs a Rust toolchain and Python 3.10 or later with venv; all else is installed below target/. Results are in
benches/results/: `results.json`, `table.md`, and a picture of each.

Everything runs on loopback. `wheelwright sim` is a process of its own, each answer some milliseconds late; its own cost is
in no figure. CPU is user and system time of the process that is measured (for c7n-org of its children too), by the
scheduler's clock; memory is the peak of its resident set. Calls are counted by the simulated AWS, and a floor that made
other calls than the sweep beside it is an error.
"""

import argparse
import atexit
import json
import os
import platform
import queue
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.dont_write_bytecode = True
import topology  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
BENCHES = ROOT / "benches"
RESULTS = BENCHES / "results"
TOOLS = ROOT / "target" / "bench"
PROFILE = "dist"
LATENCY_MS = 10  # of each answer, unless a figure says otherwise
PEERS_REST_S = 1
ACCOUNTS_IN_FLIGHT = 64  # ours and the floor's
START_SECONDS_MAX = 900
INFERNO_VERSION = "0.12.8"
FLAME_SECONDS = 30  # how long a daemon is looked at that sweeps without a pause
FLAME_NARROWEST_PERCENT = 0.2  # what is narrower is left out of the picture


# Building and installing


def build() -> dict:
    """The program as people deploy it, and the two programs that go with the measuring."""
    command = ["cargo", "build", "--profile", PROFILE, "--bin", "wheelwright", "--bench", "floor", "--bench", "clients"]
    out = subprocess.run([*command, "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    built = {}
    for line in out.splitlines():
        message = json.loads(line)
        if message.get("executable"):
            built[message["target"]["name"]] = message["executable"]
    return built


def installed(name: str) -> Path:
    """A Python environment of its own for each peer, so that none decides what another stands on."""
    folder, wanted = TOOLS / name, BENCHES / "peers" / f"requirements-{name}.txt"
    done = folder / "installed"
    if not done.exists() or done.read_text() != wanted.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", "--requirement", wanted], check=True)
        done.write_text(wanted.read_text())
    return folder / "bin"


def inferno() -> Path:
    """What makes a flame graph of what `perf` records."""
    folder = TOOLS / f"inferno-{INFERNO_VERSION}"
    if not (folder / "bin" / "inferno-flamegraph").exists():
        command = ["cargo", "install", "--quiet", "--locked", "--version", INFERNO_VERSION, "--root", folder, "inferno"]
        subprocess.run(command, check=True)
    return folder / "bin"


# Looking at processes


def cpu_ns(pid: int) -> int:
    """User and system time of a process so far, all of its threads, those that ended too."""
    # What clock_getcpuclockid(3) makes of a process id.
    return time.clock_gettime_ns((~pid << 3) | 2)


def memory_mib(pid: int, what: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{what}:\s+(\d+) kB", status, re.M)[1]) / 1024


def machine() -> dict:
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    memory = int(re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.M)[1])
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 1024 / 1024, 1),
        "kernel": platform.release(),
        "load_1_5_15": os.getloadavg(),
        "date": time.strftime("%Y-%m-%d"),
    }


def environment(more: dict) -> dict:
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "AWS_EC2_METADATA_DISABLED": "true"} | more


class Simulation:
    """`wheelwright sim` for a config folder."""

    def __init__(self, binary: str, shape: topology.Shape, latency_ms: int):
        command = [binary, "--config", shape.folder, "sim", "--listen", "127.0.0.1:0", "--latency-ms", str(latency_ms)]
        self.process = subprocess.Popen(
            command, env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        exported = [self.process.stdout.readline() for _ in range(4)]
        self.env = environment(dict(re.match(r"export (\w+)=(\S+)", line).groups() for line in exported))
        self.env["AWS_DEFAULT_REGION"] = self.env["AWS_REGION"]

    def counts(self) -> Counter:
        with urllib.request.urlopen(self.env["AWS_ENDPOINT_URL"] + "/counts") as answer:
            return Counter(json.load(answer))

    def __enter__(self) -> "Simulation":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Sample:
    """What one sweep cost."""

    wall_ms: float
    cpu_ms: float
    calls: dict = field(default_factory=dict)


class Daemon:
    """`wheelwright run` as people run it, followed by the sweeps that it keeps."""

    def __init__(self, binary: str, shape: topology.Shape, sim: Simulation, state: Path):
        self.sim, self.state = sim, state
        command = [binary, "--config", shape.folder, "run", "--state", state, "--listen", "127.0.0.1:0", "--log", "json"]
        self.process = subprocess.Popen(command, env=sim.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        # Where the measuring ends early, so does what is measured.
        atexit.register(self.process.kill)
        listening = queue.Queue()
        threading.Thread(target=self.follow, args=[listening], daemon=True).start()
        self.address = listening.get()
        if self.address is None:
            raise RuntimeError("the daemon ended before it listened")
        self.kept = self.last_change()
        # Those of an earlier daemon on the same state.
        self.seen = max((sweep["id"] for sweep in self.ask("/api/v1/sweeps?limit=1")["items"]), default=0)
        self.counted, self.spent = sim.counts(), 0

    def follow(self, listening: queue.Queue) -> None:
        """Reads the log to its end, so that the daemon never waits for its reader."""
        for text in self.process.stderr:
            line = json.loads(text)
            if line.get("level") in ("WARN", "ERROR"):
                print(f"    {text.strip()}", file=sys.stderr)
            if "listen" in line:
                listening.put(line["listen"])
        listening.put(None)

    def ask(self, path: str) -> dict:
        with urllib.request.urlopen(f"http://{self.address}{path}") as answer:
            return json.load(answer)

    def last_change(self) -> int:
        """When the state was last written: each sweep is kept there, and to look costs the daemon nothing."""
        return max((file.stat().st_mtime_ns for file in self.state.iterdir()), default=0)

    def sweep(self) -> tuple[dict, Sample]:
        """Waits for the end of the next sweep: what is kept of it, and what was spent since the one before."""
        while True:
            time.sleep(0.005)
            if self.process.poll() is not None:
                raise RuntimeError(f"the daemon ended with {self.process.returncode}")
            change = self.last_change()
            if change == self.kept:
                continue
            self.kept = change
            spent = cpu_ns(self.pid)
            sweep = self.ask("/api/v1/sweeps?limit=1")["items"][:1]
            if sweep and sweep[0]["id"] > self.seen:
                break
            # What our question cost is not the sweep's.
            self.spent += cpu_ns(self.pid) - spent
        counted = self.sim.counts()
        sample = Sample(sweep[0]["took-ms"], (spent - self.spent) / 1e6, dict(counted - self.counted))
        if sweep[0]["id"] != self.seen + 1:
            raise RuntimeError(f"sweep {self.seen + 1} was over before it was looked for")
        self.seen, self.counted, self.spent = sweep[0]["id"], counted, cpu_ns(self.pid)
        return sweep[0], sample

    def end(self) -> dict:
        """Ends it as a supervisor does: what it took in all."""
        peak = memory_mib(self.pid, "VmHWM")
        self.process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(self.pid, 0)
        if status != 0:
            raise RuntimeError(f"the daemon ended with {status}")
        return {"cpu_ms": (usage.ru_utime + usage.ru_stime) * 1000, "rss_peak_mib": peak}


class Peer:
    """A program that makes one round of calls for each line on its standard input."""

    def __init__(self, command: list, sim: Simulation):
        self.sim = sim
        self.process = subprocess.Popen(command, env=sim.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.spent, self.counted = 0, sim.counts()

    def round(self, pause_s: float = 0) -> Sample:
        time.sleep(pause_s)
        # What others asked since the last round is not this one's.
        self.counted = self.sim.counts()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        wall_us = self.process.stdout.readline()
        if not wall_us:
            raise RuntimeError(f"{self.process.args} ended with {self.process.wait()}")
        spent, counted = cpu_ns(self.process.pid), self.sim.counts()
        sample = Sample(int(wall_us) / 1000, (spent - self.spent) / 1e6, dict(counted - self.counted))
        self.spent = spent
        return sample

    def end(self) -> float:
        peak = memory_mib(self.process.pid, "VmHWM")
        self.process.stdin.close()
        self.process.wait()
        return peak


# What is measured


def median(samples: list[Sample], accounts: int, **more) -> dict:
    """The sample in the middle by CPU, for each account too."""
    middle = sorted(samples, key=lambda sample: sample.cpu_ms)[len(samples) // 2]
    calls = sum(middle.calls.values())
    return {
        "wall_ms": middle.wall_ms,
        "cpu_ms": middle.cpu_ms,
        "cpu_ms_per_account": middle.cpu_ms / accounts,
        "calls": calls,
        "calls_per_account": calls / accounts,
        "by_action": middle.calls,
        "sweeps": len(samples),
        **more,
    }


def converge(binary: str, shape: topology.Shape, sim: Simulation, state: Path) -> dict:
    """The first sweep, over accounts that have nothing of ours."""
    daemon = Daemon(binary, shape, sim, state)
    line, sample = daemon.sweep()
    if line["failed"] or line["held"] or line["scopes-unread"]:
        raise RuntimeError(f"the first converge came to nothing whole: {line}")
    ended = daemon.end()
    writes = line["done"]
    return median([sample], shape.accounts, writes=writes, rss_peak_mib=ended["rss_peak_mib"])


class Beside:
    """The bare loop, which makes a sweep's calls once more after each: a processor is not equally fast all the time, so what is to be
    compared takes turns."""

    def __init__(self, binary: str, shape: topology.Shape, sim: Simulation, folder: Path):
        self.binary, self.shape, self.sim, self.folder = binary, shape, sim, folder
        self.running, self.first, self.rounds = {}, {}, {True: [], False: []}

    def follow(self, full: bool, calls: dict) -> bool:
        """A round. Whether it was the first of this kind, with signing in: that may take longer than there is to the next sweep."""
        if full in self.running:
            self.rounds[full].append(self.running[full].round())
            return False
        self.running[full] = Peer([self.binary, spec(self.shape, self.folder, full, calls)], self.sim)
        self.first[full] = self.running[full].round()
        return True

    def end(self, told: dict) -> dict:
        floors = {}
        for full, name in [(False, "fast"), (True, "full")]:
            peak = self.running[full].end()
            first = median([self.first[full]], self.shape.accounts)
            floors[f"floor_{name}"] = floor = median(self.rounds[full], self.shape.accounts, rss_peak_mib=peak, first=first)
            if floor["by_action"] != told[name]["by_action"]:
                raise RuntimeError(f"other calls than the {name} sweep made: {floor['by_action']}, not {told[name]['by_action']}")
        return floors


def sweeps(
    binary: str, shape: topology.Shape, sim: Simulation, state: Path, fast: int, full: int, beside: Beside | None = None
) -> dict:
    """A daemon that is started on accounts in step: the first sweep, then warm ones."""
    daemon = Daemon(binary, shape, sim, state)
    line, first = daemon.sweep()
    kinds = {True: [], False: []}
    is_mixed = False
    while len(kinds[False]) < fast or len(kinds[True]) < full:
        line, sample = daemon.sweep()
        if line["done"] or line["failed"] or line["findings"] or line["scopes-unread"]:
            raise RuntimeError(f"accounts in step were written, or not read: {line}")
        # Others follow an answer that came late.
        if line["trigger"] == "interval" and not is_mixed:
            kinds[line["full"]].append(sample)
        is_mixed = False
        if beside is not None:
            is_mixed = beside.follow(line["full"], sample.calls)
            daemon.counted = sim.counts()
    ended = daemon.end()
    peak = {"rss_peak_mib": ended["rss_peak_mib"]}
    return {
        "first": median([first], shape.accounts, **peak),
        "fast": median(kinds[False], shape.accounts, **peak),
    } | ({"full": median(kinds[True], shape.accounts, **peak)} if full else {})


def spec(shape: topology.Shape, folder: Path, full: bool, calls: dict | None = None) -> Path:
    """The file that tells a peer what to read: the same buses as we did, by the number of listings that we made."""
    listings = (calls or {}).get("ListRules", 0)
    pages = {"hub": 2}.get(shape.name, 0)  # the second and third page of 300 rules
    with_default = listings >= 2 * shape.accounts + pages
    accounts = [
        {"id": account, "buses": (["default"] if with_default else []) + [bus]} for account, bus in shape.buses.items()
    ]
    path = folder / f"spec-{'full' if full else 'fast'}.json"
    told = {"role": topology.ROLE, "external_id": topology.EXTERNAL_ID, "accounts": accounts, "full": full}
    path.write_text(json.dumps(told | {"accounts_in_flight": ACCOUNTS_IN_FLIGHT}))
    return path


def peer(command: list, shape: topology.Shape, sim: Simulation, rounds: int, like: dict | None) -> dict:
    """A peer's first round, with signing in, and its warm ones.

    Between these it rests as the daemon does between its sweeps: a processor that does nothing else has everything at hand, and makes
    the same calls for up to a quarter less.
    """
    running = Peer(command, sim)
    first = running.round()
    warm = [running.round(PEERS_REST_S) for _ in range(rounds)]
    peak = running.end()
    told = median(warm, shape.accounts, rss_peak_mib=peak, first=median([first], shape.accounts))
    if like is not None and told["by_action"] != like["by_action"]:
        raise RuntimeError(f"other calls than the sweep made: {told['by_action']}, not {like['by_action']}")
    return told


def c7n_org(shape: topology.Shape, sim: Simulation, folder: Path) -> dict:
    """Cloud Custodian over all accounts, once: its processes do not live on from one run to the next."""
    bin_folder = installed("c7n")
    roster = folder / "accounts.yml"
    role = {"external_id": topology.EXTERNAL_ID, "regions": [topology.REGION]}
    accounts = [
        {"name": account, "account_id": account, "role": f"arn:aws:iam::{account}:role/{topology.ROLE}"} | role
        for account in shape.buses
    ]
    roster.write_text(json.dumps({"accounts": accounts}))
    command = [bin_folder / "c7n-org", "run", "-c", roster, "-u", BENCHES / "peers" / "policies.yml"]
    for name in ("out", "cache"):
        (folder / name).mkdir(exist_ok=True)
    command += ["-s", folder / "out", "--cache-path", folder / "cache", "--cache-period", "0"]
    before, began = sim.counts(), time.monotonic()
    process = subprocess.Popen(command, env=sim.env | {"HOME": str(folder)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_ms = (time.monotonic() - began) * 1000
    if status != 0:
        raise RuntimeError(f"c7n-org ended with {status}:\n{told[-3000:]}")
    sample = Sample(wall_ms, (usage.ru_utime + usage.ru_stime) * 1000, dict(sim.counts() - before))
    return median([sample], shape.accounts, rss_peak_mib=usage.ru_maxrss / 1024)


def surface(binary: str, clients: str, shape: topology.Shape, sim: Simulation, state: Path, seconds: int) -> dict:
    """The daemon's HTTP surface under clients, good and bad, while it sweeps each second or as often as it goes; and its sweeps without them."""
    shape.settings(fast_every=1, full_every=3600)
    daemon = Daemon(binary, shape, sim, state)
    daemon.sweep()

    def swept(during: float) -> float:
        daemon.sweep()
        first, began = daemon.seen, time.monotonic()
        while time.monotonic() < began + during:
            daemon.sweep()
        return (daemon.seen - first) * 60 / (time.monotonic() - began)

    alone = swept(seconds)
    before = memory_mib(daemon.pid, "VmRSS")
    load = subprocess.Popen([clients, daemon.address, "60", str(seconds + 2)], stdout=subprocess.PIPE, text=True)
    loaded = swept(seconds)
    told = json.loads(load.communicate()[0])
    after = memory_mib(daemon.pid, "VmRSS")
    daemon.end()
    rates = {"sweeps_per_minute": alone, "sweeps_per_minute_under_load": loaded, "sweep_ratio": loaded / alone}
    return told | rates | {"rss_before_mib": before, "rss_after_mib": after, "accounts": shape.accounts}


PAGES = {"first page": "/", "a team's": "/?team=t07", "every row": "/?rows=all", "a route": "/routes/t08.all/t07.n0"}
PAGE_ROUNDS = 30


def page(binary: str, shape: topology.Shape, sim: Simulation, state: Path) -> dict:
    """What each page weighs, and what it takes to render and bring: the median of some, one after the other."""
    shape.settings()
    daemon = Daemon(binary, shape, sim, state)
    line, _ = daemon.sweep()
    if line["scopes-unread"]:
        raise RuntimeError(f"the page was to show what was read whole: {line}")
    measured = {}
    for name, path in PAGES.items():
        took, before = [], cpu_ns(daemon.pid)
        for _ in range(PAGE_ROUNDS):
            began = time.monotonic()
            with urllib.request.urlopen(f"http://{daemon.address}{path}") as answer:
                size = len(answer.read())
            took.append((time.monotonic() - began) * 1000)
        cpu_ms = (cpu_ns(daemon.pid) - before) / 1e6 / PAGE_ROUNDS
        measured[name] = {"bytes": size, "median_ms": statistics.median(took), "cpu_ms": cpu_ms}
        print(f"    {name}: {size:,} bytes, {statistics.median(took):.1f} ms, {cpu_ms:.1f} ms of CPU", file=sys.stderr)
    daemon.end()
    return measured


def flame(binary: str, shape: topology.Shape, sim: Simulation, folder: Path, out: Path) -> None:
    """Where the CPU of fast sweeps goes: a flame graph. It is made by `perf`, and left out where there is none."""
    tools = inferno()
    daemon = Daemon(binary, shape, sim, folder / "state")
    daemon.sweep()
    # By the CPU's clock, as machines in clouds have no counters; the stacks by what unwinding goes by, as nothing keeps frame pointers.
    recorded = folder / "perf.data"
    look = ["perf", "record", "--quiet", "--event", "cpu-clock", "--freq", "997", "--call-graph", "dwarf,16384"]
    subprocess.run([*look, "--pid", str(daemon.pid), "--output", recorded, "--", "sleep", str(FLAME_SECONDS)], check=True)
    daemon.end()
    # What was inlined is not taken apart: that takes minutes.
    told = subprocess.Popen(["perf", "script", "--no-inline", "--input", recorded], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    folded = subprocess.run([tools / "inferno-collapse-perf"], stdin=told.stdout, stdout=subprocess.PIPE, check=True).stdout
    told.wait()
    title = f"CPU of fast sweeps over {shape.accounts:,} accounts"
    command = [tools / "inferno-flamegraph", "--title", title, "--minwidth", str(FLAME_NARROWEST_PERCENT), "--deterministic"]
    with (out / "flame.svg").open("wb") as picture:
        subprocess.run(command, input=folded, stdout=picture, check=True)


# All of it


class Bench:
    def __init__(self, args: argparse.Namespace):
        self.args, self.built = args, build()
        self.results = {"machine": machine(), "latency_ms": LATENCY_MS, "spokes": {}}
        if args.keep:
            self.results |= json.loads((args.out / "results.json").read_text())

    def say(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')}  load {os.getloadavg()[0]:.1f}  {text}", flush=True)

    @contextmanager
    def site(self, name: str, accounts: int, latency_ms: int = LATENCY_MS):
        """A folder, a shape in it, and its accounts, simulated."""
        with tempfile.TemporaryDirectory(prefix="wheelwright-bench-") as folder:
            shape = topology.Shape(Path(folder) / "config", name, accounts)
            shape.settings()
            with Simulation(self.built["wheelwright"], shape, latency_ms) as sim:
                yield Path(folder), shape, sim

    def ours(self, shape: topology.Shape, sim: Simulation, folder: Path, fast: int, full: int, **settings: int) -> dict:
        """Converge, then sweeps in turn with the same calls by the bare loop."""
        binary = self.built["wheelwright"]
        shape.settings()
        self.say(f"{shape.name} {shape.accounts}: first converge")
        told = {"converge": converge(binary, shape, sim, folder / "state")}
        shape.settings(**settings)
        self.say(f"{shape.name} {shape.accounts}: sweeps")
        beside = Beside(self.built["floor"], shape, sim, folder)
        told |= sweeps(binary, shape, sim, folder / "state", fast, full, beside)
        return told | beside.end(told)

    def spokes(self, accounts: int) -> None:
        with self.site("spokes", accounts) as (folder, shape, sim):
            # The daemon goes on without who has not answered within half of the interval.
            many, every = (20, 1) if accounts <= 200 else (9, 8) if accounts <= 1000 else (3, 50)
            told = self.ours(shape, sim, folder, many, 3, fast_every=every, full_every=every * (4 if accounts <= 1000 else 2))
            if accounts <= self.args.peer_size:
                path = spec(shape, folder, False, told["fast"]["by_action"])
                for threads in (8, 32):
                    self.say(f"spokes {accounts}: boto3, {threads} threads")
                    command = [installed("python") / "python", BENCHES / "peers" / "reader.py", path, str(threads)]
                    told[f"boto3_{threads}"] = peer(command, shape, sim, 2, told["fast"])
            if self.args.c7n and accounts <= self.args.c7n_size:
                self.say(f"spokes {accounts}: c7n-org")
                told["c7n"] = c7n_org(shape, sim, folder)
            self.results["spokes"][str(accounts)] = told

    def hub(self) -> None:
        """One hub with 300 rules, at the usual pace: 15 calls a second, 30 at once."""
        with self.site("hub", topology.HUB_TEAMS + 1) as (folder, shape, sim):
            self.say("hub: first converge")
            told = {"converge": converge(self.built["wheelwright"], shape, sim, folder / "state")}
            # The first sweep is a full one, and takes 41 seconds at that pace; the daemon waits for half of the interval.
            shape.settings(fast_every=110, calls_per_second=15, calls_burst=30)
            self.say("hub: sweeps")
            told |= sweeps(self.built["wheelwright"], shape, sim, folder / "state", 1, 0)
            for depth, like in [("fast", told["fast"]), ("full", None)]:
                self.say(f"hub: the bare loop, {depth}, at no pace")
                path = spec(shape, folder, depth == "full", (like or told["first"])["by_action"])
                told[f"floor_{depth}"] = peer([self.built["floor"], path], shape, sim, 3, like)
            self.results["hub"] = told

    def far(self) -> None:
        """200 accounts, 50 ms away."""
        with self.site("spokes", 200, 50) as (folder, shape, sim):
            # A full sweep takes two seconds so far away: the next must not begin before it was counted.
            self.results["far"] = {"latency_ms": 50, "accounts": 200} | self.ours(
                shape, sim, folder, 10, 2, fast_every=4, full_every=20
            )

    def surface(self) -> None:
        with self.site("spokes", 600) as (folder, shape, sim):
            converge(self.built["wheelwright"], shape, sim, folder / "state")
            self.say("the HTTP surface under clients")
            self.results["surface"] = surface(
                self.built["wheelwright"], self.built["clients"], shape, sim, folder / "state", self.args.seconds
            )

    def flame(self) -> None:
        if shutil.which("perf") is None:
            return self.say("no flame graph: `perf` is not here (Debian has it in linux-perf)")
        with self.site("spokes", 1000) as (folder, shape, sim):
            self.say("where the CPU of fast sweeps goes")
            converge(self.built["wheelwright"], shape, sim, folder / "state")
            shape.settings(fast_every=1, full_every=3600)
            flame(self.built["wheelwright"], shape, sim, folder, self.args.out)

    def page(self) -> None:
        with tempfile.TemporaryDirectory(prefix="wheelwright-bench-") as folder:
            shape = topology.Organisation(Path(folder) / "config")
            shape.settings()
            with Simulation(self.built["wheelwright"], shape, 0) as sim:
                self.say("the page of 500 spokes and 3,000 routes (the hub's 3,000 rules come first, at 50 calls a second)")
                converge(self.built["wheelwright"], shape, sim, Path(folder) / "state")
                self.results["page"] = page(self.built["wheelwright"], shape, sim, Path(folder) / "state")

    def run(self) -> None:
        parts = [
            (self.far, self.args.far),
            (self.flame, self.args.flame),
            (self.surface, self.args.surface),
            (self.page, self.args.page),
            (self.hub, self.args.hub),
        ]
        # What takes long comes last; what was measured by then is kept.
        for accounts in sorted(self.args.sizes):
            if accounts > 1000:
                parts.append((lambda accounts=accounts: self.spokes(accounts), True))
            else:
                self.spokes(accounts)
                self.save()
        for part, is_wanted in parts:
            if is_wanted:
                part()
                self.save()

    def save(self) -> None:
        self.results["machine"]["load_at_the_end"] = os.getloadavg()
        out = self.args.out
        out.mkdir(parents=True, exist_ok=True)
        (out / "results.json").write_text(json.dumps(self.results, indent=1) + "\n")
        subprocess.run([installed("python") / "python", BENCHES / "draw.py", out], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=[10, 100, 1000, 5000])
    parser.add_argument("--peer-size", type=int, default=100, help="boto3 reads at most so many accounts")
    parser.add_argument("--c7n-size", type=int, default=100, help="c7n-org reads at most so many accounts")
    parser.add_argument("--seconds", type=int, default=20, help="how long clients load the HTTP surface")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--keep", action="store_true", help="keep the results that are there, but for what is measured anew")
    for part in ("c7n", "hub", "far", "surface", "page", "flame"):
        parser.add_argument(f"--no-{part}", dest=part, action="store_false")
    Bench(parser.parse_args()).run()


if __name__ == "__main__":
    main()
