// The page's jobs: sent, watched, kept in IndexedDB, newest first.

import { signal, type Signal } from "@preact/signals";
import { openDB, type DBSchema } from "idb";
import { ApiError, cancelJob, createJob, upscale, watchJob } from "./api";
import { base64, type GenerateRequest, type Upscaling } from "./protocol";
import {
  after,
  ended,
  hasEnded,
  kept,
  newRecord,
  type JobRecord,
  type Pictures,
} from "./records";
import { whyOf } from "./refusals";
import { askTabs, hearTabs, merged, tellRemoved, tellTabs } from "./tabs";
import { alone, withStream } from "./turns";
import { FIRST_DELAY, MAX_DELAY, pause } from "./waiting";

export const jobs = signal<Signal<JobRecord>[]>([]);
// Whether some job cannot be reached just now.
export const isLost = signal(false);
// Whether the browser does not keep what is on the page: it is full, or private.
export const isUnkept = signal(false);
// Whether the server asks for a key.
export const wantsKey = signal(false);
// The last change that a screen reader should hear of.
export const news = signal<JobRecord | undefined>(undefined);

interface Schema extends DBSchema {
  jobs: { key: string; value: JobRecord; indexes: { created: number } };
}

const database = openDB<Schema>("genzo", 1, {
  upgrade: (db) =>
    db.createObjectStore("jobs", { keyPath: "key" }).createIndex("created", "created"),
}).catch(() => undefined); // a private window keeps nothing

async function keep(job: JobRecord): Promise<void> {
  try {
    isUnkept.value = (await (await database)?.put("jobs", kept(job))) === undefined;
  } catch {
    isUnkept.value = true;
  }
}

const NO_KEY_DELAY = 600_000;
const watches = new Map<string, AbortController>();
// Jobs that this tab follows; those of `watches` may be another's.
const followed = new Set<Signal<JobRecord>>();

// crypto.randomUUID() is for pages of https and of this machine alone.
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

async function send(job: Signal<JobRecord>): Promise<void> {
  const { request, start, mask, hints = [], looks = [] } = job.value;
  const full: GenerateRequest = { ...request };
  if (start) {
    full.image_to_image = { ...request.image_to_image, image: await base64(start) };
  }
  if (mask) {
    full.inpainting = { ...request.inpainting, mask: { data: await base64(mask) } };
  }
  if (request.controls) {
    full.controls = await Promise.all(
      request.controls.map(async (control, i) => ({
        ...control,
        picture: { data: await base64(hints[i] ?? new Blob()) },
      })),
    );
  }
  if (request.image_prompts) {
    full.image_prompts = await Promise.all(
      request.image_prompts.map(async (prompt, i) => ({
        ...prompt,
        pictures: [{ data: await base64(looks[i] ?? new Blob()) }],
      })),
    );
  }
  const { id } = await createJob(full);
  // Cancelled while it was on its way.
  if (hasEnded(job.value)) return cancelJob(id);
  job.value = { ...job.value, id, state: "queued" };
  void keep(job.value);
}

// Whether it is worth telling.
function show(job: Signal<JobRecord>, next: JobRecord): boolean {
  const before = job.value;
  job.value = next;
  const isNews =
    next.state !== before.state ||
    next.frames.some((f, i) => f.state === "done" && before.frames[i]?.state !== "done");
  if (isNews) news.value = next;
  return isNews;
}

function take(job: Signal<JobRecord>, next: JobRecord): void {
  tellTabs(next, job.value);
  if (show(job, next)) void keep(next);
}

const find = (key: string) => jobs.value.find(({ value }) => value.key === key);

hearTabs({
  asked: () => followed.forEach((job) => tellTabs(job.value)),
  told: (told) => {
    const job = find(told.key);
    if (!job && !hasEnded(told)) begin(signal(told));
    if (!job || hasEnded(job.value)) return;
    show(job, merged(job.value, told));
    if (hasEnded(told)) watches.get(told.key)?.abort();
  },
  removed: (key) => {
    const job = find(key);
    if (job) takeOff(job);
  },
});

function goOnWith(job: Signal<JobRecord>): void {
  void seeTo(job, job.value.upscaling ? enlargeNow : follow);
}

// Shows a job as the newest, and sees to it.
function begin(job: Signal<JobRecord>): void {
  jobs.value = [job, ...jobs.value];
  goOnWith(job);
}

