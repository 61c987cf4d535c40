"""How fast a title.basics becomes the index of a crawl, beside other ways to read it: as ratios of one run on one machine.

index.py FILE INDEX: FILE is a gzipped title.basics, INDEX the built example of crawler-core, which runs the code of `launch`. Beside it
Polars' lazy scan that counts the same partitions, `gzip -dc`, and Python's csv module over the gzip stream, which
needs a pass for each partition; one is timed. Prints one JSON object; exits 1 where a goal is missed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

POLARS = """
import polars, sys
rows = polars.scan_csv(sys.argv[1], separator="\\t", quote_char=None, null_values="\\\\N", infer_schema=False)
films = rows.filter(polars.col("titleType") == "movie")
letters = polars.col("primaryTitle").str.replace_all(r"[^A-Za-z0-9 ]", "").str.strip_chars().str.to_uppercase()
initial = letters.str.slice(0, 2).str.replace_all(" ", "_").str.pad_end(2, "_")
print(films.group_by(polars.col("startYear"), initial.alias("initial")).len().collect(engine="streaming").height)
"""
CSV = """
import csv, gzip, sys
count = 0
with gzip.open(sys.argv[1], "rt", encoding="utf-8", newline="") as file:
    for row in csv.DictReader(file, delimiter="\\t", quoting=csv.QUOTE_NONE):
        if row["titleType"] == "movie" and row["startYear"] == "2004" and row["primaryTitle"][:2].upper() == "AD":
            count += 1
print(count)
"""
# IMDb's title types: with all of them every row is kept.
TYPES = "movie,short,tvEpisode,tvMiniSeries,tvMovie,tvPilot,tvSeries,tvShort,tvSpecial,video,videoGame"
LARGEST = 200  # MiB of memory


def run(command):
    """Seconds, and the most memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} ended with {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main():
    file, index = sys.argv[1:]
    with tempfile.TemporaryDirectory() as lake:
        # Read once before, so that the file is in the machine's cache for all alike.
        run(["gzip", "-t", file])
        taken = {
            "provision": run([index, file, lake]),
            "provision, every title type": run([index, file, os.path.join(lake, "all"), TYPES]),
            "provision, every title type again": run([index, file, os.path.join(lake, "all"), TYPES + ",other"]),
            "gzip -dc": run(["gzip", "-dc", file]),
            "polars": run([sys.executable, "-c", POLARS, file]),
            "csv module, one partition": run([sys.executable, "-c", CSV, file]),
        }
    ours, _ = taken["provision"]
    memory = max(mebibytes for name, (_, mebibytes) in taken.items() if name.startswith("provision"))
    ratios = {name: round(seconds / ours, 2) for name, (seconds, _) in taken.items()}
    met = {
        "at most Polars' time": ratios["polars"] >= 1,
        "at most 1.5 times gzip's": ratios["gzip -dc"] >= 1 / 1.5,
        "a twentieth of the csv module's": ratios["csv module, one partition"] >= 20,
        f"at most {LARGEST} MiB": memory <= LARGEST,
    }
    memories = {name: round(mebibytes) for name, (_, mebibytes) in taken.items()}
    print(json.dumps({"ratios": ratios, "mebibytes": memories, "goals": met}, indent=2))
    sys.exit(not all(met.values()))


if __name__ == "__main__":
    main()
