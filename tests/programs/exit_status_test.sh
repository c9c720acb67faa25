#!/usr/bin/env bash
# What the programs say and return when things go wrong, and Ctrl-C.
. "$GENZO_SOURCE/tests/programs/lib.sh"

status() { "$@" >"$work/out" 2>"$work/err"; echo $?; }

# genzo-server: one sentence and 2.
expect "no configuration" [ "$(status "$GENZO_SERVER_PROGRAM" --config /nowhere)" = 2 ]
expect "no configuration: one sentence" lines_are "$work/err" 1
expect "no configuration: names the file" contains "$work/err" /nowhere
echo 'models: [{id: a, path: b}]
thread: 3' >"$work/bad.yaml"
expect "bad key" [ "$(status "$GENZO_SERVER_PROGRAM" --config "$work/bad.yaml")" = 2 ]
expect "bad key: one sentence" lines_are "$work/err" 1
expect "bad key: names it" contains "$work/err" "unknown key thread"
expect "bad option" [ "$(status "$GENZO_SERVER_PROGRAM" --nonsense)" = 2 ]
expect "server --help" [ "$(status "$GENZO_SERVER_PROGRAM" --help)" = 0 ]

start_server "max_live_runs: 1" "queue_capacity: 1" "admin: 127.0.0.1:0"
expect "port in use" [ "$(status "$GENZO_SERVER_PROGRAM" --config "$work/genzo.yaml" --listen "$address" --log-level off)" = 2 ]
expect "port in use: one sentence" lines_are "$work/err" 1
expect "port in use: names it" contains "$work/err" "$address"

# genzo
expect "--help" [ "$(status "$GENZO" --help)" = 0 ]
expect "--help tells exit statuses" contains "$work/out" "Exit status"
expect "no verb" [ "$(status "$GENZO")" = 2 ]
expect "wrong option" [ "$(status "$GENZO" generate x --nonsense)" = 2 ]
expect "no server" [ "$(status "$GENZO" --server 127.0.0.1:1 generate x)" = 4 ]
expect "no server: names it" contains "$work/err" "127.0.0.1:1"
expect "bad request" [ "$(status "$GENZO" --server "$address" generate x --width 7)" = 3 ]
expect "bad request: names field and limit" contains "$work/err" "width 7 is not a multiple of 8"
expect "unknown command" [ "$(status "$GENZO" nope)" = 2 ]
expect "unknown command: names it" contains "$work/err" nope
expect "no server address" [ "$(status "$GENZO" --server "" generate x)" = 2 ]
expect "text that is not UTF-8" [ "$(status "$GENZO" --server 127.0.0.1:1 generate $'bad\xff')" = 2 ]
expect "text that is not UTF-8: one sentence" lines_are "$work/err" 1
expect "text that is not UTF-8: says so" contains "$work/err" "not UTF-8"
expect "seed out of range" [ "$(status "$GENZO" --server "$address" generate x --seed 18446744073709551616)" = 2 ]
expect "lost output" [ "$("$GENZO" --server "$address" generate x --steps 1 --json -o "$work" >/dev/full 2>"$work/err"; echo $?)" = 1 ]
expect "lost output: says so" contains "$work/err" "standard output cannot be written"
for program in "$GENZO" "$GENZO_TOOL" "$GENZO_BENCH" "$GENZO_SERVER_PROGRAM"; do
  expect "lost help of $program" [ "$("$program" --help >/dev/full 2>"$work/err"; echo $?)" = 1 ]
