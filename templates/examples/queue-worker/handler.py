"""Keeps every message of a queue as an object of a bucket, named by the message's id."""

import os

import boto3

BUCKET = os.environ["BUCKET"]
s3 = boto3.client("s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))


def handle(event, _context):
    """A partial batch response: what could not be kept comes again."""
    failed = []
    for record in event["Records"]:
        try:
            s3.put_object(Bucket=BUCKET, Key=f"messages/{record['messageId']}", Body=record["body"].encode())
        except Exception as error:  # Whatever it is, the message is not lost.
            print(f"{record['messageId']} is not kept: {error}")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
