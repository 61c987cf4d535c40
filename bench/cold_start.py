"""A cold start of the crawler, beside that of the least function there is: as a ratio of one run on one machine.

python bench/cold_start.py [--times N]: spawns the bootstrap of target/lambda/crawler.zip and `hello` (function/examples) by turns, with a
Runtime API of its own, and takes the time from spawn to the first request for an invocation. Prints one JSON object; exits 1 where the ratio of the medians is above its goal. Wants the function's zip (`make package`) and hello
of the same profile: `cargo build --profile lambda --package crawler --example hello`.
"""

import argparse
import http.server
import json
import os
import pathlib
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOAL = 3.0
BUNDLE = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"


class Lambda(http.server.BaseHTTPRequestHandler):
    """The Runtime API, as far as the first question."""

    protocol_version = "HTTP/1.1"
    asked = threading.Event()

    def do_GET(self):
        self.asked.at = time.perf_counter()
        self.asked.set()
        # No invocation comes: the function waits until it is killed.
        self.close_connection = True

    def log_message(self, *_):
        pass


def environment(address):
    return {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": "films-crawler",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/films-crawler",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        "AWS_ENDPOINT_URL": f"http://{address}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "LAKE_BUCKET": "films-lake",
        # Lambda's image has one bundle of root certificates; reading a folder of hundreds is this machine's, not the function's.
        "SSL_CERT_FILE": BUNDLE,
        "TMDB_API_KEY_PARAMETER": "/provision/films/tmdb-api-key",
        "JOBS_QUEUE_URL": f"http://{address}/jobs",
        "DEAD_LETTER_QUEUE_URL": f"http://{address}/dead-letters",
    }


def cold_start(binary, env):
    Lambda.asked.clear()
    start = time.perf_counter()
    function = subprocess.Popen([binary], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not Lambda.asked.wait(30):
            sys.exit(f"{binary} never asks for an invocation")
        return Lambda.asked.at - start
    finally:
        function.kill()
        function.wait()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--times", type=int, default=51)
    arguments = arguments.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lambda)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = environment(f"127.0.0.1:{server.server_address[1]}")
    with tempfile.TemporaryDirectory() as folder:
        crawler = pathlib.Path(zipfile.ZipFile(ROOT / "target/lambda/crawler.zip").extract("bootstrap", folder))
        crawler.chmod(0o755)
        binaries = {"crawler": crawler, "hello": ROOT / "target/lambda/examples/hello"}
        times = {name: [] for name in binaries}
        for _ in range(arguments.times):
            for name, binary in binaries.items():
                times[name].append(cold_start(binary, env))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    ratio = medians["crawler"] / medians["hello"]
    print(json.dumps({"milliseconds": {name: round(value * 1000, 1) for name, value in medians.items()}, "ratio": round(ratio, 2), "goal": GOAL}, indent=2))
    sys.exit(ratio > GOAL)


if __name__ == "__main__":
    main()
