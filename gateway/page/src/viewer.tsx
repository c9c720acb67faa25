// A finished picture, opened: what it was made with, and what can be done with it.

import { useSignal } from "@preact/signals";
import { Fragment } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { actionsOf } from "./actions";
import { showRefusal, type Saying } from "./composer";
import { Facts } from "./facts";
import { Select } from "./fields";
import { t } from "./i18n";
import { Icon } from "./icons";
import { Layers } from "./layers";
import type { JobRecord } from "./records";
import { whyOf } from "./refusals";
import { useUpscalers } from "./server_lists";
import { enlarge } from "./store";

const FACTORS = [2, 3, 4];

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

export function Viewer({ job, index, close }: {
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
