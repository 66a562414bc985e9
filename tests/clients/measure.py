"""Starts the demo with the given binary and prints readiness, memory (PSS) and the warm fire-risk query's time."""

import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import adbc

WARM_UP, RUNS = 5, 31


def pss_of(folder):
    """Number of node processes of the mesh, and their proportional set size together, in MiB."""
    count, kib = 0, 0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "cmdline").read_bytes() and b"serve" in (process / "cmdline").read_bytes():
                rollup = (process / "smaps_rollup").read_text()
                kib += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
                count += 1
        except OSError:
            continue
    return count, kib / 1024


def main():
    (binary,) = sys.argv[1:]
    with tempfile.TemporaryDirectory() as parent:
        folder = pathlib.Path(parent) / "mesh"
        began = time.monotonic()
        demo = subprocess.Popen([binary, "demo", "--dir", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = []
        for line in demo.stderr:
            said.append(line)
            if "nodes are ready" in line:
                print(line.strip())
            if "Ctrl-C" in line:
                break
        else:
            sys.exit("".join(said))
        print(f"demo up, question answered: {time.monotonic() - began:.1f} s after its start")
        try:
            sql = (folder / "queries" / "fire_risk.sql").read_text()
            with adbc.connect(folder) as connection:
                times = []
                for run in range(WARM_UP + RUNS):
                    start = time.perf_counter()
                    rows = adbc.rows(connection, sql)
                    times.append((time.perf_counter() - start) * 1000)
                    assert len(rows) == 33, len(rows)
                warm = sorted(times[WARM_UP:])
            print(f"warm fire-risk query, {RUNS} runs: median {statistics.median(warm):.0f} ms, "
                  f"fastest {warm[0]:.0f} ms, slowest {warm[-1]:.0f} ms")
            count, mib = pss_of(folder)
            print(f"memory of {count} node processes together: {mib:.0f} MiB PSS")
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(30)


if __name__ == "__main__":
    main()
