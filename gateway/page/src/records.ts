// A job as this page knows it, and what an event makes of it. Pure.

import {
  pictureBlob,
  seconds,
  type GenerateRequest,
  type JobEvent,
  type Status,
  type Upscaling,
} from "./protocol";

export type State =
  | "sending"
  | "queued"
  | "running"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "expired";

export interface Frame {
  state: "waiting" | "developing" | "done" | "failed";
  picture?: Blob; // the newest look at it
  step?: number;
  steps?: number;
  seed?: string;
  latents?: string; // what the server keeps of it is called so
  error?: string;
  reason?: string; // of the error, as the server calls it
  withheld?: string; // what was found in a picture that is not sent
}

// What a request's pictures are kept as.
export interface Pictures {
  start?: Blob;
  mask?: Blob;
  hints?: Blob[]; // of its controls, one each
  looks?: Blob[]; // of its image prompts, one each
}

export interface JobRecord extends Pictures {
  key: string; // its request_id
  id?: string; // once the server has said it
  created: number; // milliseconds since 1970
  state: State;
  request: GenerateRequest; // as sent, without the bytes of pictures
  upscaling?: Upscaling; // of `start`, which is all that is done then
  position?: number;
  timeLeft?: number; // seconds
  sequence: string; // of the last event
  frames: Frame[];
  error?: string;
  reason?: string; // of the error, as the server calls it
  isUnwanted?: boolean; // cancelled here; its end may be yet to come
}

export const hasEnded = (job: JobRecord): boolean =>
  !["sending", "queued", "running"].includes(job.state);

export function newRecord(
  request: GenerateRequest,
  pictures: Pictures = {},
): JobRecord {
  return {
    key: request.request_id!,
    created: Date.now(),
    state: "sending",
    request,
    ...pictures,
    sequence: "0",
    frames: frames(request.image_count ?? 1),
  };
}

// `index` after a seed, as the server counts.
export const seedAfter = (seed: string, index: number): string =>
  String(BigInt.asUintN(64, BigInt(seed) + BigInt(index)));

// What makes a finished picture again, by itself if that can be. Varied pictures
// differ in their second seeds. Which of those made one that was the best of
// several is not told: then they are all drawn again.
export function requestOf(job: JobRecord, index: number): GenerateRequest {
  const { best_of, variation, ...request } = job.request;
  const { seed } = job.frames[index]!;
  const one = { ...request, image_count: 1, seed };
  if (!variation?.strength || seed === undefined) return one;
  if (best_of) return { ...job.request, seed };
  const second = variation.seed && { seed: seedAfter(variation.seed, index) };
  return { ...one, variation: { ...variation, ...second } };
}

function frames(count: number): Frame[] {
  return Array.from({ length: count }, () => ({ state: "waiting" as const }));
}

function withFrame(
  job: JobRecord,
  index: number,
  change: Partial<Frame>,
): JobRecord {
  return {
    ...job,
    frames: job.frames.map((frame, i) =>
      i === index && frame.state !== "done" ? { ...frame, ...change } : frame,
    ),
  };
}

// As a refusal or a job's end says it.
export interface Why {
  message?: string;
  reason?: string;
}

function reasonOf({ message, details = [] }: Status): Why {
  return { message, reason: details.find(({ reason }) => reason)?.reason };
}

const STATES: Record<string, State> = {
  JOB_STATE_SUCCEEDED: "succeeded",
  JOB_STATE_FAILED: "failed",
  JOB_STATE_CANCELLED: "cancelled",
  JOB_STATE_EXPIRED: "expired",
};

export function ended(job: JobRecord, state: State, why: Why = {}): JobRecord {
  return {
    ...job,
    state,
    error: why.message,
    reason: why.reason,
    timeLeft: undefined,
    frames: job.frames.map((frame) =>
      frame.state === "done" || frame.state === "failed"
        ? frame
        : { ...frame, state: "failed" },
    ),
  };
}

// Without the pictures and what stands for them.
function startOf(
  of: NonNullable<GenerateRequest["image_to_image"]>,
): GenerateRequest["image_to_image"] {
  const { strength, resize_mode, inversion } = of;
  return { strength, resize_mode, ...(inversion ? { inversion } : {}) };
}

function maskingOf(
  of: NonNullable<GenerateRequest["inpainting"]>,
): GenerateRequest["inpainting"] {
  const { mask_blur, fill, only_masked, padding, invert_mask, mask_is_transparency } = of;
  return { mask_blur, fill, only_masked, padding, invert_mask, mask_is_transparency };
}

// `job` after `event`. Events of newer servers change nothing.
export function after(job: JobRecord, event: JobEvent): JobRecord {
  const next = { ...job, id: event.job_id, sequence: event.sequence };
  const { queued, started, progress, preview, image } = event;
  if (queued) {
    return {
      ...next,
      state: "queued",
      position: queued.position,
      timeLeft: seconds(queued.time_left),
    };
  }
  if (started) {
    const count = started.resolved.image_count ?? job.frames.length;
    const { image_to_image, inpainting, controls, image_prompts, ...rest } = started.resolved;
    return {
      ...next,
      state: "running",
      position: undefined,
      request: {
        ...rest,
        request_id: job.key,
        ...(image_to_image ? { image_to_image: startOf(image_to_image) } : {}),
        ...(inpainting ? { inpainting: maskingOf(inpainting) } : {}),
        ...(controls?.length ? { controls: controls.map(({ picture: _, ...c }) => c) } : {}),
        ...(image_prompts?.length
          ? { image_prompts: image_prompts.map(({ pictures: _, ...p }) => p) }
          : {}),
      },
      frames: count === job.frames.length ? job.frames : frames(count),
    };
  }
  if (progress) {
    return withFrame(
      { ...next, timeLeft: seconds(progress.time_left) },
      progress.image_index,
      { state: "developing", step: progress.step, steps: progress.steps },
    );
  }
  if (preview) {
    return withFrame(next, preview.image_index, {
      state: "developing",
      picture: pictureBlob(preview.picture),
    });
  }
  if (image) {
    return withFrame(next, image.image_index, {
      state: "done",
      picture: pictureBlob(image.picture),
      seed: image.seed,
      latents: image.latents || undefined,
    });
  }
  if (event.image_failed) {
    const { message, reason } = reasonOf(event.image_failed.status);
    return withFrame(next, event.image_failed.image_index, {
      state: "failed",
      error: message,
      reason,
    });
  }
  if (event.image_withheld) {
    return withFrame(next, event.image_withheld.image_index, {
      state: "failed",
      withheld: event.image_withheld.safety,
    });
  }
  if (event.ended) {
    const { state, status } = event.ended;
    return ended(next, STATES[state] ?? "failed", status && reasonOf(status));
  }
  return next;
}

// What a reload needs: looks at unfinished images come again with the events.
export function kept(job: JobRecord): JobRecord {
  return {
    ...job,
    sequence: "0",
    frames: job.frames.map((frame) =>
      frame.state === "done"
        ? frame
        : {
            state: frame.state === "failed" ? "failed" : "waiting",
            error: frame.error,
            reason: frame.reason,
            withheld: frame.withheld,
          },
    ),
  };
}
