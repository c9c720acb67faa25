// The form that a picture begins with.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { ApiError } from "./api";
import {
  canStart,
  change,
  draft,
  label,
  model,
  models,
  mostSteps,
  ownSize,
  ownSteps,
  request,
  shapes,
  sideLimits,
} from "./draft";
import {
  Field,
  Seed,
  Select,
  Slider,
  described,
  drop,
  findWrong,
  goTo,
  violations,
} from "./fields";
import { Guides } from "./guides";
import { t, type Word } from "./i18n";
import { MOST_GUIDANCE } from "./more";
import { MoreOptions } from "./more_options";
import { told, whyOf } from "./refusals";
import { StartPicture } from "./start_picture";
import { Steering } from "./steering";
import { paint, wantsKey } from "./store";

// In the page's language, which may change.
export type Saying = () => string;

// What the server refused at once: beside its field, or below the form.
export function showRefusal(error: unknown): Saying | undefined {
  if (error instanceof ApiError) {
    if (error.http === 401) wantsKey.value = true;
    violations.value = Object.fromEntries(
      error.violations.map(({ field, description }) => [
        field,
        (label: string) => told(description, error.reason, label),
      ]),
    );
    if (error.violations.some(({ field }) => goTo(field))) return undefined;
  }
  return () => t("sendFailed", { why: whyOf(error) });
}

// On a narrow screen the pictures are below the form.
function showGallery(): void {
  const gallery = document.getElementById("gallery-title")!;
  if (gallery.getBoundingClientRect().top > innerHeight / 2) {
    gallery.scrollIntoView({ behavior: "smooth" });
  }
}

export function Composer() {
  const values = draft.value;
  const of = model.value;
  const isSending = useSignal(false);
  const problem = useSignal<Saying | undefined>(undefined);
  const form = useRef<HTMLFormElement>(null);
  const ofShapes = shapes.value;
  const shape =
    values.width === undefined && values.height === undefined
      ? "square"
      : (Object.keys(ofShapes).find(
          (name) =>
            ofShapes[name]![0] === values.width && ofShapes[name]![1] === values.height,
        ) ?? "custom");
  const samplers = of?.samplers ?? [];
  const sampler = samplers.find((s) => s.sampler === (values.sampler || of?.default_sampler));
  const schedules = sampler?.schedules ?? [];

  const submit = async (event?: Event) => {
    event?.preventDefault();
    if (isSending.value) return;
    problem.value = undefined;
    violations.value = {};
    if (findWrong(form.current!)) return;
    isSending.value = true;
    try {
      await paint(...request(values));
      showGallery();
    } catch (error) {
      problem.value = showRefusal(error);
    }
    isSending.value = false;
  };

  return (
    <form
      ref={form}
      class="composer"
      noValidate
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
          if (!event.isComposing) void submit(event);
        }
      }}
      aria-label={t("prompt")}
    >
      <Field path="prompt" label={t("prompt")}>
        <textarea
          {...described("prompt")}
          rows={3}
          value={values.prompt}
          placeholder={t("promptHint")}
          onInput={(event) => change({ prompt: event.currentTarget.value })}
        />
      </Field>
      <Field path="negative_prompt" label={t("negative")}>
        <textarea
          {...described("negative_prompt")}
          rows={1}
          value={values.negative}
          onInput={(event) => change({ negative: event.currentTarget.value })}
        />
      </Field>
      <div class="submit">
        <button type="submit" class="primary" disabled={isSending.value}>
          {t("generate")}
        </button>
        <span class="hint">{t("generateHint")}</span>
      </div>
      {problem.value !== undefined && (
        <p class="error" role="alert">
          {problem.value()}
        </p>
      )}

      {of?.default_width !== undefined && (
        <fieldset class="segments">
          <legend>{t("shape")}</legend>
          {[...Object.keys(ofShapes), ...(shape === "custom" ? ["custom"] : [])].map(
            (name) => (
              <label key={name}>
                <input
                  type="radio"
                  name="shape"
                  checked={shape === name}
                  onChange={() => {
                    const [width, height] = ofShapes[name] ?? [];
                    change({ width, height });
                    drop("width", "height");
                  }}
                />
                <span>{t(name as Word)}</span>
              </label>
            ),
          )}
        </fieldset>
      )}
      <Slider
        path="image_count"
        label={t("pictures")}
        value={values.count}
        fallback={1}
        min={1}
        max={of?.limits?.max_image_count ?? 8}
        step={1}
        onChange={(count) => change({ count: count ?? 1 })}
      />
      <Slider
        path="steps"
        label={t("steps")}
        value={values.steps}
        fallback={ownSteps.value}
        min={1}
        max={mostSteps.value}
        step={1}
        limits={[sampler?.min_steps || 1, of?.limits?.max_steps]}
        onChange={(steps) => change({ steps })}
      />
      <Slider
        path="guidance_scale"
        label={t("guidance")}
        value={values.guidance}
        fallback={of?.default_guidance_scale ?? 7}
        min={0}
        max={20}
        step={0.5}
        limits={[0, MOST_GUIDANCE]}
        onChange={(guidance) => change({ guidance })}
      />

      <details>
        <summary>{t("settings")}</summary>
        {models.value.length > 1 && (
          <Select
            path="model"
            label={t("model")}
            value={of?.id ?? ""}
            choices={models.value.map((m) => [m.id, m.id])}
            onChange={(id) =>
              change({
                model: id,
                sampler: "",
                schedule: "",
                steps: undefined,
                guidance: undefined,
                width: undefined,
                height: undefined,
                secondPass: { ...values.secondPass, sampler: undefined },
              })
            }
          />
        )}
        {samplers.length > 0 && (
          <Select
            path="sampler"
            label={t("sampler")}
            value={values.sampler}
            choices={[
              ["", t("modelOwn")],
              ...samplers.map((s): [string, string] => [s.sampler, label(s.sampler)]),
            ]}
            onChange={(sampler) => change({ sampler, schedule: "" })}
          />
        )}
        {schedules.length > 0 && (
          <Select
            path="schedule"
            label={t("schedule")}
            value={values.schedule}
            choices={[
              ["", t("modelOwn")],
              ...schedules.map((s): [string, string] => [s, label(s)]),
            ]}
            onChange={(schedule) => change({ schedule })}
          />
        )}
        <div class="pair">
          {(["width", "height"] as const).map((side) => (
            <Field key={side} path={side} label={t(side)}>
              <input
                type="number"
                {...described(side)}
                {...sideLimits(side)}
                value={values[side] ?? ""}
                placeholder={String(ownSize.value?.[side === "width" ? 0 : 1] ?? "")}
                onInput={(event) => {
                  const number = event.currentTarget.valueAsNumber;
                  change({ [side]: Number.isNaN(number) ? undefined : number });
                }}
              />
            </Field>
          ))}
        </div>
        <Seed
          path="seed"
          label={t("seed")}
          value={values.seed}
          onChange={(seed) => change({ seed })}
        />
      </details>
      <Steering />
      <MoreOptions />
      <Guides />
      {canStart.value && <StartPicture />}
    </form>
  );
}
