"""Does to a stack (its name is the argument) what people do in a console: code, memory, an attribute, a tag, a policy's statement, ..."""

import io
import json
import sys
import zipfile

import boto3

stack = sys.argv[1]
function, lake = f"{stack}-crawler", f"{stack}-lake-000000000000-us-east-1"
functions, queues, roles, buckets, logs = (boto3.client(name) for name in ("lambda", "sqs", "iam", "s3", "logs"))

code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    archive.writestr("bootstrap", "#!/bin/sh\n# by hand\n")
functions.update_function_configuration(FunctionName=function, MemorySize=1024)
functions.update_function_code(FunctionName=function, ZipFile=code.getvalue())
functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=5)
arn = functions.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
functions.untag_resource(Resource=arn, TagKeys=["provision:logical-id"])

mapping = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"][0]["UUID"]
functions.update_event_source_mapping(UUID=mapping, ScalingConfig={"MaximumConcurrency": 20})

queue = queues.get_queue_url(QueueName=f"{stack}-jobs")["QueueUrl"]
queues.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "60"})
queues.untag_queue(QueueUrl=queue, TagKeys=["provision:logical-id"])

role = {"RoleName": f"{function}-us-east-1"}
policy = roles.get_role_policy(**role, PolicyName="crawler")["PolicyDocument"]
policy["Statement"].append({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
for name in ("crawler", "by-hand"):
    roles.put_role_policy(**role, PolicyName=name, PolicyDocument=json.dumps(policy))
trust = roles.get_role(**role)["Role"]["AssumeRolePolicyDocument"]
trust["Statement"].append({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
roles.update_assume_role_policy(**role, PolicyDocument=json.dumps(trust))
roles.update_role(**role, Description="by hand", MaxSessionDuration=7200)
roles.put_role_permissions_boundary(**role, PermissionsBoundary="arn:aws:iam::aws:policy/ReadOnlyAccess")
roles.attach_role_policy(**role, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
roles.untag_role(**role, TagKeys=["provision:logical-id"])

group = f"/aws/lambda/{function}"
logs.put_retention_policy(logGroupName=group, retentionInDays=1)
logs.untag_log_group(logGroupName=group, tags=["provision:logical-id"])

buckets.delete_public_access_block(Bucket=lake)
buckets.put_bucket_versioning(Bucket=lake, VersioningConfiguration={"Status": "Enabled"})
ownership = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
buckets.put_bucket_ownership_controls(Bucket=lake, OwnershipControls=ownership)
tags = [tag for tag in buckets.get_bucket_tagging(Bucket=lake)["TagSet"] if tag["Key"] != "provision:logical-id"]
buckets.put_bucket_tagging(Bucket=lake, Tagging={"TagSet": tags})
kms = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
buckets.put_bucket_encryption(Bucket=lake, ServerSideEncryptionConfiguration={"Rules": [kms]})
print("null")
