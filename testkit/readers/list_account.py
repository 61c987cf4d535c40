"""Prints the names of all that an account holds, as a JSON object of sorted lists: what a teardown may have left behind."""

import json

import boto3


def pages(service, operation, key, field):
    client = boto3.client(service)
    found = []
    for page in client.get_paginator(operation).paginate():
        found += [item if field is None else item[field] for item in page.get(key) or []]
    return sorted(found)


print(
    json.dumps(
        {
            "buckets": sorted(bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]),
            "queues": pages("sqs", "list_queues", "QueueUrls", None),
            "roles": pages("iam", "list_roles", "Roles", "RoleName"),
            "functions": pages("lambda", "list_functions", "Functions", "FunctionName"),
            "mappings": pages("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
            "log_groups": pages("logs", "describe_log_groups", "logGroups", "logGroupName"),
            "parameters": pages("ssm", "describe_parameters", "Parameters", "Name"),
        }
    )
)
