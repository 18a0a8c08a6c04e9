"""Handlers that show what the engine does to a function."""

import importlib.util
import json
import os
import time

calls = 0


def echo(event, context):
    """Answers with what it was given, or fails as it was asked to."""
    global calls
    calls += 1
    match event.get("do"):
        case "raise":
            raise ValueError("as asked")
        case "exit":
            os._exit(7)
        case "sleep":
            print("SLEEPS", flush=True)
            time.sleep(event["seconds"])
    about = {
        "calls": calls,
        "pid": os.getpid(),
        "environment": dict(os.environ),
        "sees_pytest": importlib.util.find_spec("pytest") is not None,
        "request_id": context.aws_request_id,
        "milliseconds_left": context.get_remaining_time_in_millis(),
    }
    if "requestContext" not in event:
        return about
    if event.get("pathParameters", {}).get("name") == "raise":
        raise ValueError("as asked")
    return {"statusCode": 201, "cookies": ["a=1", "b=2"], "body": json.dumps({"event": event, "about": about})}


def authorize(event, context):
    print("ASKED", event["identitySource"][0], event["rawPath"], flush=True)
    token = event["headers"]["authorization"]
    if token == "broken":
        return {"isAuthorized": "perhaps"}
    return {"isAuthorized": token.startswith("good"), "context": {"sub": token}}


def work(event, context):
    """Prints what triggered it; refuses the messages that say so."""
    print(json.dumps(event), flush=True)
    refused = [record["messageId"] for record in event.get("Records", []) if record.get("body") == "refuse"]
    return {"batchItemFailures": [{"itemIdentifier": message} for message in refused]}
