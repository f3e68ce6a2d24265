"""A reader as a platform team writes it: boto3, a thread pool, one session and one client for each account, kept.

It makes the calls of a fast sweep and nothing of the answers. `reader.py SPEC THREADS`; for each line on standard input one
round over all accounts, and then a line with how many microseconds that took.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3

spec = json.load(open(sys.argv[1], encoding="utf-8"))
threads = int(sys.argv[2])
sts = boto3.client("sts")
clients = {}


def client_of(account):
    if account not in clients:
        given = sts.assume_role(
            RoleArn=f"arn:aws:iam::{account}:role/{spec['role']}",
            RoleSessionName="reader",
            ExternalId=spec["external_id"],
        )["Credentials"]
        session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        clients[account] = session.client("events")
    return clients[account]


def read(account):
    client = client_of(account["id"])
    client.list_event_buses(Limit=100)
    for bus in account["buses"]:
        rules, token = [], {}
        while True:
            page = client.list_rules(EventBusName=bus, Limit=100, **token)
            rules += page["Rules"]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        for rule in rules:
            client.list_targets_by_rule(EventBusName=bus, Rule=rule["Name"], Limit=100)


with ThreadPoolExecutor(threads) as pool:
    for _ in sys.stdin:
        began = time.monotonic()
        list(pool.map(read, spec["accounts"]))
        print(round((time.monotonic() - began) * 1_000_000), flush=True)
