"""Follows a stream with httpx-sse and prints each event's seq. Resumes as the contract says."""

import json
import sys
import time

import httpx
from httpx_sse import connect_sse

url, token = sys.argv[1:]
last, retry_ms = "0", 1_000
while True:
    try:
        headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": last}
        with httpx.Client(timeout=60) as client, connect_sse(client, "GET", url, headers=headers) as source:
            for sse in source.iter_sse():
                last, retry_ms = sse.id or last, sse.retry or retry_ms
                if "." in sse.event:
                    print(json.loads(sse.data)["seq"], flush=True)
    except httpx.TransportError:
        pass
    time.sleep(retry_ms / 1_000)
