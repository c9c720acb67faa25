// What few need: when and how guidance works, what noise is mixed in, how a second
// pass paints, who chooses, how the file is written. Each is shown where the model takes it.

import {
  canPass,
  canVary,
  change,
  chooses,
  draft,
  label,
  model,
  mostFactor,
  mostSteps,
  ownFactor,
  stepsOf,
  takes,
} from "./draft";
import { Field, Fold, Seed, Select, Slider, Toggle, described } from "./fields";
import { t } from "./i18n";
import {
  FORMATS,
  LATENTS,
  LAYERS,
  SAFETIES,
  SHARES,
  furtherGuidance,
  isEmpty,
  isLossy,
  moreOf,
  type GuidanceRow,
  type LayerRow,
} from "./more";
import { useScorers, useUpscalers } from "./server_lists";

type Choice = [value: string, text: string];

// Names to choose from, and the one that is chosen, should the server not know it.
const choicesOf = (none: string, names: string[], chosen = ""): Choice[] => [
  ["", none],
  ...[...new Set(chosen === "" ? names : [...names, chosen])].map((name): Choice => [name, name]),
];

function Guidance() {
  const { rescale, guiding, layers } = draft.value;
  const slider = ({ name, word, neutral, min, max, step, limits }: GuidanceRow) =>
    takes(`guidance.${name}`) && (
      <Slider
        key={name}
        path={`guidance.${name}`}
        label={t(word)}
        value={guiding[name]}
        fallback={neutral.at(-1)!}
        min={min}
        max={max}
        step={step}
        limits={limits}
        onChange={(value) => change({ guiding: { ...guiding, [name]: value } })}
      />
    );
  const where = ({ name, of, word, excluded }: LayerRow) =>
    takes(`guidance.${name}`) &&
    !!guiding[of] && (
      <Field key={name} path={`guidance.${name}`} label={t(word)}>
        <input
          type="text"
          autocomplete="off"
          {...described(`guidance.${name}`)}
          value={layers[name]}
          placeholder={t("modelOwn")}
          onInput={(event) => {
            const text = event.currentTarget.value.replace(excluded, "");
            event.currentTarget.value = text;
            change({ layers: { ...layers, [name]: text } });
          }}
        />
      </Field>
    );
  return (
    <fieldset class="guide">
      <legend>{t("guidance")}</legend>
      <div class="pair">{SHARES.map(slider)}</div>
      <Slider
        path="guidance_rescale"
        label={t("rescale")}
        value={rescale}
        fallback={0}
        min={0}
        max={1}
        step={0.05}
        onChange={(value) => change({ rescale: value })}
      />
      {furtherGuidance(stepsOf(draft.value)).map(slider)}
      {LAYERS.map(where)}
      <p class="hint">{t("guidanceHint")}</p>
    </fieldset>
  );
}

function SecondPass() {
  const { secondPass } = draft.value;
  const names = useUpscalers();
  const set = (values: typeof secondPass) => change({ secondPass: { ...secondPass, ...values } });
  return (
    <fieldset class="guide">
      <legend>{t("secondPass")}</legend>
      <Slider
        path="hires.factor"
        label={t("factor")}
        value={secondPass.factor}
        fallback={ownFactor.value}
        min={Math.min(1.25, mostFactor.value)}
        max={mostFactor.value}
        step={0.25}
        limits={[1.001, mostFactor.value]}
        onChange={(factor) => set({ factor })}
      />
      <Slider
        path="hires.steps"
        label={t("steps")}
        value={secondPass.steps}
        fallback={stepsOf(draft.value)}
        min={1}
        max={mostSteps.value}
        step={1}
        limits={[1, model.value?.limits?.max_steps]}
        onChange={(steps) => set({ steps })}
      />
      <Slider
        path="hires.strength"
        label={t("strength")}
        value={secondPass.strength}
        fallback={0.7}
        min={0.05}
        max={1}
        step={0.05}
        limits={[0.001, 1]}
        onChange={(strength) => set({ strength })}
      />
      <Select
        path="hires.upscaler"
        label={t("upscaler")}
        value={secondPass.upscaler ?? secondPass.upscale ?? ""}
        choices={[
          ...Object.entries(LATENTS).map(([value, word]): Choice => [value, t(word)]),
          ...names.map((name): Choice => [name, name]),
        ]}
        onChange={(value) =>
          set(
            names.includes(value)
              ? { upscaler: value, upscale: undefined }
              : { upscaler: undefined, upscale: value || undefined },
          )
        }
      />
      <Select
        path="hires.sampler"
        label={t("sampler")}
        value={secondPass.sampler ?? ""}
        choices={[
          ["", t("asFirst")],
          ...(model.value?.samplers ?? []).map(({ sampler }): Choice => [sampler, label(sampler)]),
        ]}
        onChange={(sampler) => set({ sampler: sampler || undefined })}
      />
    </fieldset>
  );
}

