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

mapping = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"][0]["UUID"]
functions.update_event_source_mapping(UUID=mapping, ScalingConfig={"MaximumConcurrency": 20})

queue = queues.get_queue_url(QueueName=f"{stack}-jobs")["QueueUrl"]
queues.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "60"})
queues.untag_queue(QueueUrl=queue, TagKeys=["provision:logical-id"])

role = {"RoleName": f"{function}-us-east-1", "PolicyName": "crawler"}
policy = roles.get_role_policy(**role)["PolicyDocument"]
policy["Statement"].append({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
roles.put_role_policy(**role, PolicyDocument=json.dumps(policy))

logs.put_retention_policy(logGroupName=f"/aws/lambda/{function}", retentionInDays=1)
buckets.delete_public_access_block(Bucket=lake)
print("null")
