#!/usr/bin/env bash
# The door's own jobs with curl: made, left, watched from the middle, ended.
set -euo pipefail
base=$1
fail() { echo "jobs: $*" >&2; exit 1; }
make() {
  curl -s "$base/v1/jobs" -H 'content-type: application/json' -d "$1" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])'
}

job=$(make '{"request": {"prompt": "a red fox", "steps": 6, "preview": {"every": 1}}}')
events=$(curl -sN "$base/v1/jobs/$job/events")
grep -q '^event: image$' <<<"$events" || fail "no image"
last=$(grep '^id: ' <<<"$events" | tail -n 2 | head -n 1 | cut -d' ' -f2)
rest=$(curl -sN "$base/v1/jobs/$job/events" -H "last-event-id: $last")
[ "$(grep '^event: ' <<<"$rest")" = 'event: ended' ] || fail "resumed with: $(grep '^event: ' <<<"$rest")"
curl -s "$base/v1/jobs/$job" | grep -q JOB_STATE_SUCCEEDED || fail "the job has not succeeded"
job=$(make '{"request": {"prompt": "a red fox", "steps": 150}}')
curl -s -X DELETE "$base/v1/jobs/$job" >/dev/null
curl -sN "$base/v1/jobs/$job/events" | grep -q JOB_STATE_CANCELLED || fail "the job was not cancelled"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$base/v1/jobs/none")" = 404 ] || fail "404"

# A picture painted around, and one walked up to its own noise and down again.
picture=$(curl -s "$base/v1/images/generations" -H 'content-type: application/json' \
  -d '{"prompt": "a red fox", "seed": 7, "num_inference_steps": 2}' |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["data"][0]["b64_json"])')
start="\"prompt\": \"a red fox\", \"seed\": 7, \"steps\": 2, \"image_to_image\": {\"image\": \"$picture\""
job=$(make "{\"request\": {$start}, \"outpainting\": {\"left\": 32, \"right\": 8}}}")
curl -sN "$base/v1/jobs/$job/events" | python3 -c 'import json, sys
events = [json.loads(line[6:]) for line in sys.stdin if line.startswith("data: ")]
picture = next(event["image"] for event in events if "image" in event)["picture"]
assert (picture["width"], picture["height"]) == (168, 128), (picture["width"], picture["height"])' ||
  fail "borders were not painted"
job=$(make "{\"request\": {$start, \"inversion\": {\"prompt\": \"a fox\", \"steps\": 3}}}}")
curl -sN "$base/v1/jobs/$job/events" | python3 -c 'import json, sys
events = [json.loads(line[6:]) for line in sys.stdin if line.startswith("data: ")]
steps = [event["progress"]["steps"] for event in events if "progress" in event]
# Both ways are counted: 3 steps up, 2 down.
assert steps and set(steps) == {5}, steps
assert events[-1]["ended"]["state"] == "JOB_STATE_SUCCEEDED", events[-1]' ||
  fail "a picture was not inverted"
refused=$(curl -s "$base/v1/jobs" -H 'content-type: application/json' \
  -d "{\"request\": {$start, \"inversion\": {}}, \"outpainting\": {\"left\": 8}}}")
grep -q inversion <<<"$refused" || fail "both at once: $refused"

# Words for enums, and the names that requests have for adapters and upscalers.
job=$(make '{"request": {"prompt": "a red fox", "steps": 2, "sampler": "euler", "hires": {"upscale": "lanczos"}}}')
curl -sN "$base/v1/jobs/$job/events" | grep -q JOB_STATE_SUCCEEDED || fail "words for enums"
refused=$(curl -s "$base/v1/jobs" -H 'content-type: application/json' -d '{"prompt": "a red fox"}')
grep -q 'did you mean request.prompt' <<<"$refused" || fail "a prompt outside of its request: $refused"
curl -s "$base/v1/loras?model=emaki" | grep -q '"id":"cyanotype"' || fail "no adapters"
curl -s "$base/v1/upscalers" | grep -q '"id":"lanczos"' || fail "no upscalers"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$base/v1/loras?model=none")" = 404 ] || fail "adapters of no model"
echo "jobs: ok"
