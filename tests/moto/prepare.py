"""Makes users, keys and a role in a moto server, turns its authentication on, prints them as JSON."""

import json
import sys
import time
import urllib.request

import boto3

endpoint = sys.argv[1]


def wait_for_server():
    for _ in range(150):
        try:
            urllib.request.urlopen(endpoint + "/moto-api/", timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    sys.exit("moto did not start")


def client(service):
    # Any credentials will do while authentication is off.
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )


def key_of(iam, user):
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"], "token": None}


wait_for_server()
iam = client("iam")
keys = {"endpoint": endpoint, "good": key_of(iam, "deploy"), "deleted": key_of(iam, "former")}
iam.delete_access_key(UserName="former", AccessKeyId=keys["deleted"]["id"])
anyone = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
trust = json.dumps({"Version": "2012-10-17", "Statement": [anyone]})
role = iam.create_role(RoleName="build", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
session = client("sts").assume_role(RoleArn=role, RoleSessionName="nightly")["Credentials"]
keys["role"] = {
    "id": session["AccessKeyId"],
    "secret": session["SecretAccessKey"],
    "token": session["SessionToken"],
}
# A form content type is answered with an error.
request = urllib.request.Request(
    endpoint + "/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}
)
urllib.request.urlopen(request, timeout=10).close()
print(json.dumps(keys))
