"""Makes an IAM user for every policy of a JSON list (a file's path is the argument), and prints each one's access key as JSON."""

import json
import sys

import boto3

iam = boto3.client("iam")
keys = []
with open(sys.argv[1]) as policies:
    for policy in json.load(policies):
        name = f"person-{len(iam.list_users()['Users'])}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="what-provision-policy-says", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys.append({"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]})
print(json.dumps(keys))