done
expect "a lost key" [ "$("$GENZO_TOOL" key new --file "$work/keys" >/dev/full 2>"$work/err"; echo $?)" = 1 ]
expect "a lost key: says so" contains "$work/err" "cannot be printed, now or later: revoke it"
expect "lost models" [ "$("$GENZO" --server "$address" models >/dev/full 2>"$work/err"; echo $?)" = 1 ]
mkdir "$work/taken" "$work/taken/x-seed9-step01.png"
expect "an unwritable preview" [ "$(status "$GENZO" --server "$address" generate x -s 9 --steps 2 --preview-every 1 -o "$work/taken")" = 0 ]
expect "an unwritable preview: does not cost the picture" [ -s "$work/taken/x-seed9.png" ]
expect "an unwritable preview: is told" contains "$work/err" "x-seed9-step01.png cannot be written: Is a directory"
expect "unwritable folder" [ "$(status "$GENZO" --server "$address" generate x -o /dev/null/x --steps 2)" = 1 ]
expect "timeout" [ "$(status "$GENZO" --server "$address" generate x --no-previews --steps 150 -c 8 --timeout 0.2)" = 5 ]
expect "timeout: names the prediction" contains "$work/err" "its deadline is in 0.2 s"
expect "success" [ "$(status "$GENZO" --server "$address" generate "a fox" -s 3 --steps 4 --preview-every 2 -o "$work/pictures")" = 0 ]
expect "picture" [ -s "$work/pictures/a-fox-seed3.png" ]
expect "preview" [ -s "$work/pictures/a-fox-seed3-step02.png" ]
expect "formats" [ "$(status "$GENZO" --server "$address" generate "a fox" -s 5 --steps 4 --preview-every 2 --format webp --preview-format jpeg -o "$work/pictures")" = 0 ]
expect "formats: picture" [ -s "$work/pictures/a-fox-seed5.webp" ]
expect "formats: preview" [ -s "$work/pictures/a-fox-seed5-step02.jpg" ]
expect "json" [ "$(status "$GENZO" --server "$address" generate "a fox" -s 4 --steps 2 --json -o "$work/pictures")" = 0 ]
expect "json: every line is an object" python3 -c '
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
assert "queued" in events[0] and events[-1]["ended"]["state"] == "JOB_STATE_SUCCEEDED", events
image = [e["image"] for e in events if "image" in e][0]
assert image["picture"]["path"].endswith("a-fox-seed4.png"), image
assert image["image_index"] == 0 and "data" not in image["picture"]
' "$work/out"
expect "models" [ "$(status "$GENZO" --server "$address" models)" = 0 ]
expect "models: lists it" contains "$work/out" "tiny (default)  resident"

expect "/metrics over HTTP" python3 -c '
import sys, urllib.request
text = urllib.request.urlopen(f"http://{sys.argv[1]}/metrics").read().decode()
assert "genzo_jobs_total{model=\"tiny\",outcome=\"succeeded\"}" in text, text
assert "genzo_queue_oldest_age_seconds 0" in text, text
' "$(sed -n 's|.*metrics on http://\(.*\)/metrics|\1|p' "$work/server.log")"

# Ctrl-C cancels on the server: the only slot is free again.
: >"$work/long"
"$GENZO" --server "$address" generate x --steps 150 -c 1 --json -o "$work" \
  >"$work/long" 2>"$work/err" &
client=$!
tail -n +1 -f --pid="$client" "$work/long" | grep -qm1 progress
kill -INT "$client"
wait "$client"
expect "Ctrl-C" [ $? = 130 ]
expect "Ctrl-C says so" contains "$work/err" cancelled
expect "the slot is free" [ "$(status "$GENZO" --server "$address" generate x --steps 1 -o "$work" --timeout 30)" = 0 ]

# SIGTERM: a live job is finished first.
: >"$work/last"
"$GENZO" --server "$address" generate x --steps 60 --json -o "$work" \
  >"$work/last" 2>"$work/err" &
client=$!
tail -n +1 -f --pid="$client" "$work/last" | grep -qm1 progress
kill -TERM "$server_pid"
wait "$client"
expect "a live job outlasts SIGTERM" [ $? = 0 ]
wait "$server_pid"
expect "the server ends with 0" [ $? = 0 ]
server_pid=
finish