// Sees to a job by `work`, unless another tab does, and then after that one.
async function seeTo(
  job: Signal<JobRecord>,
  work: (job: Signal<JobRecord>, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { key } = job.value;
  const abort = new AbortController();
  watches.set(key, abort);
  try {
    await alone(key, abort.signal, async () => {
      followed.add(job);
      if (!hasEnded(job.value)) await work(job, abort.signal);
    });
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    followed.delete(job);
    watches.delete(key);
  }
}

// Follows a job to its end, over lost networks and restarts of the door.
async function follow(job: Signal<JobRecord>, signal: AbortSignal): Promise<void> {
  let delay = FIRST_DELAY;
  let wasSentAgain = false;
  while (!hasEnded(job.value) && !signal.aborted) {
    try {
      if (job.value.id === undefined) await send(job);
      if (hasEnded(job.value)) break;
      if (job.value.isUnwanted) await cancelJob(job.value.id!);
      await withStream(signal, () =>
        watchJob(
          job.value.id!,
          job.value.sequence,
          (event) => {
            isLost.value = false;
            delay = FIRST_DELAY;
            wasSentAgain = false;
            take(job, after(job.value, event));
          },
          signal,
        ),
      );
    } catch (error) {
      if (signal.aborted) break;
      if (error instanceof ApiError && error.http === 401) {
        // Asked for once; nothing changes before there is one.
        wantsKey.value = true;
        delay = NO_KEY_DELAY;
      } else if (error instanceof ApiError && error.http === 404 && job.value.isUnwanted) {
        take(job, ended(job.value, "cancelled"));
        break;
      } else if (error instanceof ApiError && error.http === 404 && !wasSentAgain) {
        // A server that began anew and kept nothing: under the same request id
        // there is no second job where there is a first.
        wasSentAgain = true;
        take(job, { ...job.value, id: undefined, sequence: "0" });
        continue;
      } else if (error instanceof ApiError && !error.passes) {
        take(job, ended(job.value, "failed", error));
        break;
      }
      isLost.value = !(error instanceof ApiError);
    }
    if (hasEnded(job.value)) break;
    await pause(delay);
    delay = delay > MAX_DELAY ? FIRST_DELAY : Math.min(MAX_DELAY, delay * 2);
  }
  isLost.value = false;
}

// Sends a request and follows it. Rejects with what the server refuses at once;
// the job is then not kept.
export async function paint(
  request: GenerateRequest,
  pictures: Pictures = {},
): Promise<void> {
  const job = signal(
    newRecord({ ...request, request_id: newId() }, pictures),
  );
  // Kept before it is sent: a reload between the two finds it.
  await keep(job.value);
  try {
    await send(job);
  } catch (error) {
    // A full server is said at once; a lost network or a restart is waited out.
    if (error instanceof ApiError && (!error.passes || error.http === 429)) {
      void forget(job.value.key);
      throw error;
    }
  }
  begin(job);
  tellTabs(job.value);
}

// Enlarges a finished picture. A reload in between begins again.
export function enlarge(of: JobRecord, picture: Blob, upscaling: Upscaling): void {
  const { request_id: _, ...request } = of.request;
  const made = newRecord({ ...request, request_id: newId(), image_count: 1 }, { start: picture });
  const job = signal<JobRecord>({ ...made, upscaling });
  void keep(job.value);
  begin(job);
  tellTabs(job.value);
}

async function enlargeNow(job: Signal<JobRecord>, signal: AbortSignal): Promise<void> {
  const { start, upscaling } = job.value;
  take(job, { ...job.value, state: "running" });
  try {
    const tell = (step: number, steps: number) => {
      if (hasEnded(job.value)) return;
      take(job, { ...job.value, frames: [{ state: "developing", step, steps }] });
    };
    const picture = await withStream(signal, () => upscale(start!, upscaling!, tell, signal));
    take(job, { ...job.value, state: "succeeded", frames: [{ state: "done", picture }] });
  } catch (error) {
    if (hasEnded(job.value)) return; // cancelled elsewhere
    const why = error instanceof ApiError ? error : { message: whyOf(error) };
    take(job, signal.aborted ? ended(job.value, "cancelled") : ended(job.value, "failed", why));
  }
}

export async function cancel(job: Signal<JobRecord>): Promise<void> {
  const { id } = job.value;
  if (id !== undefined) {
    job.value = { ...job.value, isUnwanted: true };
    await keep(job.value);
    for (let delay = FIRST_DELAY; !hasEnded(job.value); delay = Math.min(MAX_DELAY, 2 * delay)) {
      try {
        return await cancelJob(id);
      } catch (error) {
        // A server that knows it no more: who follows the job hears it, too.
        if (error instanceof ApiError && error.http === 404) return;
        if (error instanceof ApiError && !error.passes) {
          job.value = { ...job.value, isUnwanted: false };
          void keep(job.value);
          throw error;
        }
      }
      await pause(delay);
    }
    return;
  }
  take(job, ended(job.value, "cancelled"));
  if (job.value.upscaling) watches.get(job.value.key)?.abort();
}

async function forget(key: string): Promise<void> {
  await (await database)?.delete("jobs", key);
}

function takeOff(job: Signal<JobRecord>): void {
  watches.get(job.value.key)?.abort();
  jobs.value = jobs.value.filter((other) => other !== job);
}

// Takes a job off the page, in all tabs, and out of the history.
export function remove(job: Signal<JobRecord>): void {
  takeOff(job);
  tellRemoved(job.value.key);
  void forget(job.value.key);
}

export function removeEnded(): void {
  jobs.value.filter((job) => hasEnded(job.value)).forEach(remove);
}

// Reads the history and takes up what still runs.
export async function restore(): Promise<void> {
  const records = (await (await database)?.getAllFromIndex("jobs", "created")) ?? [];
  const known = new Set(jobs.value.map((job) => job.value.key));
  const found = records.filter((record) => !known.has(record.key)).reverse();
  const restored = found.map((record) => signal(record));
  jobs.value = [...jobs.value, ...restored];
  restored.filter((job) => !hasEnded(job.value)).forEach(goOnWith);
  askTabs();
}
