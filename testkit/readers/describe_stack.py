"""Prints what the services say of everything that begins with a stack's name, as a JSON object by name, so that two deploys of one
template can be held beside each other: the stack's own name, ids, dates, sizes and the deployer's tags are taken out."""

import json
import sys

import boto3
from botocore.exceptions import ClientError

STACK = sys.argv[1]
# What no two deploys have in common.
OWN = {
    "Arn", "ARN", "AttachmentCount", "CodeSha256", "CodeSize", "CreateDate", "CreatedTimestamp", "CreationDate", "ETag",
    "EventSourceMappingArn", "LastModified", "LastModifiedDate", "LastModifiedTimestamp", "ResponseMetadata", "RevisionId",
    "RoleId", "RoleLastUsed", "StateTransitionReason", "Tags", "UUID", "UpdateDate", "Version", "VersionId", "arn", "creationTime",
    "logGroupArn", "storedBytes",
}


# What the emulator's CloudFormation writes down though nobody asked for it; AWS has it either way, or not at all.
FILLED_IN = {"BucketKeyEnabled", "SqsManagedSseEnabled", "StartingPosition"}


def plain(value):
    """One spelling: numbers and flags as text, documents parsed, sets sorted, nothing for what is empty."""
    if isinstance(value, dict):
        fields = ((key, plain(item)) for key, item in sorted(value.items()) if key not in OWN | FILLED_IN)
        return {key: item for key, item in fields if item not in ("", {}, [])}
    if isinstance(value, list):
        return sorted((plain(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.startswith("{"):
        return plain(json.loads(value))
    return str(value).replace(STACK, "STACK")


def asked(call, **arguments):
    try:
        return call(**arguments)
    except ClientError:
        return {}


def pages(client, operation, key, **arguments):
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page.get(key) or []


found = {}


def tell(kind, name, description):
    found[f"{kind} {name.replace(STACK, 'STACK')}"] = plain(description)


s3, sqs, iam, ssm = (boto3.client(name) for name in ("s3", "sqs", "iam", "ssm"))
functions, logs = boto3.client("lambda"), boto3.client("logs")

for bucket in (bucket["Name"] for bucket in s3.list_buckets()["Buckets"]):
    if bucket.startswith(STACK):
        # The emulator's CloudFormation leaves a bucket's lifecycle out.
        settings = ["versioning", "encryption", "policy"]
        told = [asked(getattr(s3, f"get_bucket_{setting}"), Bucket=bucket) for setting in settings]
        tell("bucket", bucket, [*told, asked(s3.get_public_access_block, Bucket=bucket)])
for url in pages(sqs, "list_queues", "QueueUrls"):
    name = url.rsplit("/", 1)[1]
    if name.startswith(STACK):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        tell("queue", name, {key: value for key, value in attributes.items() if key not in ("QueueArn",)})
for role in pages(iam, "list_roles", "Roles"):
    name = role["RoleName"]
    if name.startswith(STACK):
        inline = [iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                  for policy in pages(iam, "list_role_policies", "PolicyNames", RoleName=name)]
        attached = list(pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name))
        tell("role", name, [role, inline, attached])
for policy in pages(iam, "list_policies", "Policies", Scope="Local"):
    if policy["PolicyName"].startswith(STACK):
        version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        del policy["PolicyId"]
        tell("policy", policy["PolicyName"], [policy, version["Document"]])
for function in pages(functions, "list_functions", "Functions"):
    name = function["FunctionName"]
    if name.startswith(STACK):
        tell("function", name, functions.get_function_configuration(FunctionName=name))
        mappings = pages(functions, "list_event_source_mappings", "EventSourceMappings", FunctionName=name)
        tell("mappings", name, list(mappings))
for group in pages(logs, "describe_log_groups", "logGroups"):
    if STACK in group["logGroupName"]:
        tell("log group", group["logGroupName"], group)
for parameter in pages(ssm, "describe_parameters", "Parameters"):
    if STACK in parameter["Name"]:
        tell("parameter", parameter["Name"], ssm.get_parameter(Name=parameter["Name"])["Parameter"])

print(json.dumps(found))
