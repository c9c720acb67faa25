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
for service in genzo.v1.ImageGeneration genzo.v1.Jobs genzo.v1.ModelRegistry genzo.v1.LoraRegistry genzo.v1.ModelAdmin genzo.v1.PictureScoring genzo.v1.Upscaling grpc.health.v1.Health; do
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

# --- what steers, on the model in the box ---
kill "$server_pid"
wait "$server_pid"
box="$GENZO_SOURCE/models"
printf '%s\n' "models: [{id: emaki, path: $box/emaki}]" "loras: [$box/loras]" \
  "controlnets: [$box/controlnets]" >"$work/box.yaml"
exec {output}< <(exec "$GENZO_SERVER_PROGRAM" --config "$work/box.yaml" --listen 127.0.0.1:0 2>"$work/server.log")
server_pid=$!
read -r -t 120 -u "$output" line || { cat "$work/server.log"; exit 1; }
address=${line##* }

# ask METHOD JSON: pictures are too long for an argument.
ask() { call -d @ "$address" "genzo.v1.$1" <<<"$2"; }
# draw FIELDS: a fox as base64, without the parameters that would make every file another one.
draw() {
  ask ImageGeneration/Generate "{\"prompt\": \"a red fox\", \"seed\": 7, \"steps\": 2,
    \"width\": 128, \"height\": 128, \"output\": {\"embed_parameters\": false}$1}" &&
    sed -n 's/^ *"data": "\(.*\)",$/\1/p' "$work/out"
}
# steered NAME FIELDS: they are taken, and the picture is another one.
steered() {
  local drawn
  drawn=$(draw ", $2")
  expect "$1" [ -n "$drawn" ]
  expect "$1: another picture" [ "$drawn" != "$fox" ]
}
fox=$(draw "")
expect "a fox" [ -n "$fox" ]
expect "the same fox" [ "$(draw "")" = "$fox" ]
steered "a LoRA" '"loras": [{"name": "cyanotype", "weight": 0.8}]'
steered "a control network" "\"controls\": [{\"name\": \"canny\", \"picture\": {\"data\": \"$fox\"},
  \"preprocessor\": \"PREPROCESSOR_CANNY\"}]"
steered "guidance" '"guidance": {"start": 0.5}'
steered "T-GATE" '"guidance": {"text_gate_step": 1}'
expect "which tells" contains "$work/out" "text_gate_step 1"
pictures="$GENZO_SOURCE/tests/data/pictures"
masked="\"image_to_image\": {\"image\": \"$(base64 -w0 "$pictures/rgb_png.png")\"}, \"inpainting\": {\"mask\": "
steered "a mask" "$masked{\"data\": \"$(base64 -w0 "$pictures/bilevel.png")\"}}"
sed -n 's/^ *"data": "\(.*\)",$/\1/p' "$work/out" | base64 -d >"$work/masked.png"
expect "a picture that is the input's own in part" \
  contains "$work/masked.png" compositeWithTrainedAlgorithmicMedia
ask ImageGeneration/Generate "{\"prompt\": \"x\", ${masked}{}}}"
expect "a mask without a picture" contains "$work/out" "inpainting.mask"
ask ImageGeneration/Generate '{"prompt": "x", "loras": [{"name": "none"}]}'
expect "a LoRA that is not there" contains "$work/out" "loras[0].name"

expect "LoRAs" ask LoraRegistry/List '{}'
expect "by name" contains "$work/out" '"name": "cyanotype"'
expect "and model" contains "$work/out" '"emaki"'

# score PROMPT: of the fox, twice.
score() {
  ask PictureScoring/Score "{\"model\": \"emaki\", \"prompt\": \"$1\",
    \"pictures\": [{\"data\": \"$fox\"}, {\"data\": \"$fox\"}]}"
  sed -n 's/^ *"score": \(.*\)$/\1/p' "$work/out" | uniq
}
near=$(score "a red fox")
far=$(score "a blue bus in a city")
expect "one score for one picture" [ "$(wc -w <<<"$near")" = 1 ]
expect "a fox is like a fox, $near, and not like a bus, $far" \
  awk -v near="$near" -v far="$far" 'BEGIN {exit !(near > far)}'
expect "enlarged" ask Upscaling/Upscale \
  "{\"picture\": {\"data\": \"$fox\"}, \"upscaler\": \"lanczos\", \"factor\": 1.5}"
expect "by that much" contains "$work/out" '"width": 192'
expect "to its end" contains "$work/out" JOB_STATE_SUCCEEDED

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
