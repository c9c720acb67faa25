// What a picture was made with.

import { label } from "./draft";
import { t } from "./i18n";
import { FORMATS, LATENTS, LAYERS, SAFETIES, furtherGuidance, moreFrom } from "./more";
import type { GenerateRequest, LoraUse } from "./protocol";
import { requestOf, seedAfter, type JobRecord } from "./records";

type Row = [name: string, value: string | number | undefined];

// Those of the form's section "More".
function further(request: GenerateRequest): Row[] {
  const more = moreFrom(request);
  const { rescale, guiding, layers, secondPass, scorer, output, safety } = more;
  const { factor, upscaler, upscale, sampler, strength } = secondPass;
  const how = upscaler ?? t(LATENTS[upscale ?? ""]!);
  const steps = request.hires?.steps;
  const pass = [
    factor && `×${factor}`,
    how,
    sampler && label(sampler),
    steps && `${t("steps")} ${steps} × ${strength}`,
  ];
  return [
    ...furtherGuidance(request.steps ?? 0).map(({ name, word }): Row => [t(word), guiding[name]]),
    ...LAYERS.filter(({ of }) => guiding[of]).map(({ name, word }): Row => [t(word), layers[name]]),
    [t("rescale"), rescale],
    [t("secondPass"), request.hires && pass.filter(Boolean).join(" · ")],
    [t("drawn"), request.best_of && `${request.best_of.draw} ${scorer}`.trim()],
    [t("format"), FORMATS[output.format ?? ""]],
    [t("quality"), output.quality],
    [t("enlargeFinished"), output.upscaler],
    [t("watermark"), output.watermark ? "✓" : undefined],
    [t("safety"), safety && t(SAFETIES[safety]!)],
    [t("reproducible"), more.reproducible ? "✓" : undefined],
  ];
}

// The steps' share at which something works, if that is not all.
const part = ({ start = 0, end = 1 }: { start?: number; end?: number }): string =>
  start > 0 || end < 1 ? ` · ${start}–${end}` : "";

const guidanceOf = (request: GenerateRequest): string =>
  `${request.guidance_scale ?? ""}${part(moreFrom(request).guiding)}`;

// The seed whose noise is mixed in; of pictures that were drawn to choose from,
// the first and the last one's.
function secondSeed({ variation, best_of }: GenerateRequest): string | undefined {
  const seed = variation?.seed;
  return best_of && seed ? `${seed}–${seedAfter(seed, best_of.draw - 1)}` : seed;
}

export function Facts({ job, index }: { job: JobRecord; index: number }) {
  const request = requestOf(job, index);
  const weighed: LoraUse[] = [
    ...(request.loras ?? []),
    ...(request.controls ?? []),
    ...(request.image_prompts ?? []),
  ];
  const rows: Row[] = [
    [t("negative"), request.negative_prompt],
    [t("model"), request.model],
    [t("sampler"), request.sampler && label(request.sampler)],
    [t("steps"), request.steps],
    [t("guidance"), guidanceOf(request)],
    [t("seed"), request.seed],
    [t("variationStrength"), request.variation?.strength],
    [t("variationSeed"), secondSeed(request)],
    [t("width"), request.width],
    [t("height"), request.height],
    [t("strength"), request.image_to_image?.strength],
    ...weighed.map((one): Row => [one.name, `${one.weight ?? 1}${part(one)}`]),
    ...further(job.request),
  ];
  return (
    <dl class="facts">
      {rows.map(([name, value]) =>
        value !== undefined && value !== "" ? (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}