function Variation() {
  const { variation } = draft.value;
  const set = (values: Partial<typeof variation>) =>
    change({ variation: { ...variation, ...values } });
  return (
    <fieldset class="guide">
      <legend>{t("variation")}</legend>
      <Slider
        path="variation.strength"
        label={t("variationStrength")}
        value={variation.strength}
        fallback={0}
        min={0}
        max={1}
        step={0.05}
        onChange={(strength) => set({ strength })}
      />
      <Seed
        path="variation.seed"
        label={t("variationSeed")}
        value={variation.seed}
        onChange={(seed) => set({ seed })}
      />
      <p class="hint">{t("variationHint")}</p>
    </fieldset>
  );
}

function Scorer() {
  const { scorer } = draft.value;
  return (
    <Select
      path="best_of.scorer"
      label={t("scorer")}
      value={scorer}
      choices={choicesOf(t("modelOwn"), useScorers(), scorer)}
      onChange={(scorer) => change({ scorer })}
    />
  );
}

function Output() {
  const { output } = draft.value;
  const set = (values: typeof output) => change({ output: { ...output, ...values } });
  return (
    <fieldset class="guide">
      <legend>{t("file")}</legend>
      <Select
        path="output.format"
        label={t("format")}
        value={output.format ?? "IMAGE_FORMAT_PNG"}
        choices={Object.entries(FORMATS)}
        onChange={(format) => set({ format })}
      />
      {isLossy(output.format) && (
        <Slider
          path="output.quality"
          label={t("quality")}
          value={output.quality}
          fallback={90}
          min={1}
          max={100}
          step={1}
          onChange={(quality) => set({ quality })}
        />
      )}
      <Select
        path="output.upscaler"
        label={t("enlargeFinished")}
        value={output.upscaler ?? ""}
        choices={choicesOf(t("notAtAll"), useUpscalers(), output.upscaler)}
        onChange={(upscaler) => set({ upscaler: upscaler || undefined })}
      />
      <Toggle
        path="output.watermark"
        label={t("watermark")}
        value={output.watermark ?? false}
        onChange={(watermark) => set({ watermark })}
      />
    </fieldset>
  );
}

function Rules() {
  const { safety, reproducible, keepLatents } = draft.value;
  return (
    <fieldset class="guide">
      <legend>{t("rules")}</legend>
      {takes("safety_policy") && (
        <Select
          path="safety_policy"
          label={t("safety")}
          value={safety}
          choices={Object.entries(SAFETIES).map(([value, word]): Choice => [value, t(word)])}
          onChange={(safety) => change({ safety })}
        />
      )}
      <Toggle
        path="reproducibility"
        label={t("reproducible")}
        value={reproducible}
        onChange={(reproducible) => change({ reproducible })}
      />
      {takes("keep_latents") && (
        <Toggle
          path="keep_latents"
          label={t("keepLatents")}
          value={keepLatents}
          onChange={(keepLatents) => change({ keepLatents })}
        />
      )}
    </fieldset>
  );
}

export function MoreOptions() {
  const values = draft.value;
  const hasPass = values.hires && canPass.value;
  const isUsed =
    !isEmpty(moreOf(values, stepsOf(values), takes)) ||
    (hasPass && !isEmpty(values.secondPass)) ||
    (canVary.value && Boolean(values.variation.strength)) ||
    (chooses(values) && values.scorer !== "");
  return (
    <Fold summary={t("more")} isUsed={isUsed}>
      <Guidance />
      {canVary.value && <Variation />}
      {hasPass && <SecondPass />}
      {chooses(values) && <Scorer />}
      <Output />
      <Rules />
    </Fold>
  );
}
