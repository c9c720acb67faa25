"""PyPI's openai against a door whose queue is full: it waits and tries again."""
import sys
import urllib.request
import json

import openai

base = sys.argv[1]
wish = {"model": "emaki", "prompt": "a red fox", "size": "64x64", "extra_body": {"num_inference_steps": 2}}


def ask(method, path, body=None):
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(base + path, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def fill():
    """Jobs until one more is refused."""
    jobs = []
    while True:
        try:
            jobs.append(ask("POST", "/v1/jobs", {"request": {"prompt": "a fox", "steps": 150, "width": 256, "height": 256}}))
        except urllib.error.HTTPError as error:
            assert error.code == 429, error
            return jobs


jobs = fill()
try:
    openai.OpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0).images.generate(**wish)
    raise SystemExit("a full queue took one more")
except openai.RateLimitError as error:
    headers = error.response.headers
    assert error.code == "queue_full" and error.request_id, error
    assert int(headers["retry-after"]) >= 1 and headers["x-ratelimit-remaining-requests"] == "0", headers

statuses = []


def seen(response):
    statuses.append(response.status_code)
    while jobs:  # then there is room
        ask("DELETE", f"/v1/jobs/{jobs.pop()['id']}")


client = openai.OpenAI(
    base_url=f"{base}/v1", api_key="none", max_retries=8,
    http_client=openai.DefaultHttpxClient(event_hooks={"response": [seen]}),
)
assert len(client.images.generate(**wish).data) == 1
assert statuses[0] == 429 and statuses[-1] == 200, statuses
print("openai (Python), a full queue: ok")
