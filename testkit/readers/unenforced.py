"""Prints, of a JSON list of IAM actions (a file's path is the argument), those that the account lets somebody do who may not.

For each action there is a user who may do all but that one. It is tried by the operation that IAM asks for it on, with whatever the
operation's model requires: who is let through is told of a missing resource or a bad value, and who is not, of missing rights.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# Where IAM's name is not the operation's: the client, the operation, and what makes IAM ask for just this.
OTHERWISE = {
    "iam:PassRole": ("lambda", "CreateFunction", {"Role": "arn:aws:iam::000000000000:role/passed"}),
    "s3:DeleteObjectVersion": ("s3", "DeleteObject", {"VersionId": "v"}),
    "s3:GetBucketPublicAccessBlock": ("s3", "GetPublicAccessBlock", {}),
    "s3:GetEncryptionConfiguration": ("s3", "GetBucketEncryption", {}),
    "s3:GetLifecycleConfiguration": ("s3", "GetBucketLifecycleConfiguration", {}),
    "s3:ListAllMyBuckets": ("s3", "ListBuckets", {}),
    "s3:ListBucket": ("s3", "ListObjectsV2", {}),
    "s3:ListBucketMultipartUploads": ("s3", "ListMultipartUploads", {}),
    "s3:ListBucketVersions": ("s3", "ListObjectVersions", {}),
    "s3:PutBucketPublicAccessBlock": ("s3", "PutPublicAccessBlock", {}),
    "s3:PutEncryptionConfiguration": ("s3", "PutBucketEncryption", {}),
    "s3:PutLifecycleConfiguration": ("s3", "PutBucketLifecycleConfiguration", {}),
    "s3:TagResource": ("s3", "CreateBucket", {"CreateBucketConfiguration": {"Tags": [{"Key": "k", "Value": "v"}]}}),
}
CLIENTS = {"tag": "resourcegroupstaggingapi"}
BUCKET = "whose-objects-are-tried"
REFUSED = {"AccessDenied", "AccessDeniedException", "AccessDeniedFault", "403", "Forbidden"}


def filled(shape, name=""):
    """A value of this shape with nothing but what it must have; the one bucket that there is, and no other resource."""
    if name.lower() == "resourcearn":
        return "arn:aws:logs:us-east-1:000000000000:log-group:none"
    if name == "Bucket":
        return BUCKET
    match shape.type_name:
        case "structure":
            return {name: filled(shape.members[name], name) for name in shape.required_members}
        case "list":
            return [filled(shape.member)]
        case "map":
            return {}
        case "integer" | "long":
            return int(shape.metadata.get("min", 1))
        case "boolean":
            return True
        case "blob":
            return b"x"
        case "timestamp":
            return 0
    if shape.enum:
        return shape.enum[0]
    return "x" * max(3, shape.metadata.get("min", 0))


def all_but(action):
    """A user who may do everything else: the access key."""
    name = f"all-but-{action.replace(':', '-')}"
    may = {"Effect": "Allow", "NotAction": [action], "Resource": "*"}
    iam = boto3.client("iam")
    iam.create_user(UserName=name)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_user_policy(UserName=name, PolicyName="all-but-one", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def is_refused(action):
    service, name = action.split(":")
    service, operation, more = OTHERWISE.get(action, (CLIENTS.get(service, service), name, {}))
    once = Config(parameter_validation=False, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    client = boto3.client(service, config=once, **all_but(action))
    shape = client.meta.service_model.operation_model(operation).input_shape
    method = next(method for method, of in client.meta.method_to_api_mapping.items() if of == operation)
    try:
        getattr(client, method)(**(filled(shape) if shape else {}) | more)
    except ClientError as error:
        return error.response["Error"]["Code"] in REFUSED
    return False


boto3.client("s3").create_bucket(Bucket=BUCKET)
with open(sys.argv[1]) as actions:
    print(json.dumps([action for action in json.load(actions) if not is_refused(action)]))
