// Calls to the door that served this page.

import { createParser } from "eventsource-parser";
import {
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
  const response = await fetch(path, {
    method,
    signal: options.signal,
    cache: "no-store",
    headers: {
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      ...(options.body ? { "content-type": "application/json" } : {}),
      ...options.headers,
    },
    body: options.body ? JSON.stringify(options.body) : undefined,
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

// The server's LoRAs by name; none where the door tells none.
export async function listLoras(): Promise<string[]> {
  const list = (await (await call("GET", "/sdapi/v1/loras")).json()) as { name: string }[];
  return list.map((lora) => lora.name);
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

// The picture, `factor` times as large, as PNG.
export async function upscale(
  image: string,
  { upscaler, factor }: Upscaling,
  signal: AbortSignal,
): Promise<Blob> {
  const body = { image, upscaler_1: upscaler, upscaling_resize: factor };
  const response = await call("POST", "/sdapi/v1/extra-single-image", { body, signal });
  const { image: data } = (await response.json()) as { image: string };
  return pictureBlob({ data, media_type: "image/png" });
}

// Sent again with the same request_id, it answers with the same job.
export async function createJob(request: GenerateRequest): Promise<Job> {
  return (await call("POST", "/v1/jobs", { body: { request } })).json();
}

export async function cancelJob(id: string): Promise<void> {
  await call("DELETE", `/v1/jobs/${encodeURIComponent(id)}`);
}

// A door says something every 15 s. One that is silent for so long, in
// milliseconds, is not there any more, whatever the browser believes.
const SILENCE = 50_000;

// What is read, if it comes before a silence.
async function heard<T>(read: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TypeError("nothing is heard")), SILENCE);
  });
  try {
    return await Promise.race([read, silence]);
  } finally {
    clearTimeout(timer);
  }
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
  const parser = createParser({
    onEvent: ({ event, data }) => {
      const message = JSON.parse(data);
      if (event === "error") throw refusal(503, message.error);
      tell(message as JobEvent);
    },
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await heard(reader.read());
      if (done) return;
      parser.feed(value);
    }
  } finally {
    // Else the connection stays open behind whoever gives up.
    void reader.cancel().catch(() => undefined);
  }
}
