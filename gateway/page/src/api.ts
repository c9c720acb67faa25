// Calls to the door that served this page.

import { createParser } from "eventsource-parser";
import type { GenerateRequest, Job, JobEvent, Model } from "./protocol";

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

interface ErrorBody {
  message?: string;
  reason?: string;
  field_violations?: Violation[];
}

function refusal(http: number, body: ErrorBody | undefined): ApiError {
  return new ApiError(
    http,
    body?.message ?? `HTTP ${http}`,
    body?.reason,
    body?.field_violations?.map((v) => ({
      ...v,
      field: v.field.replace(/^request\./, ""),
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
  const body = await response.json().catch(() => undefined);
  throw refusal(response.status, (body as { error?: ErrorBody })?.error);
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
  const parser = createParser({
    onEvent: ({ event, data }) => {
      const message = JSON.parse(data);
      if (event === "error") throw refusal(503, message.error);
      tell(message as JobEvent);
    },
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(value);
  }
}
