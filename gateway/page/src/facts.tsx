// What a picture was made with.

import { label } from "./draft";
import { t } from "./i18n";
import { FORMATS, LATENTS, LAYERS, furtherGuidance, moreFrom } from "./more";
import type { GenerateRequest } from "./protocol";
import type { Frame, JobRecord } from "./records";

type Row = [name: string, value: string | number | undefined];

// Those of the form's section "More".
function further(request: GenerateRequest): Row[] {
  const { rescale, guiding, layers, secondPass, scorer, output } = moreFrom(request);
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
  ];
}

// Its scale, and the steps' share that is guided if that is not all.
function guidanceOf(request: GenerateRequest): string {
  const { start, end } = moreFrom(request).guiding;
  const isPart = start !== undefined || end !== undefined;
  return `${request.guidance_scale ?? ""}${isPart ? ` · ${start ?? 0}–${end ?? 1}` : ""}`;
}

export function Facts({ job, frame }: { job: JobRecord; frame: Frame }) {
  const { request } = job;
  const guides = [...(request.controls ?? []), ...(request.image_prompts ?? [])];
  const rows: Row[] = [
    [t("negative"), request.negative_prompt],
    [t("model"), request.model],
    [t("sampler"), request.sampler && label(request.sampler)],
    [t("steps"), request.steps],
    [t("guidance"), guidanceOf(request)],
    [t("seed"), frame.seed],
    [t("width"), request.width],
    [t("height"), request.height],
    [t("strength"), request.image_to_image?.strength],
    ...[...(request.loras ?? []), ...guides].map(({ name, weight = 1 }): Row => [name, weight]),
    ...further(request),
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
