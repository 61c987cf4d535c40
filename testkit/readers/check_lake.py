"""Reads a lake with tools that are not ours and compares it with the truth.

python check_lake.py BUCKET TRUTH: TRUTH is a JSON list of {"id", "kind", "tmdb_ids", "reviews"}, a film each. Prints a JSON object of counts;
exits 1 with the differences where a film is in two places or in none, or a review is missing or twice.
"""

import collections
import gzip
import json
import sys

import boto3

bucket, truth_file = sys.argv[1:]
s3 = boto3.client("s3")
truth = {film["id"]: film for film in json.load(open(truth_file))}
problems = []


def records(kind):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"tmdb/{kind}/")
    for page in pages:
        for entry in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            for line in gzip.decompress(body).decode().splitlines():
                yield json.loads(line)


lines = {kind: list(records(kind)) for kind in ("movies", "reviews", "misses", "others", "failed")}
places = collections.defaultdict(set)
for kind in ("movies", "misses", "others", "failed"):
    for record in lines[kind]:
        places[record["id_imdb"]].add(kind)

wanted = {"movie": "movies", "unknown": "misses"}
for film_id, film in truth.items():
    expected = {wanted.get(film["kind"], "others")}
    if places[film_id] != expected:
        problems.append(f"{film_id} is in {sorted(places[film_id])}, expected {sorted(expected)}")
for film_id in places.keys() - truth.keys():
    problems.append(f"{film_id} was never asked for")

movies = collections.Counter((record["id_imdb"], record["id"]) for record in lines["movies"])
reviews = collections.Counter((record["id_imdb"], record["id"]) for record in lines["reviews"])
for film_id, film in truth.items():
    for tmdb_id in film["tmdb_ids"] if film["kind"] == "movie" else []:
        if movies[film_id, tmdb_id] != 1:
            problems.append(f"{film_id} has film {tmdb_id} {movies[film_id, tmdb_id]} times")
    for review in film["reviews"]:
        if reviews[film_id, review] != 1:
            problems.append(f"{film_id} has review {review} {reviews[film_id, review]} times")
if sum(reviews.values()) != sum(len(film["reviews"]) for film in truth.values()):
    problems.append("there are reviews that nobody wrote")

if problems:
    sys.exit("\n".join(problems[:20]))
print(json.dumps({kind: len(found) for kind, found in lines.items()}))
