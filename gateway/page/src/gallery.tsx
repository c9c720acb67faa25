// The contact sheet: jobs and their pictures, developing in place.

import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { showRefusal, type Saying } from "./composer";
import { duration, t } from "./i18n";
import { Icon } from "./icons";
import { Layers } from "./layers";
import { hasEnded, type Frame, type JobRecord } from "./records";
import { told } from "./refusals";
import { cancel, isLost, jobs, remove, removeEnded } from "./store";
import { Viewer } from "./viewer";

function progressOf(frame: Frame): number {
  if (frame.state === "done") return 1;
  return frame.steps ? (frame.step ?? 0) / frame.steps : 0;
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
          ? t(job.upscaling ? "tile" : "step", { step: frame.step, steps: frame.steps! })
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
