// npm's openai against a door whose queue is full: it waits and tries again.
import assert from "node:assert";
import OpenAI from "openai";

const base = process.argv[2];
const wish = { model: "emaki", prompt: "a red fox", size: "64x64", num_inference_steps: 2 };
const ask = (method, path, body) => fetch(base + path, {
  method, body: body && JSON.stringify(body), headers: { "content-type": "application/json" },
});

const jobs = [];
for (;;) {
  const answer = await ask("POST", "/v1/jobs", { request: { prompt: "a fox", steps: 150, width: 256, height: 256 } });
  if (!answer.ok) { assert.equal(answer.status, 429); break; }
  jobs.push((await answer.json()).id);
}
const statuses = [];
const client = new OpenAI({
  baseURL: `${base}/v1`, apiKey: "none", maxRetries: 8,
  fetch: async (...request) => {
    const answer = await fetch(...request);
    statuses.push(answer.status);
    while (jobs.length) await ask("DELETE", `/v1/jobs/${jobs.pop()}`); // then there is room
    return answer;
  },
});
const painted = await client.images.generate(wish);
assert.equal(painted.data.length, 1);
assert.ok(statuses[0] === 429 && statuses.at(-1) === 200, `${statuses}`);
console.log("openai (Node), a full queue: ok");
