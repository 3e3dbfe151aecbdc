"""Calls AWS services as its standard input says, one JSON line for a call, one for its answer.

Bytes are {"$bytes": base64} both ways; times come as {"$time": seconds since 1970}.
"""

import base64
import datetime
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CONFIG = Config(
    # What a call does is what the test sees: one attempt, no proxy, bounded.
    retries={"total_max_attempts": 1},
    proxies={},
    connect_timeout=5,
    read_timeout=60,
)


def revived(value):
    return base64.b64decode(value["$bytes"]) if value.keys() == {"$bytes"} else value


def shown(value):
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"$time": value.timestamp()}
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def answer(clients, session, endpoint, request):
    service = request["service"]
    if service not in clients:
        clients[service] = session.client(service, endpoint_url=endpoint, config=CONFIG)
    client = clients[service]
    methods = {api: method for method, api in client.meta.method_to_api_mapping.items()}
    if request["operation"] not in methods:
        return {"error": {"code": "UnknownOperation", "message": request["operation"]}}
    try:
        output = getattr(client, methods[request["operation"]])(**request["parameters"])
    except ClientError as error:
        told = error.response.get("Error", {})
        about = error.response.get("ResponseMetadata", {})
        return {
            "error": {
                "code": told.get("Code", ""),
                "message": told.get("Message", ""),
                "status": about.get("HTTPStatusCode"),
                "request_id": about.get("RequestId"),
            }
        }
    except Exception as error:  # of the client itself: parameters it refuses, no connection
        return {"error": {"code": type(error).__name__, "message": str(error)}}
    output.pop("ResponseMetadata", None)
    return {"output": output}


def main():
    start = json.loads(sys.stdin.readline())
    session = boto3.Session(
        aws_access_key_id=start["access_key"],
        aws_secret_access_key=start["secret_key"],
        aws_session_token=start["session_token"],
        region_name=start["region"],
    )
    print(json.dumps({"boto3": boto3.__version__}), flush=True)
    clients = {}
    for line in sys.stdin:
        request = json.loads(line, object_hook=revived)
        answered = answer(clients, session, start["endpoint"], request)
        print(json.dumps(answered, default=shown), flush=True)


main()
