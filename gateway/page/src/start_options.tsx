// How a picture is started from: what its mask does, how closely it is kept,
// what is painted beyond it, and what it shows.

import {
  borders,
  canMask,
  change,
  draft,
  maskPicture,
  masksTransparency,
  model,
  takes,
  type Draft,
} from "./draft";
import { Field, Fold, Select, Slider, Toggle, described } from "./fields";
import { t, type Word } from "./i18n";
import { MOST_GUIDANCE } from "./more";

const RESIZE_MODES: Record<string, Word> = {
  RESIZE_MODE_CROP: "resizeCrop",
  RESIZE_MODE_STRETCH: "resizeStretch",
  RESIZE_MODE_FILL: "resizeFill",
};
const FILLS: Record<string, Word> = {
  FILL_ORIGINAL: "fillOriginal",
  FILL_NOISE: "fillNoise",
  FILL_BLUR: "fillBlur",
  FILL_NOTHING: "fillNothing",
};
const SIDES = ["left", "top", "right", "bottom"] as const;
const SIDE_WORDS: Record<(typeof SIDES)[number], Word> = {
  left: "borderLeft",
  top: "borderTop",
  right: "borderRight",
  bottom: "borderBottom",
};

// What the masked part begins with, which part that is, how it ends, and whether
// it is painted at full size.
export function MaskOptions() {
  const { fill, onlyMasked, invertMask, maskBlur, maskPadding } = draft.value;
  return (
    <>
      <Select
        path="inpainting.fill"
        label={t("fill")}
        value={fill || "FILL_ORIGINAL"}
        choices={Object.entries(FILLS).map(([value, word]) => [value, t(word)])}
        onChange={(value) => change({ fill: value })}
      />
      <Slider
        path="inpainting.mask_blur"
        label={t("maskBlur")}
        value={maskBlur}
        fallback={0}
        min={0}
        max={64}
        step={1}
        onChange={(value) => change({ maskBlur: value })}
      />
      {borders.value === undefined && (
        <Toggle
          path="inpainting.only_masked"
          label={t("onlyMasked")}
          value={onlyMasked}
          onChange={(value) => change({ onlyMasked: value })}
        />
      )}
      {borders.value === undefined && onlyMasked && (
        <Slider
          path="inpainting.padding"
          label={t("maskPadding")}
          value={maskPadding}
          fallback={32}
          min={0}
          max={256}
          step={8}
          onChange={(value) => change({ maskPadding: value })}
        />
      )}
      <Toggle
        path="inpainting.invert_mask"
        label={t("invertMask")}
        value={invertMask}
        onChange={(value) => change({ invertMask: value })}
      />
    </>
  );
}

function Borders() {
  const { extend } = draft.value;
  return (
    <Fold summary={t("borders")} isUsed={borders.value !== undefined}>
      <div class="pair">
        {SIDES.map((side, at) => (
          <Slider
            key={side}
            path={`outpainting.${side}`}
            label={t(SIDE_WORDS[side])}
            value={extend[at] || undefined}
            fallback={0}
            min={0}
            max={256}
            step={8}
            limits={[0, model.value?.limits?.max_side]}
            onChange={(pixels) =>
              change({
                extend: extend.map((old, i) => (i === at ? (pixels ?? 0) : old)) as Draft["extend"],
              })
            }
          />
        ))}
      </div>
    </Fold>
  );
}

function Source() {
  const { source } = draft.value;
  const path = "image_to_image.inversion.prompt";
  return (
    <Fold summary={t("editByWords")} isUsed={source !== ""}>
      <Field path={path} label={t("source")}>
        <textarea
          {...described(path)}
          rows={2}
          value={source}
          onInput={(event) => change({ source: event.currentTarget.value })}
        />
        <p class="hint">{t("sourceHint")}</p>
      </Field>
    </Fold>
  );
}

export function StartOptions() {
  const { strength, resizeMode, imageGuidance, noiseLevel } = draft.value;
  const hasMask = Boolean(maskPicture.value) || masksTransparency.value;
  const hasBorders = borders.value !== undefined;
  return (
    <>
      {takes("image_to_image.strength", true) && (hasMask || !hasBorders) && (
        <Slider
          path="image_to_image.strength"
          label={t("strength")}
          value={strength}
          fallback={0.6}
          min={0.05}
          max={1}
          step={0.05}
          limits={[0.001, 1]}
          onChange={(value) => change({ strength: value ?? 0.6 })}
        />
      )}
      <Select
        path="image_to_image.resize_mode"
        label={t("resizeMode")}
        value={resizeMode || "RESIZE_MODE_CROP"}
        choices={Object.entries(RESIZE_MODES).map(([value, word]) => [value, t(word)])}
        onChange={(value) => change({ resizeMode: value })}
      />
      {takes("image_guidance_scale") && (
        <Slider
          path="image_guidance_scale"
          label={t("imageGuidance")}
          value={imageGuidance}
          fallback={1.5}
          min={1}
          max={5}
          step={0.1}
          limits={[1, MOST_GUIDANCE]}
          onChange={(value) => change({ imageGuidance: value })}
        />
      )}
      {takes("noise_level") && (
        <Slider
          path="noise_level"
          label={t("noiseLevel")}
          value={noiseLevel}
          fallback={20}
          min={0}
          max={349}
          step={1}
          limits={[0, 999]}
          onChange={(value) => change({ noiseLevel: value })}
        />
      )}
      {canMask.value && <Borders />}
      {takes("image_to_image.inversion") && !hasMask && !hasBorders && <Source />}
    </>
  );
}
