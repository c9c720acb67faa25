// What a request can say beyond the basics: in the form, and in the message.
// Pure.

import type { Word } from "./i18n";
import type { GenerateRequest, GuidanceOptions, HiresPass, OutputOptions } from "./protocol";

export interface More {
  rescale?: number; // of guidance
  guiding: GuidanceOptions; // when there is guidance, and of what further kinds
  secondPass: HiresPass; // how, where there is one
  scorer: string; // who chooses the best; "": the model's own
  output: OutputOptions;
}

export const NO_MORE: More = { guiding: {}, secondPass: {}, scorer: "", output: {} };

export interface GuidanceRow {
  name: keyof GuidanceOptions;
  word: Word;
  neutral: number[]; // says as much as nothing; the last one is shown for nothing
  min: number;
  max: number;
  step: number;
}

const SHARE = { min: 0, max: 1, step: 0.05 };
const SCALE = { neutral: [0], min: 0, max: 10, step: 0.1 };

// Of the steps that are guided.
export const SHARES: GuidanceRow[] = [
  { name: "start", word: "guideFrom", neutral: [0], ...SHARE },
  { name: "end", word: "guideUntil", neutral: [1], ...SHARE },
];

// Of a walk of `steps`.
export function furtherGuidance(steps: number): GuidanceRow[] {
  return [
    { name: "perturbed_attention_scale", word: "perturbed", ...SCALE },
    { name: "skip_layer_scale", word: "skipped", ...SCALE },
    { name: "text_gate_step", word: "textGate", neutral: [0, steps], min: 1, max: steps, step: 1 },
  ];
}

// The rows of which `options` say something.
function saidOf(options: GuidanceOptions, steps: number): GuidanceRow[] {
  return [...SHARES, ...furtherGuidance(steps)].filter(({ name, neutral }) => {
    const value = options[name];
    return value !== undefined && !neutral.includes(value);
  });
}

// What a second pass enlarges besides pictures; the first is the server's own.
export const LATENTS: Record<string, Word> = {
  "": "latent",
  UPSCALE_LATENT_NEAREST: "latentNearest",
  UPSCALE_LATENT_BICUBIC: "latentBicubic",
};

export const FORMATS: Record<string, string> = {
  IMAGE_FORMAT_PNG: "PNG",
  IMAGE_FORMAT_JPEG: "JPEG",
  IMAGE_FORMAT_WEBP: "WebP",
};

// Whether it has a quality. What has none is PNG, which comes unasked.
export const isLossy = (format = ""): boolean => /JPEG|WEBP/.test(format);

export const isEmpty = (object: object): boolean =>
  Object.values(object).every((value) => value === undefined);

const unlessEmpty = (name: string, object: object) => (isEmpty(object) ? {} : { [name]: object });

// What of it any request can say, if the model `takes` it.
export function moreOf(
  { rescale, guiding, output }: More,
  steps: number,
  takes: (field: string) => boolean,
): Partial<GenerateRequest> {
  const guided = saidOf(guiding, steps).filter(({ name }) => takes(`guidance.${name}`));
  return {
    ...(rescale ? { guidance_rescale: rescale } : {}),
    ...unlessEmpty("guidance", Object.fromEntries(guided.map(({ name }) => [name, guiding[name]]))),
    ...unlessEmpty("output", {
      ...(isLossy(output.format) ? { format: output.format, quality: output.quality } : {}),
      ...(output.watermark ? { watermark: true } : {}),
    }),
  };
}

// Once resolved, a pass has a size. Its factor is the least that makes it: what it
// makes is rounded down.
function factorOf({ factor, width, height }: HiresPass, of: GenerateRequest): number | undefined {
  if (!width || !height || !of.width || !of.height) return factor;
  return Math.ceil(Math.max(width / of.width, height / of.height) * 1000) / 1000;
}

// The same as the form would have it for `request`.
export function moreFrom(request: GenerateRequest): More {
  const { guidance = {}, hires = {}, output = {}, steps = 0 } = request;
  const said = saidOf(guidance, steps).map(({ name }) => [name, guidance[name]]);
  return {
    rescale: request.guidance_rescale || undefined,
    guiding: Object.fromEntries(said),
    secondPass: {
      factor: factorOf(hires, request),
      upscale: hires.upscale! in LATENTS ? hires.upscale : undefined,
      upscaler: hires.upscaler || undefined,
      steps: hires.steps === steps ? undefined : hires.steps,
      strength: hires.strength,
    },
    scorer: request.best_of?.scorer ?? "",
    output: {
      ...(isLossy(output.format) ? { format: output.format, quality: output.quality } : {}),
      watermark: output.watermark,
    },
  };
}
