// What the tabs of this page tell each other: which jobs there are, and what
// becomes of those that one follows for all.

import type { JobRecord } from "./records";
import { tabsAgree } from "./turns";

// The key of a job that was removed; a job that is new or has changed;
// `undefined` asks for those that the others follow.
type Message = string | JobRecord | undefined;

const channel = new BroadcastChannel("genzo.jobs");

export function askTabs(): void {
  if (tabsAgree) channel.postMessage(undefined);
}

// Of a job that is new, or of what it was `before`. Where each tab follows all of
// its own, it needs to be told of new ones alone. Without the pictures that
// `before` had, which the others have, too: what arrives is a copy, and would look
// new.
export function tellTabs(job: JobRecord, before?: JobRecord): void {
  if (before && !tabsAgree) return;
  const frames = job.frames.map((frame, i) =>
    frame.picture === before?.frames[i]?.picture ? { ...frame, picture: undefined } : frame,
  );
  channel.postMessage({ ...job, frames });
}

export function tellRemoved(key: string): void {
  channel.postMessage(key);
}

// What is shown of a job after another tab has told of it.
export function merged(job: JobRecord, told: JobRecord): JobRecord {
  const frames = told.frames.map((frame, i) => ({
    ...frame,
    picture: frame.picture ?? job.frames[i]?.picture,
  }));
  // Cancelled here is not undone by who has not heard of it.
  return { ...told, isUnwanted: told.isUnwanted || job.isUnwanted, frames };
}

export function hearTabs(hears: {
  asked: () => void;
  told: (job: JobRecord) => void;
  removed: (key: string) => void;
}): void {
  channel.addEventListener("message", ({ data }: MessageEvent<Message>) => {
    if (data === undefined) hears.asked();
    else if (typeof data === "string") hears.removed(data);
    else hears.told(data);
  });
}
