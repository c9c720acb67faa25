#!/usr/bin/env bash
# A client that we did not write. Built with Go where there is one; 77 skips.
. "$GENZO_SOURCE/tests/programs/lib.sh"

tools="$GENZO_SOURCE/.deps/bin"
grpcurl="$tools/grpcurl"
if [ ! -x "$grpcurl" ]; then
  command -v go >/dev/null || { echo "skipped: no Go to build grpcurl with"; exit 77; }
  GOBIN="$tools" GOPATH="$GENZO_SOURCE/.deps/go" GOFLAGS=-modcacherw \
    GOCACHE="$GENZO_SOURCE/.deps/go/cache" timeout 500 go install \
    github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3 >"$work/go.log" 2>&1 ||
    { echo "skipped: grpcurl cannot be built:"; tail -n 3 "$work/go.log"; exit 77; }
fi

call() { "$grpcurl" -plaintext "$@" >"$work/out" 2>&1; }
start_server

expect "list" call "$address" list
for service in genzo.v1.ImageGeneration genzo.v1.Jobs genzo.v1.ModelRegistry genzo.v1.LoraRegistry genzo.v1.ModelAdmin grpc.health.v1.Health; do
  expect "lists $service" contains "$work/out" "$service"
done
expect "describe" call "$address" describe genzo.v1.GenerateRequest
expect "describes the prompt" contains "$work/out" "string prompt"
expect "health" call "$address" grpc.health.v1.Health/Check
expect "serving" contains "$work/out" SERVING
expect "models" call "$address" genzo.v1.ModelRegistry/ListModels
expect "resident" contains "$work/out" STATE_RESIDENT
expect "a prompt alone" call -d '{"prompt":"a red fox"}' "$address" genzo.v1.ImageGeneration/Generate
expect "image" contains "$work/out" '"media_type": "image/png"'
expect "ended" contains "$work/out" JOB_STATE_SUCCEEDED
call -d '{"prompt":"x","steps":0,"width":100}' "$address" genzo.v1.ImageGeneration/Generate
expect "refused with its code" [ $? = 67 ]
expect "BadRequest" contains "$work/out" "google.rpc.BadRequest"
expect "both fields: width" contains "$work/out" "width 100 is not a multiple of 8"
expect "both fields: steps" contains "$work/out" "steps 0 is not between 1 and 150"
expect "ErrorInfo" contains "$work/out" INVALID_FIELD
expect "a job" call -d '{"request":{"prompt":"a red fox","steps":2}}' "$address" genzo.v1.Jobs/CreateJob
job=$(sed -n 's/^  "id": "\(.*\)",$/\1/p' "$work/out")
expect "watched" call -d "{\"id\":\"$job\"}" "$address" genzo.v1.Jobs/WatchJob
expect "to its end" contains "$work/out" JOB_STATE_SUCCEEDED
expect "and found after it" call -d "{\"id\":\"$job\"}" "$address" genzo.v1.Jobs/GetJob
expect "as it ended" contains "$work/out" JOB_STATE_SUCCEEDED
expect "listed" call "$address" genzo.v1.Jobs/ListJobs
expect "by its id" contains "$work/out" "$job"
call -d '{"id":"0123"}' "$address" genzo.v1.Jobs/GetJob
expect "another is not found" [ $? = 69 ]
expect "and unknown" contains "$work/out" JOB_UNKNOWN
call -d '{"request":{"prompt":"x"},"webhook":{"url":"https://example.org/"}}' "$address" genzo.v1.Jobs/CreateJob
expect "a webhook that nobody allowed" contains "$work/out" "webhook.url reaches example.org:443"

# --- keys ---
kill "$server_pid"
wait "$server_pid"
key=$("$GENZO_TOOL" key new --file "$work/keys.json" --tenant t --scopes jobs)
start_server "auth: {keys_file: $work/keys.json}"
call "$address" genzo.v1.Jobs/ListJobs
expect "no key, no answer" contains "$work/out" CREDENTIALS_MISSING
expect "with one" call -H "authorization: Bearer $key" "$address" genzo.v1.Jobs/ListJobs
call -H "authorization: Bearer $key" -d '{"prompt":"x"}' "$address" genzo.v1.ImageGeneration/Generate
expect "but for its scopes alone" contains "$work/out" SCOPE_MISSING
expect "the genzo client too" env GENZO_API_KEY="$key" "$GENZO" --server "$address" jobs
finish
