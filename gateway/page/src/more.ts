// What a request can say beyond the basics: in the form, and in the message.
// Pure.

import type { Word } from "./i18n";
import type { GenerateRequest, GuidanceOptions, HiresPass, OutputOptions } from "./protocol";

export interface More {
  rescale?: number; // of guidance
  guiding: Scales; // when there is guidance, and of what further kinds
  layers: Record<LayerField, string>; // as typed; "": the model's own
  secondPass: HiresPass; // how, where there is one
  scorer: string; // who chooses the best; "": the model's own
  output: OutputOptions;
  variation: { seed: string; strength?: number }; // seed "": drawn
  safety: string; // "": the server's own policy
  reproducible: boolean;
  keepLatents: boolean;
}

// Where a further kind of guidance is at work.
export type LayerField = "perturbed_layers" | "skip_layers";
type Scales = Omit<GuidanceOptions, LayerField>;

export const NO_MORE: More = {
  guiding: {},
  layers: { perturbed_layers: "", skip_layers: "" },
  secondPass: {},
  scorer: "",
  output: {},
  variation: { seed: "" },
  safety: "",
  reproducible: false,
  keepLatents: false,
};

export interface GuidanceRow {
  name: keyof Scales;
  word: Word;
  neutral: number[]; // says as much as nothing; the last one is shown for nothing
  min: number;
  max: number;
  step: number;
  limits?: [least: number, most?: number]; // of what is typed; else `min` to `max`
}

// Of every kind of guidance, as the proto has it.
export const MOST_GUIDANCE = 100;

const SHARE = { min: 0, max: 1, step: 0.05 };
const SCALE: Omit<GuidanceRow, "name" | "word"> = {
  neutral: [0],
  min: 0,
  max: 10,
  step: 0.1,
  limits: [0, MOST_GUIDANCE],
};

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
    {
      name: "text_gate_step",
      word: "textGate",
      neutral: [0, steps],
      min: 1,
      max: steps,
      step: 1,
      limits: [0, steps],
    },
  ];
}

export interface LayerRow {
  name: LayerField;
  of: keyof Scales; // nothing without it
  word: Word;
  excluded: RegExp; // what cannot be typed
}

export const LAYERS: LayerRow[] = [
  {
    name: "perturbed_layers",
    of: "perturbed_attention_scale",
    word: "perturbedLayers",
    excluded: /[^\w., ]/g,
  },
  { name: "skip_layers", of: "skip_layer_scale", word: "skippedLayers", excluded: /[^\d, ]/g },
];

const listed = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);

// What was typed of layers, of guidance that is there.
function layersOf({ guiding, layers }: More): GuidanceOptions {
  const { perturbed_layers, skip_layers } = layers;
  return {
    ...(guiding.perturbed_attention_scale && perturbed_layers
      ? { perturbed_layers: listed(perturbed_layers) }
      : {}),
    ...(guiding.skip_layer_scale && skip_layers
      ? { skip_layers: listed(skip_layers).map(Number) }
      : {}),
  };
}

// The rows of which `options` say something.
function saidOf(options: Scales, steps: number): GuidanceRow[] {
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

// Policies for what a checker finds, the looser before the stricter. One that is
// looser than the server's changes nothing.
export const SAFETIES: Record<string, Word> = {
  "": "serversOwn",
  SAFETY_POLICY_MARK: "safetyMark",
  SAFETY_POLICY_BLUR: "safetyBlur",
  SAFETY_POLICY_REFUSE: "safetyRefuse",
};

const REPRODUCIBLE = "REPRODUCIBILITY_REPRODUCIBLE";

// Whether it has a quality. What has none is PNG, which comes unasked.
export const isLossy = (format = ""): boolean => /JPEG|WEBP/.test(format);

export const isEmpty = (object: object): boolean =>
  Object.values(object).every((value) => value === undefined);

const unlessEmpty = (name: string, object: object) => (isEmpty(object) ? {} : { [name]: object });

// What of it any request can say, if the model `takes` it.
export function moreOf(
  more: More,
  steps: number,
  takes: (field: string) => boolean,
): Partial<GenerateRequest> {
  const { rescale, guiding, output } = more;
  const isTaken = (name: string) => takes(`guidance.${name}`);
  const guided = saidOf(guiding, steps).filter(({ name }) => isTaken(name));
  const layers = LAYERS.filter(({ name }) => isTaken(name)).map(({ name }) => [
    name,
    layersOf(more)[name],
  ]);
  return {
    ...(rescale ? { guidance_rescale: rescale } : {}),
    ...unlessEmpty(
      "guidance",
      Object.fromEntries([...guided.map(({ name }) => [name, guiding[name]]), ...layers]),
    ),
    ...unlessEmpty("output", {
      ...(isLossy(output.format) ? { format: output.format, quality: output.quality } : {}),
      ...(output.upscaler ? { upscaler: output.upscaler } : {}),
      ...(output.watermark ? { watermark: true } : {}),
    }),
    ...(more.safety && takes("safety_policy") ? { safety_policy: more.safety } : {}),
    ...(more.reproducible ? { reproducibility: REPRODUCIBLE } : {}),
    ...(more.keepLatents && takes("keep_latents") ? { keep_latents: true } : {}),
  };
}

// Once resolved, a pass has a size. Its factor is the least that makes it: what it
// makes is rounded down.
function factorOf({ factor, width, height }: HiresPass, of: GenerateRequest): number | undefined {
  if (!width || !height || !of.width || !of.height) return factor;
  return Math.ceil(Math.max(width / of.width, height / of.height) * 1000) / 1000;
}

// Whether a second pass's sampler is one of its own.
const isOwn = (sampler: string | undefined, first: string | undefined): boolean =>
  sampler !== undefined && sampler !== first && !sampler.endsWith("_UNSPECIFIED");

// The same as the form would have it for `request`.
export function moreFrom(request: GenerateRequest): More {
  const { guidance = {}, hires = {}, output = {}, steps = 0 } = request;
  const said = saidOf(guidance, steps).map(({ name }) => [name, guidance[name]]);
  return {
    rescale: request.guidance_rescale || undefined,
    guiding: Object.fromEntries(said),
    layers: {
      perturbed_layers: guidance.perturbed_layers?.join(", ") ?? "",
      skip_layers: guidance.skip_layers?.join(", ") ?? "",
    },
    secondPass: {
      factor: factorOf(hires, request),
      upscale: hires.upscale! in LATENTS ? hires.upscale : undefined,
      upscaler: hires.upscaler || undefined,
      sampler: isOwn(hires.sampler, request.sampler) ? hires.sampler : undefined,
      steps: hires.steps === steps ? undefined : hires.steps,
      strength: hires.strength,
    },
    scorer: request.best_of?.scorer ?? "",
    output: {
      ...(isLossy(output.format) ? { format: output.format, quality: output.quality } : {}),
      upscaler: output.upscaler || undefined,
      watermark: output.watermark,
    },
    variation: {
      seed: request.variation?.seed ?? "",
      strength: request.variation?.strength || undefined,
    },
    safety: request.safety_policy! in SAFETIES ? request.safety_policy! : "",
    reproducible: request.reproducibility === REPRODUCIBLE,
    keepLatents: request.keep_latents ?? false,
  };
}
