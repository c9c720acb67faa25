// npm's openai against a door: whole, streamed, edits, errors.
import assert from "node:assert";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none" });
const whole = await client.images.generate({ model: "gpt-image-1", prompt: "a red fox", num_inference_steps: 4 });
const png = Buffer.from(whole.data[0].b64_json, "base64");
assert.equal(png.subarray(1, 4).toString(), "PNG");

const kinds = [];
const stream = await client.images.generate({
  model: "emaki", prompt: "a red fox", stream: true, partial_images: 2, num_inference_steps: 6,
});
for await (const event of stream) kinds.push(event.type);
assert.equal(kinds.at(-1), "image_generation.completed");
assert.ok(kinds.includes("image_generation.partial_image"));

const edited = await client.images.edit({
  model: "emaki", image: await toFile(png, "fox.png", { type: "image/png" }), prompt: "in the snow",
  num_inference_steps: 4,
});
assert.ok(edited.data[0].b64_json.length > 100);
await assert.rejects(client.images.generate({ prompt: "x", n: 99 }), (error) => error.status === 400 && error.param === "n");
// Leaving in mid-picture ends the stream, and the door lives on.
const left = await client.images.generate({ prompt: "a red fox", stream: true, partial_images: 3 });
for await (const event of left) { left.controller.abort(); break; }
assert.ok((await client.models.list()).data.length > 0);
console.log("openai (Node): ok");
