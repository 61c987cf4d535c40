"""Reads a lake's folder with DuckDB and prints the demo's closing table: python demo_lake.py FOLDER REQUESTS SECONDS."""

import glob
import sys

import duckdb

folder, requests, seconds = sys.argv[1:]


def table(kind):
    files = glob.glob(f"{folder}/tmdb/{kind}/**/*.ndjson.gz", recursive=True)
    if not files:
        return "(select null as id_imdb, null as title, null as initial, null as year, null as movie_id where false)"
    # DuckDB takes a buffer of the largest object for each of the many small files: no review has a megabyte.
    options = "format = 'newline_delimited', hive_partitioning = true, union_by_name = true, maximum_object_size = 1048576"
    return f"read_json('{folder}/tmdb/{kind}/**/*.ndjson.gz', {options})"


def number(query):
    return duckdb.sql(query).fetchall()[0][0]


linked = number(f"select count(distinct id_imdb) from {table('movies')}")
missed = number(f"select count(distinct id_imdb) from {table('misses')}")
others = number(f"select count(distinct id_imdb) from {table('others')}")
reviews = number(f"select count(*) from {table('reviews')}")

print("Films by reviews:")
duckdb.sql(
    f"select m.title, m.year, count(r.id_imdb) as reviews from {table('movies')} m "
    f"join {table('reviews')} r on r.id_imdb = m.id_imdb and r.movie_id = m.id "
    "group by all order by reviews desc, m.title limit 5"
).show()
print("The crawl:")
duckdb.sql(
    f"select {linked + missed + others} as films, {linked} as linked, {missed} as missed, {others} as other, "
    f"{reviews} as reviews, {requests} as requests, {seconds} as seconds"
).show()
