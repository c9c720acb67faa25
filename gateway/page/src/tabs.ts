// What the tabs of this page tell each other: one follows a job, all show it.

import type { JobRecord } from "./records";
import { tabsAgree } from "./turns";

// `undefined` asks for the jobs that the others follow. Where each tab follows
// all of its own, there is nothing to tell.
const channel = tabsAgree ? new BroadcastChannel("genzo.jobs") : undefined;

export function askTabs(): void {
  channel?.postMessage(undefined);
}

// Without the pictures that `before` had, which the others have, too: what
// arrives is a copy, and would look new.
export function tellTabs(job: JobRecord, before?: JobRecord): void {
  const frames = job.frames.map((frame, i) =>
    frame.picture === before?.frames[i]?.picture ? { ...frame, picture: undefined } : frame,
  );
  channel?.postMessage({ ...job, frames });
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

export function hearTabs(asked: () => void, told: (job: JobRecord) => void): void {
  channel?.addEventListener("message", ({ data }: MessageEvent<JobRecord | undefined>) =>
    data ? told(data) : asked(),
  );
}
