"""Reads a lake's folder with DuckDB, as anybody would: python read_lake.py FOLDER. Prints what it finds as JSON.

Films by year and reviews from the jobs' own objects, and the same from the compacted files where there are any, with their columns' types.
"""

import glob
import json
import sys

import duckdb

folder = sys.argv[1]


def table(root, kind):
    files = glob.glob(f"{root}/{kind}/**/*.*", recursive=True)
    if all(name.endswith(".parquet") for name in files):
        return f"read_parquet('{root}/{kind}/**/*.parquet', hive_partitioning = true)"
    options = "format = 'newline_delimited', hive_partitioning = true, union_by_name = true, maximum_object_size = 1048576"
    return f"read_json('{root}/{kind}/**/*.ndjson.gz', {options})"


def read(root):
    movies, reviews = table(root, "movies"), table(root, "reviews")
    years = duckdb.sql(f"select cast(year as varchar), count(*) from {movies} group by year order by year").fetchall()
    films = duckdb.sql(f"select count(distinct id_imdb), sum(total_reviews), count(year) from {movies}").fetchall()[0]
    written = duckdb.sql(f"select count(*), count(distinct id || id_imdb) from {reviews}").fetchall()[0]
    types = duckdb.sql(f"select column_name, column_type from (describe select * from {movies})").fetchall()
    misses = duckdb.sql(f"select count(*) from {table(root, 'misses')}").fetchall()[0]
    return {
        "years": dict((str(year), count) for year, count in years),
        "titles": films[0],
        "total_reviews": int(films[1]),
        "with_year": films[2],
        "reviews": written[0],
        "distinct_reviews": written[1],
        "misses": misses[0],
        "types": dict(types),
    }


found = {"jobs": read(f"{folder}/tmdb")}
try:
    version = json.load(open(f"{folder}/compact/current.json"))["version"]
    root = f"{folder}/compact/{version}"
    found["compact"] = read(root)
    found["files"] = len(glob.glob(f"{root}/**/part-*", recursive=True))
    if version.startswith("parquet"):
        query = f"select count(*) from {table(root, 'movies')} where json_extract_string(object, '$.id_imdb') = id_imdb"
        found["whole_objects"] = duckdb.sql(query).fetchall()[0][0]
except FileNotFoundError:
    pass
print(json.dumps(found))
