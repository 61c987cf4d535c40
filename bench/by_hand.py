"""The crawler's stack call by call with boto3, as people do it without a tool: `by_hand.py up|"up again"|"new code"|down ZIP`.

Everything is looked up before it is made, so that the script can run twice; waiting is boto3's own waiters.
"""

import json
import sys

import boto3
from botocore.exceptions import ClientError

STACK = "by-hand"
REGION = "us-east-1"
s3, sqs, iam, logs = (boto3.client(name) for name in ("s3", "sqs", "iam", "logs"))
functions = boto3.client("lambda")
account = boto3.client("sts").get_caller_identity()["Account"]
BUCKET = f"{STACK}-lake-{account}-{REGION}"
NAME = f"{STACK}-crawler"
GROUP = f"/aws/lambda/{NAME}"


def arn(service, resource):
    return f"arn:aws:{service}:{REGION}:{account}:{resource}"


def there(call, **arguments):
    try:
        return call(**arguments)
    except ClientError:
        return None


def bucket():
    if there(s3.head_bucket, Bucket=BUCKET):
        return
    s3.create_bucket(Bucket=BUCKET)
    s3.get_waiter("bucket_exists").wait(Bucket=BUCKET)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
    abort = {"ID": "abort", "Status": "Enabled", "Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [abort]})
    names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(names, True))
    resources = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resources, "Condition": insecure}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))


def queue(name, **attributes):
    found = there(sqs.get_queue_url, QueueName=name)
    return (found or sqs.create_queue(QueueName=name, Attributes=attributes))["QueueUrl"]


def role():
    found = there(iam.get_role, RoleName=NAME)
    if found:
        return found["Role"]["Arn"]
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.get_waiter("role_exists").wait(RoleName=NAME)
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    allow = {"Effect": "Allow", "Action": actions, "Resource": arn("sqs", f"{STACK}-jobs")}
    iam.put_role_policy(
        RoleName=NAME, PolicyName="crawler", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    )
    return made


def log_group():
    found = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
    if not found:
        logs.create_log_group(logGroupName=GROUP)
        logs.put_retention_policy(logGroupName=GROUP, retentionInDays=14)


def function(role_arn, code):
    if there(functions.get_function, FunctionName=NAME):
        return
    functions.create_function(
        FunctionName=NAME,
        Role=role_arn,
        Runtime="provided.al2023",
        Handler="bootstrap",
        Code={"ZipFile": code},
        MemorySize=256,
        Timeout=900,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME)


def mapping():
    source = arn("sqs", f"{STACK}-jobs")
    if functions.list_event_source_mappings(FunctionName=NAME, EventSourceArn=source)["EventSourceMappings"]:
        return
    made = functions.create_event_source_mapping(
        FunctionName=NAME,
        EventSourceArn=source,
        BatchSize=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 8},
    )
    while functions.get_event_source_mapping(UUID=made["UUID"])["State"] != "Enabled":
        pass


def up(code):
    bucket()
    queue(f"{STACK}-dead-letters", MessageRetentionPeriod="1209600")
    redrive = {"deadLetterTargetArn": arn("sqs", f"{STACK}-dead-letters"), "maxReceiveCount": 50}
    queue(f"{STACK}-jobs", VisibilityTimeout="5400", RedrivePolicy=json.dumps(redrive))
    log_group()
    function(role(), code)
    mapping()


def new_code(code):
    functions.update_function_code(FunctionName=NAME, ZipFile=code)
    functions.get_waiter("function_updated_v2").wait(FunctionName=NAME)


def down():
    for found in functions.list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"]:
        functions.delete_event_source_mapping(UUID=found["UUID"])
    functions.delete_function(FunctionName=NAME)
    for name in (f"{STACK}-jobs", f"{STACK}-dead-letters"):
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])
    iam.delete_role_policy(RoleName=NAME, PolicyName="crawler")
    iam.delete_role(RoleName=NAME)
    logs.delete_log_group(logGroupName=GROUP)
    s3.delete_bucket(Bucket=BUCKET)
    s3.get_waiter("bucket_not_exists").wait(Bucket=BUCKET)


step, path = sys.argv[1:]
with open(path, "rb") as zipped:
    content = zipped.read()
if step == "down":
    down()
elif step == "new code":
    new_code(content)
else:
    up(content)
