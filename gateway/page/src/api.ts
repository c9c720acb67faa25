// Calls to the door that served this page.

import { isEventStream, readEvents } from "./event_stream";
import {
  base64,
  pictureBlob,
  type GenerateRequest,
  type Job,
  type JobEvent,
  type Model,
  type Upscaling,
} from "./protocol";

export interface Violation {
  field: string;
  description: string;
}

// An answer that is a refusal; a lost network is a TypeError, as of fetch.
export class ApiError extends Error {
  constructor(
    readonly http: number,
    message: string,
    readonly reason = "",
    readonly violations: Violation[] = [],
  ) {
    super(message);
  }

  // Whether the same call may succeed by itself a little later.
  get passes(): boolean {
    return [429, 502, 503, 504].includes(this.http);
  }
}

const KEY = "genzo.key";
export const apiKey = {
  get: () => localStorage.getItem(KEY) ?? "",
  // Tells `window` of it, as "genzo-key".
  set: (key: string) => {
    if (key) localStorage.setItem(KEY, key);
    else localStorage.removeItem(KEY);
    dispatchEvent(new Event("genzo-key"));
  },
};

// Of another tab.
addEventListener("storage", ({ key }) => {
  if (key === KEY) dispatchEvent(new Event("genzo-key"));
});

interface ErrorBody {
  message?: string;
  reason?: string;
  field_violations?: Violation[];
}

// What the routes have in common: A1111's tell a reason and a sentence, or what is
// wrong with which field.
function errorOf(
  body: { error?: unknown; detail?: string | { msg: string }[] } | undefined,
): ErrorBody | undefined {
  const { detail, error } = body ?? {};
  if (detail === undefined) return error as ErrorBody | undefined;
  const reason = typeof error === "string" ? error : undefined;
  return { message: typeof detail === "string" ? detail : detail[0]?.msg, reason };
}

function refusal(http: number, body: ErrorBody | undefined): ApiError {
  return new ApiError(
    http,
    body?.message ?? `HTTP ${http}`,
    body?.reason,
    body?.field_violations?.map((v) => ({
      ...v,
      field: v.field
        .replace(/^request\./, "")
        .replace(/\.data$/, "")
        // The form has one factor for both.
        .replace(/^hires\.(width|height)$/, "hires.factor"),
    })),
  );
}

async function call(
  method: string,
  path: string,
  options: { body?: object; headers?: object; signal?: AbortSignal } = {},
): Promise<Response> {
  const key = apiKey.get();
  const { body } = options;
  const isForm = body instanceof FormData;
  const response = await fetch(path, {
    method,
    signal: options.signal,
    cache: "no-store",
    headers: {
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      // A form's has the boundary, which the browser draws.
      ...(body && !isForm ? { "content-type": "application/json" } : {}),
      ...options.headers,
    },
    body: isForm ? body : body && JSON.stringify(body),
  });
  if (response.ok) return response;
  throw refusal(response.status, errorOf(await response.json().catch(() => undefined)));
}

// Models by id. What the door tells of one beyond OpenAI's fields is in its
// `genzo`; a door that tells nothing leaves the choices to the server. An alias
// of a model, whose `root` is another, is left out.
export async function listModels(): Promise<Model[]> {
  const list = (await (await call("GET", "/v1/models")).json()) as {
    data: { id: string; root?: string; genzo?: Model }[];
  };
  return list.data
    .filter((m) => (m.root ?? m.id) === m.id)
    .map((m) => ({ ...m.genzo, id: m.id }));
}

// What `tried` resolves to; `otherwise` of a door that does not know the call.
async function unlessUnknown<T>(
  tried: Promise<T>,
  otherwise: () => Promise<T>,
  unknown = [404, 405],
): Promise<T> {
  try {
    return await tried;
  } catch (error) {
    if (error instanceof ApiError && unknown.includes(error.http)) return otherwise();
    throw error;
  }
}

interface Lora {
  id: string;
  error?: object; // why no model can have it
  misfits?: { model: string }[]; // models that were compared with it, in vain
}

// Not `?model=`, which leaves out what was not compared yet: all of them, while a
// model is loaded for the first time.
async function lorasOf(model: string): Promise<string[]> {
  const names: string[] = [];
  for (let token = ""; ; ) {
    const path = `/v1/loras?page_size=1000&page_token=${encodeURIComponent(token)}`;
    const page = (await (await call("GET", path)).json()) as {
      data: Lora[];
      next_page_token?: string;
    };
    const fitting = page.data.filter(
      ({ error, misfits = [] }) => !error && !misfits.some((misfit) => misfit.model === model),
    );
    names.push(...fitting.map(({ id }) => id));
    token = page.next_page_token ?? "";
    if (token === "") return names;
  }
}

