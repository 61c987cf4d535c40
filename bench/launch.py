"""How fast `provision launch` feeds the queue, beside boto3: as ratios of one run on one machine.

python bench/launch.py [--messages N] [--latency-ms MS]: 8,698 messages (as many as all films have partitions) to the AWS emulator, every
call held for 20 ms, as a call over the internet is. Prints one JSON object; exits 1 where a ratio is below its goal. Wants the debug
build, the function's zip (`make build package`) and the tools of tools/requirements.txt beside this Python.
"""

import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import boto3

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILT = ROOT / "target/debug"
STACK = "launch-bench"
# One title a job and one job a message: a function's share of this rate leaves no time for more.
PARAMETERS = ["--param", "TmdbRate=1", "--param", "MaximumConcurrency=2", "--param", "FunctionTimeout=10"]
GOALS = {"boto3_batches": 5, "one_after_another": 20}
# One SendMessage after another is timed for this part of the messages, and counted as many times.
SAMPLE = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(endpoint):
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**os.environ, **keys, "AWS_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true", "TMDB_API_KEY": "0" * 32}


def start_emulator(folder):
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    env = {**environment(endpoint), "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "HOME": folder, "TMPDIR": folder, "LOG_LEVEL": "ERROR"}
    tool = pathlib.Path(sys.executable).parent / "ministack"
    emulator = subprocess.Popen([tool], env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return emulator, endpoint
        except OSError:
            time.sleep(0.1)
    sys.exit("the emulator does not start")


def start_proxy(endpoint, latency, folder):
    log = open(pathlib.Path(folder) / "proxy.log", "w+")
    command = [BUILT / "fault-proxy", "--endpoint", endpoint, "--latency-ms", str(latency)]
    proxy = subprocess.Popen(command, stdout=log)
    for _ in range(100):
        log.seek(0)
        if url := log.readline().strip():
            return proxy, url
        time.sleep(0.05)
    sys.exit("the proxy does not start")


def template(folder):
    """The crawler's template with the finished zip named outright, so that nothing is built while the clock runs."""
    text = (ROOT / "templates/crawler.yaml").read_text()
    zip_file = ROOT / "target/lambda/crawler.zip"
    built = "    Metadata:\n      BuildMethod: rust-cargolambda\n      BuildProperties:\n        Binary: crawler\n"
    path = pathlib.Path(folder) / "crawler.yaml"
    path.write_text(text.replace(built, "").replace("../target/lambda/crawler.zip", str(zip_file)))
    return path


def titles(folder, count):
    path = pathlib.Path(folder) / "title.basics.tsv"
    header = "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n"
    rows = (f"tt{n:07}\tmovie\tThe Film\tThe Film\t0\t2017\t\\N\t90\tDrama\n" for n in range(1, count + 1))
    path.write_text(header + "".join(rows))
    return path


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--messages", type=int, default=8698)
    arguments.add_argument("--latency-ms", type=int, default=20)
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        emulator, endpoint = start_emulator(folder)
        proxy, slow = start_proxy(endpoint, arguments.latency_ms, folder)
        try:
            result = compare(folder, endpoint, slow, arguments.messages)
        finally:
            proxy.kill()
            emulator.kill()
    print(json.dumps(result, indent=2))
    sys.exit(any(result["ratios"][name] < goal for name, goal in GOALS.items()))


def compare(folder, endpoint, slow, count):
    file, source = template(folder), titles(folder, count)

    def provision(url, *words):
        command = [BUILT / "provision", "--quiet", "--json", "--yes", "--stack", STACK, "--template", file, *words, *PARAMETERS]
        run = subprocess.run(command, env=environment(url), cwd=folder, capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"provision {words}: {run.stderr}")
        return json.loads(run.stdout)

    for words in (["secret", "set"], ["up"], ["pause"], ["launch", "--dry-run", "--titles-source", source]):
        provision(endpoint, *words)
    ours, sent = timed(lambda: provision(slow, "launch"))
    assert sent["messages"] == count, sent

    sqs = boto3.client("sqs", endpoint_url=slow, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    queue = sqs.create_queue(QueueName="scratch")["QueueUrl"].replace(endpoint, slow)
    body = json.dumps({"dataset": "sha256-0123456789abcdef", "jobs": [{"year": 2017, "initial": "TH", "part": 0, "offset": 24, "length": 36, "titles": 1, "digest": "0123456789abcdef"}]})

    def batches():
        for first in range(0, count, 10):
            entries = [{"Id": str(n), "MessageBody": body} for n in range(first, min(first + 10, count))]
            assert not sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed")

    def single():
        for _ in range(count // SAMPLE):
            sqs.send_message(QueueUrl=queue, MessageBody=body)

    batched, _ = timed(batches)
    sampled, _ = timed(single)
    one_by_one = sampled * SAMPLE
    seconds = {"provision_launch": ours, "boto3_batches": batched, "one_after_another": one_by_one}
    return {
        "messages": count,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "ratios": {name: round(seconds[name] / ours, 1) for name in GOALS},
        "goals": GOALS,
        "one_after_another_is_scaled_by": SAMPLE,
    }


if __name__ == "__main__":
    main()
