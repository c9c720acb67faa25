// The contact sheet: jobs and their pictures, developing in place.

import { useSignal, type Signal } from "@preact/signals";
import { Fragment } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { showRefusal, type Saying } from "./composer";
import { canStart, change, draftOf, guideBy, modelOf } from "./draft";
import { Facts } from "./facts";
import { Select } from "./fields";
import { duration, t, type Word } from "./i18n";
import { Icon } from "./icons";
import type { GenerateRequest } from "./protocol";
import { hasEnded, requestOf, type Frame, type JobRecord } from "./records";
import { told, whyOf } from "./refusals";
import { startWith, startWithNothing } from "./start_picture";
import { cancel, enlarge, isLost, jobs, paint, remove, removeEnded } from "./store";
import { useUpscalers } from "./server_lists";

const FACTORS = [2, 3, 4];

// The newest look at a picture fades in over the one before.
function Layers({ picture, alt, progress }: {
  picture: Blob | undefined;
  alt: string;
  progress: number; // 0 to 1
}) {
  const [urls, setUrls] = useState<string[]>([]);
  const all = useRef<string[]>([]);
  useEffect(() => {
    if (!picture) return;
    const url = URL.createObjectURL(picture);
    all.current.push(url);
    setUrls((old) => [...old.slice(-2), url]);
  }, [picture]);
  useEffect(() => () => all.current.forEach((url) => URL.revokeObjectURL(url)), []);
  // What lies below the newest is not seen any more.
  const uncover = (url: string) => {
    const below = all.current.splice(0, all.current.indexOf(url));
    below.forEach((old) => URL.revokeObjectURL(old));
    setUrls((old) => old.filter((other) => !below.includes(other)));
  };
  return (
    <>
      {urls.map((url, i) => (
        <img
          key={url}
          src={url}
          class="layer"
          alt={i === urls.length - 1 ? alt : ""}
          style={{ "--rough": String(1 - progress) }}
          onAnimationEnd={() => uncover(url)}
        />
      ))}
    </>
  );
}

function progressOf(frame: Frame): number {
  if (frame.state === "done") return 1;
  return frame.steps ? (frame.step ?? 0) / frame.steps : 0;
}

interface Action {
  word: Word;
  hint?: Word; // what the word alone does not say
  icon: Parameters<typeof Icon>[0]["name"];
  run: () => unknown;
}