async function allLoras(): Promise<string[]> {
  const list = (await (await call("GET", "/sdapi/v1/loras")).json()) as { name: string }[];
  return list.map((lora) => lora.name);
}

// The LoRAs that a model takes, as far as the server knows, by name; all of them
// where the door does not tell.
export function listLoras(model: string): Promise<string[]> {
  return unlessUnknown(lorasOf(model), allLoras);
}

// What enlarges pictures, by name; none where the door tells none.
export async function listUpscalers(): Promise<string[]> {
  const list = (await (await call("GET", "/sdapi/v1/upscalers")).json()) as { name: string }[];
  return list.map(({ name }) => name).filter((name) => name !== "None");
}

// Who scores pictures, by name.
export async function listScorers(): Promise<string[]> {
  const list = (await (await call("GET", "/v1/scorers")).json()) as {
    scorers?: { name: string }[];
  };
  return (list.scorers ?? []).map(({ name }) => name);
}

// A stream's events while a picture is enlarged; the last one has it.
interface UpscaleEvent {
  type: string;
  tiles_done?: number;
  tiles?: number;
  b64_json?: string;
}

// With progress by tile, from a door that streams it. One that refuses the field
// `stream` with 400 does not.
async function upscaleByTile(
  image: Blob,
  { upscaler, factor }: Upscaling,
  tell: (done: number, of: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const body = new FormData();
  body.set("image", image, "image");
  body.set("upscaler", upscaler);
  body.set("factor", String(factor));
  body.set("stream", "true");
  const response = await call("POST", "/v1/images/upscales", { body, signal });
  if (!isEventStream(response)) {
    const { data } = (await response.json()) as { data: { b64_json: string }[] };
    return data[0]!.b64_json;
  }
  let made: string | undefined;
  await readEvents(response, ({ event, data }) => {
    const { error, ...message } = JSON.parse(data) as UpscaleEvent & { error?: ErrorBody };
    if (event === "error" || error) throw refusal(503, error);
    if (message.tiles) tell(message.tiles_done ?? 0, message.tiles);
    if (message.type === "image_upscale.completed") made = message.b64_json;
  });
  if (made === undefined) throw new TypeError("the stream ended early");
  return made;
}

async function upscaleWhole(
  blob: Blob,
  { upscaler, factor }: Upscaling,
  signal: AbortSignal,
): Promise<string> {
  const image = await base64(blob);
  const body = { image, upscaler_1: upscaler, upscaling_resize: factor };
  const response = await call("POST", "/sdapi/v1/extra-single-image", { body, signal });
  return ((await response.json()) as { image: string }).image;
}

// The picture, `factor` times as large, as PNG. Tells of tiles that are done where
// the door does.
export async function upscale(
  image: Blob,
  upscaling: Upscaling,
  tell: (done: number, of: number) => void,
  signal: AbortSignal,
): Promise<Blob> {
  const data = await unlessUnknown(
    upscaleByTile(image, upscaling, tell, signal),
    () => upscaleWhole(image, upscaling, signal),
    [400, 404, 405],
  );
  return pictureBlob({ data, media_type: "image/png" });
}

// Sent again with the same request_id, it answers with the same job.
export async function createJob(request: GenerateRequest): Promise<Job> {
  return (await call("POST", "/v1/jobs", { body: { request } })).json();
}

export async function cancelJob(id: string): Promise<void> {
  await call("DELETE", `/v1/jobs/${encodeURIComponent(id)}`);
}

// Tells the job's events after `sequence` until its stream ends, by whatever.
// Rejects if it cannot be read, or the server says why not.
export async function watchJob(
  id: string,
  sequence: string,
  tell: (event: JobEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const response = await call(
    "GET",
    `/v1/jobs/${encodeURIComponent(id)}/events`,
    {
      headers: {
        accept: "text/event-stream",
        ...(sequence !== "0" ? { "last-event-id": sequence } : {}),
      },
      signal,
    },
  );
  await readEvents(response, ({ event, data }) => {
    const message = JSON.parse(data);
    if (event === "error") throw refusal(503, message.error);
    tell(message as JobEvent);
  });
}
