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
echo "jobs: ok"