function actionsOf(job: JobRecord, frame: Frame, index: number): Action[] {
  const picture = frame.picture!;
  const request = requestOf(job, index);
  const { start, mask, hints, looks } = job;
  const model = modelOf(request);
  const takes = (field: string) => model?.request_fields?.includes(field) ?? false;
  const again = (values: Partial<GenerateRequest> = {}) =>
    paint({ ...request, ...values }, { start, mask, hints, looks });
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture);
    const kind = picture.type.split("/")[1]?.replace("jpeg", "jpg") ?? "png";
    link.download = `genzo-${job.created}-${index + 1}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  // The same noise, moved towards another. A request moves it between two seeds
  // alone: what was moved can but go further.
  const varyNoise = () => {
    const drawn = { seed: String(Math.floor(Math.random() * 2 ** 32)), strength: 0 };
    const from = request.variation ?? drawn;
    return again({ variation: { ...from, strength: Math.min(1, from.strength + 0.25) } });
  };
  // The picture itself, where it was masked there alone, without what made it
  // larger or went before it.
  const paintOver = () => {
    const { seed: _, variation: __, best_of: ___, ...seedless } = request;
    const { inpainting, outpainting, hires, ...rest } = seedless;
    const isMasked = inpainting && mask && !outpainting;
    return paint(
      {
        ...rest,
        image_count: 1,
        ...(hires?.width ? { width: hires.width, height: hires.height } : {}),
        image_to_image: { strength: 0.5 },
        ...(isMasked ? { inpainting } : {}),
      },
      { start: picture, mask: isMasked ? mask : undefined, hints, looks },
    );
  };
  const paintsOver = model?.tasks?.includes("TASK_IMAGE_TO_IMAGE") ?? true;
  const isVaried = request.variation !== undefined;
  const movesNoise =
    takes("variation") && !request.image_to_image?.inversion && !(isVaried && paintsOver);
  const drawAnew = () => again({ seed: undefined });
  const vary: Action = {
    word: "vary",
    icon: "vary",
    ...(movesNoise
      ? { hint: isVaried ? "varyFurther" : undefined, run: varyNoise }
      : paintsOver
        ? { hint: "varyOver", run: paintOver }
        : { run: drawAnew }),
  };
  const isPainted = !job.upscaling;
  const canEnlarge =
    isPainted && takes("hires") && !start && !request.hires && !request.best_of;
  return [
    { word: "save", icon: "save", run: save },
    ...(isPainted
      ? [{ word: "reproduce" as const, icon: "again" as const, run: () => again() }, vary]
      : []),
    ...(canEnlarge
      ? [
          {
            word: "enlarge" as const,
            icon: "enlarge" as const,
            run: () => again({ hires: { factor: 2 } }),
          },
        ]
      : []),
    ...(canStart.value
      ? [{ word: "useStart" as const, icon: "start" as const, run: () => startWith(picture) }]
      : []),
    {
      word: "useSettings",
      icon: "settings",
      run: () => {
        change(draftOf(request));
        if (isPainted) {
          startWithNothing();
          const seesThrough = request.inpainting?.mask_is_transparency;
          if (start) startWith(start, seesThrough ? undefined : mask, seesThrough);
        }
        guideBy(request, job);
        document.getElementById("field-prompt")?.focus();
      },
    },
  ];
}

// By a network or a filter of the server's, where it has any.
function Upscale({ job, picture, done }: {
  job: JobRecord;
  picture: Blob;
  done: () => void;
}) {
  const upscaler = useSignal<string | undefined>(undefined);
  const factor = useSignal(2);
  const names = useUpscalers();
  if (names.length === 0) return null;
  const chosen = upscaler.value ?? names.find((name) => name !== "lanczos") ?? names[0]!;
  return (
    <form
      class="upscale"
      onSubmit={(event) => {
        event.preventDefault();
        enlarge(job, picture, { upscaler: chosen, factor: factor.value });
        done();
      }}
    >
      <Select
        path="upscaler"
        label={t("upscaler")}
        value={chosen}
        choices={names.map((name) => [name, name])}
        onChange={(name) => (upscaler.value = name)}
      />
      <Select
        path="factor"
        label={t("factor")}
        value={String(factor.value)}
        choices={FACTORS.map((n) => [String(n), `×${n}`])}
        onChange={(value) => (factor.value = Number(value))}
      />
      <button type="submit" class="quiet">
        {t("upscale")}
      </button>
    </form>
  );
}

function Viewer({ job, index, close }: {
  job: JobRecord;
  index: number;
  close: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const problem = useSignal<Saying | undefined>(undefined);
  const frame = job.frames[index]!;
  useEffect(() => dialog.current!.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class="viewer"
      aria-label={t("pictureAlt", { n: index + 1, prompt: job.request.prompt })}
      onClose={close}
      onClick={(event) => event.target === dialog.current && dialog.current!.close()}
    >
      <div class="viewer-picture">
        <Layers
          picture={frame.picture}
          progress={1}
          alt={t("pictureAlt", { n: index + 1, prompt: job.request.prompt })}
        />
      </div>
      <div class="viewer-side">
        <button
          type="button"
          class="tool"
          aria-label={t("close")}
          title={t("close")}
          onClick={() => dialog.current!.close()}
        >
          <Icon name="close" />
        </button>
        <p class="viewer-prompt" tabIndex={0}>
          {job.request.prompt}
        </p>
        <Facts job={job} index={index} />
        <div class="actions">
          {actionsOf(job, frame, index).map(({ word, hint, icon, run }) => (
            <Fragment key={word}>
              <button
                type="button"
                class="action"
                aria-describedby={hint}
                onClick={async () => {
                  try {
                    await run();
                    if (word !== "save") dialog.current!.close();
                  } catch (error) {
                    problem.value = showRefusal(error) ?? (() => whyOf(error));
                  }
                }}
              >
                <Icon name={icon} />
                {t(word)}
              </button>
              {hint && (
                <p class="hint" id={hint}>
                  {t(hint)}
                </p>
              )}
            </Fragment>
          ))}
        </div>
        <Upscale job={job} picture={frame.picture!} done={() => dialog.current!.close()} />
        {problem.value && (
          <p class="error" role="alert">
            {problem.value()}
          </p>
        )}
      </div>
    </dialog>
  );
}

// A seed makes a picture alone unless another's noise is mixed in.
function captionOf({ request: { variation } }: JobRecord, { seed }: Frame): string {
  const mixed = variation?.strength ? ` · ${t("variation")} ${variation.strength}` : "";
  return `${t("seed")} ${seed}${mixed}`;
}

function FrameView({ job, index }: { job: JobRecord; index: number }) {
  const isOpen = useSignal(false);
  const frame = job.frames[index]!;
  const progress = progressOf(frame);
  const names = { n: index + 1, prompt: job.request.prompt };
  const { width = 1, height = 1 } = job.request;
  const layers = (
    <Layers picture={frame.picture} progress={progress} alt={t("pictureAlt", names)} />
  );
  const isLive = !hasEnded(job) && (frame.state === "waiting" || frame.state === "developing");
  return (
    <figure class={`frame ${frame.state}`}>
      <div class="paper" style={{ aspectRatio: `${width} / ${height}` }}>
        {frame.state === "done" ? (
          <button
            type="button"
            class="picture"
            aria-label={t("open", names)}
            onClick={() => {
              isOpen.value = true;
            }}
          >
            {layers}
          </button>
        ) : (
          layers
        )}
        {isLive && (
          <div
            class="bar"
            role="progressbar"
            aria-label={t("progress", names)}
            aria-valuemin={0}
            aria-valuemax={frame.steps ?? 1}
            aria-valuenow={frame.step ?? 0}
          >
            <div style={{ width: `${progress * 100}%` }} />
          </div>
        )}
      </div>
      <figcaption>
        {frame.state === "developing" && frame.step !== undefined
          ? t("step", { step: frame.step, steps: frame.steps! })
          : frame.state === "done"
            ? job.upscaling
              ? `${job.upscaling.upscaler} ×${job.upscaling.factor}`
              : captionOf(job, frame)
            : frame.withheld
              ? t("withheld", { why: frame.withheld })
              : frame.error && told(frame.error, frame.reason)}
      </figcaption>
      {isOpen.value && (
        <Viewer
          job={job}
          index={index}
          close={() => {
            isOpen.value = false;
          }}
        />
      )}
    </figure>
  );
}

export function stateText(job: JobRecord): string {
  const words =
    job.state === "queued" && job.position
      ? t("queuedBehind", { n: job.position })
      : t(job.state);
  if (job.isUnwanted && !hasEnded(job)) return t("cancelling");
  return job.timeLeft === undefined || isLost.value
    ? words
    : `${words} · ${t("left", { time: duration(job.timeLeft) })}`;
}

function JobView({ job: of }: { job: Signal<JobRecord> }) {
  const job = of.value;
  const problem = useSignal<Saying | undefined>(undefined);
  const isDone = hasEnded(job);
  const wrong = problem.value?.() ?? (job.error && told(job.error, job.reason));
  return (
    <article class={`job ${job.state} of-${Math.min(3, job.frames.length)}`} data-key={job.key}>
      <header>
        <h3 title={job.request.prompt}>{job.request.prompt || "…"}</h3>
        <button
          type="button"
          class={isDone ? "tool" : "quiet"}
          disabled={!isDone && job.isUnwanted}
          aria-label={isDone ? t("remove") : undefined}
          title={isDone ? t("remove") : undefined}
          onClick={() =>
            isDone
              ? remove(of)
              : cancel(of).catch((error: unknown) => {
                  problem.value = showRefusal(error);
                })
          }
        >
          {isDone ? <Icon name="close" /> : t("cancel")}
        </button>
        <p class="state">{stateText(job)}</p>
      </header>
      {wrong && job.state !== "cancelled" && (
        <p class="error" role="alert">
          {wrong}
        </p>
      )}
      <div class="frames">
        {job.frames.map((_, index) => (
          <FrameView key={index} job={job} index={index} />
        ))}
      </div>
    </article>
  );
}

const PAGE = 30;

export function Gallery() {
  const shown = useSignal(PAGE);
  const end = useRef<HTMLDivElement>(null);
  const all = jobs.value;
  const isMore = all.length > shown.value;
  // Older jobs come as they are scrolled to. Each time is looked anew: the end
  // may be in sight still.
  useEffect(() => {
    if (!isMore) return;
    const observer = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting) shown.value += PAGE;
    });
    observer.observe(end.current!);
    return () => observer.disconnect();
  }, [isMore, shown.value]);
  return (
    <section class="gallery" aria-labelledby="gallery-title">
      <div class="gallery-head">
        <h2 id="gallery-title">{t("history")}</h2>
        {all.length > 0 && (
          <button
            type="button"
            class="quiet"
            onClick={() => confirm(t("confirmRemove")) && removeEnded()}
          >
            {t("removeAll")}
          </button>
        )}
      </div>
      {all.length === 0 && (
        <div class="empty">
          <div class="empty-paper" aria-hidden="true" />
          <p>{t("empty")}</p>
          <p class="hint">{t("emptyHint")}</p>
        </div>
      )}
      <div class="jobs">
        {all.slice(0, shown.value).map((job) => (
          <JobView key={job.value.key} job={job} />
        ))}
      </div>
      <div ref={end} />
    </section>
  );
}
