#!/usr/bin/env bash
# curl against a door: streams, edits, jobs, CORS, limits, TLS-free basics.
set -euo pipefail
base=$1
fail() { echo "curl: $*" >&2; exit 1; }
status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }

stream=$(curl -sN "$base/v1/images/generations" -H 'content-type: application/json' \
  -d '{"prompt": "a red fox", "stream": true, "partial_images": 2, "num_inference_steps": 6}')
grep -q '^event: image_generation.partial_image$' <<<"$stream" || fail "no partial image"
grep -q '^event: image_generation.completed$' <<<"$stream" || fail "no completed image"
grep -q '^id: [0-9]' <<<"$stream" || fail "no ids"

picture=$(mktemp --suffix=.png)
trap 'rm -f "$picture"' EXIT
curl -s "$base/v1/images/generations" -H 'content-type: application/json' \
  -d '{"prompt": "a red fox", "num_inference_steps": 2}' |
  python3 -c 'import base64, json, sys
sys.stdout.buffer.write(base64.b64decode(json.load(sys.stdin)["data"][0]["b64_json"]))' >"$picture"
[ "$(status "$base/v1/images/edits" -F image=@"$picture" -F prompt=snow -F num_inference_steps=4)" = 200 ] ||
  fail "an edit was refused"

[ "$(status -I "$base/v1/models")" = 200 ] || fail "HEAD"
[ "$(status "$base/none")" = 404 ] || fail "404"
[ "$(status -X PUT "$base/v1/models")" = 405 ] || fail "405"
[ "$(status "$base/v1/images/generations" -H 'content-type: text/plain' -d x)" = 415 ] || fail "415"
[ "$(status -X OPTIONS "$base/v1/models")" = 204 ] || fail "OPTIONS"
[ "$(head -c 60000000 /dev/zero | status "$base/v1/images/generations" \
  -H 'content-type: application/json' -H 'expect:' --data-binary @-)" = 413 ] || fail "413"
[ "$(status --path-as-is "$base/../../etc/passwd")" = 400 ] || fail "path escape"
echo "curl: ok"
