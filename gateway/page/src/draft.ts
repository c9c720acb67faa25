// What the form holds, kept between visits, and the request that it makes.

import { computed, signal } from "@preact/signals";
import { NO_MORE, moreFrom, moreOf, type More } from "./more";
import type {
  ControlInput,
  GenerateRequest,
  ImagePrompt,
  LoraUse,
  Model,
} from "./protocol";
import type { Pictures } from "./records";

export interface Draft extends More {
  prompt: string;
  negative: string;
  model: string; // "": the default one
  sampler: string; // "": the model's own
  schedule: string;
  steps?: number; // undefined: the model's own
  guidance?: number;
  width?: number;
  height?: number;
  count: number;
  seed: string; // "": drawn
  strength: number;
  resizeMode: string; // of the start: "" for cropping
  fill: string; // of the masked part: "" for the picture's own pixels
  onlyMasked: boolean;
  invertMask: boolean;
  maskBlur?: number; // pixels; undefined: the server's own, here as below
  maskPadding?: number;
  extend: [left: number, top: number, right: number, bottom: number];
  source: string; // what the start shows: edits it by words; "" for no such edit
  imageGuidance?: number;
  noiseLevel?: number;
  draw: number; // pictures to choose the best from; none if not more than count
  hires: boolean;
  weighted: boolean; // whether (brackets) weigh
  loras: LoraUse[];
}

const EMPTY: Draft = {
  prompt: "",
  negative: "",
  model: "",
  sampler: "",
  schedule: "",
  count: 1,
  seed: "",
  strength: 0.6,
  resizeMode: "",
  fill: "",
  onlyMasked: false,
  invertMask: false,
  extend: [0, 0, 0, 0],
  source: "",
  draw: 0,
  hires: false,
  weighted: false,
  loras: [],
  ...NO_MORE,
};

const KEY = "genzo.draft";

function stored(): Draft {
  try {
    return { ...EMPTY, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return EMPTY;
  }
}

export const draft = signal<Draft>(stored());
export const startPicture = signal<Blob | undefined>(undefined);
export const maskPicture = signal<Blob | undefined>(undefined);
// Whether the mask is the start's transparency instead.
export const masksTransparency = signal(false);
// Pictures that steer; like the start, they are not kept between visits.
export const controls = signal<(ControlInput & { hint?: Blob })[]>([]);
export const imagePrompts = signal<(ImagePrompt & { look?: Blob })[]>([]);
export const models = signal<Model[]>([]);

export function change(values: Partial<Draft>): void {
  draft.value = { ...draft.value, ...values };
  localStorage.setItem(KEY, JSON.stringify(draft.value));
}

export const model = computed<Model | undefined>(
  () =>
    models.value.find((m) => m.id === draft.value.model) ??
    models.value.find((m) => m.is_default) ??
    models.value[0],
);

// A door that does not tell a model's tasks leaves the refusal to the server.
export const canStart = computed(
  () => model.value?.tasks?.includes("TASK_IMAGE_TO_IMAGE") ?? true,
);
export const canMask = computed(() =>
  Boolean(model.value?.tasks?.includes("TASK_INPAINTING")),
);

// Whether the model takes a field that not every model takes; `unknown` where
// the door does not tell.
export function takes(field: string, unknown = false): boolean {
  return model.value?.request_fields?.includes(field) ?? unknown;
}

// The same of the model that a request was for.
export function modelOf(request: GenerateRequest): Model | undefined {
  return models.value.find((m) => m.id === request.model) ?? model.value;
}

// The model's own steps, or the most that there may be: a key may have fewer.
export const ownSteps = computed(() =>
  Math.min(model.value?.default_steps ?? 25, model.value?.limits?.max_steps ?? Infinity),
);

// Moves of the sampler, the model's own where the form does not say.
export const stepsOf = ({ steps }: Draft): number => steps ?? ownSteps.value;

export const mostSteps = computed(() => Math.min(model.value?.limits?.max_steps ?? 150, 100));

type Sides = [width: number, height: number];

// Sides of that shape which the limits allow, not larger than they are.
function within(of: Model, width: number, height: number): Sides {
  const { size_multiple, min_side = 64, max_side = 1024, max_pixels } = of.limits ?? {};
  const step = size_multiple || 8;
  const area = Number(max_pixels ?? 0) || Infinity;
  const scale = Math.min(1, max_side / Math.max(width, height), Math.sqrt(area / (width * height)));
  const least = Math.ceil(min_side / step) * step;
  const fitBy = (round: (steps: number) => number): Sides => {
    const fit = (side: number) => Math.max(least, round((side * scale) / step) * step);
    return [fit(width), fit(height)];
  };
  const nearest = fitBy(Math.round);
  const isOver = nearest[0] * nearest[1] > area || Math.max(...nearest) > max_side;
  return isOver ? fitBy(Math.floor) : nearest;
}

// The model's own size, or what is left of it by the limits; undefined where the
// door tells none.
export const ownSize = computed<Sides | undefined>(() => {
  const of = model.value;
  if (!of?.default_width) return undefined;
  return within(of, of.default_width, of.default_height ?? of.default_width);
});

// What a request must say for the model's own size and steps to be within the
// limits; a start has a size of its own.
function ownWithin(of: Model, hasStart: boolean): Partial<GenerateRequest> {
  const [width, height] = ownSize.value ?? [];
  const isLess = width !== of.default_width || height !== (of.default_height ?? width);
  return {
    ...(of.default_steps && ownSteps.value < of.default_steps ? { steps: ownSteps.value } : {}),
    ...(ownSize.value && isLess && !hasStart ? { width, height } : {}),
  };
}

// What may be typed of a side. All pixels together are the height's to keep
// within, where the width is typed, too.
export function sideLimits(side: "width" | "height"): { min: number; max?: number; step: number } {
  const { size_multiple = 1, min_side = 1, max_side, max_pixels } = model.value?.limits ?? {};
  const step = Math.max(1, size_multiple);
  const min = Math.ceil(min_side / step) * step;
  const { width = 0 } = draft.value;
  const pixels = side === "height" && width >= min ? Number(max_pixels ?? 0) : 0;
  const most = Math.min(max_side ?? Infinity, pixels > 0 ? pixels / width : Infinity);
  // Where the width leaves nothing, it is what is wrong; the server says so.
  const max = Math.max(min, Math.floor(most / step) * step);
  return { min, max: Number.isFinite(max) ? max : undefined, step };
}

// How many times as large a second pass may make it, up to 4. Where that is no
// more than once, the server says so.
export const mostFactor = computed(() => {
  const { max_side = Infinity, max_pixels } = model.value?.limits ?? {};
  const { width = ownSize.value?.[0], height = ownSize.value?.[1] } = draft.value;
  if (!width || !height) return 4;
  const area = Number(max_pixels ?? 0) || Infinity;
  const most = Math.min(max_side / Math.max(width, height), Math.sqrt(area / (width * height)));
  return most > 1.01 ? Math.min(4, Math.floor(most * 100) / 100) : 4;
});

// The factor that is meant where none is said.
export const ownFactor = computed(() => Math.min(2, mostFactor.value));

// A second pass begins at text alone.
export const canPass = computed(
  () => takes("hires") && !(canStart.value && startPicture.value),
);

// Whether more is drawn than is asked for.
export const chooses = ({ draw, count }: Draft): boolean => draw > count && takes("best_of");

// What is painted beyond the start's borders, where there is one.
export const borders = computed(() => {
  const [left, top, right, bottom] = draft.value.extend;
  const some = left + top + right + bottom > 0 && startPicture.value && canMask.value;
  return some ? { left, top, right, bottom } : undefined;
});

// Whether the start is changed by words: from its own noise, all of it.
const inverts = computed(
  () =>
    Boolean(canStart.value && startPicture.value && draft.value.source) &&
    !(canMask.value && (masksTransparency.value || maskPicture.value)) &&
    !borders.value &&
    takes("image_to_image.inversion"),
);

// A picture's own noise is not varied.
export const canVary = computed(() => takes("variation") && !inverts.value);

// About ten looks at a picture while it develops, none larger than a screen
// needs.
export function previewPlan(steps: number): GenerateRequest["preview"] {
  return {
    every: Math.max(1, Math.round(steps / 10)),
    format: "IMAGE_FORMAT_WEBP",
    longest_side: 512,
  };
}

// The request, and the pictures that go with it.
export function request(values: Draft): [GenerateRequest, Pictures] {
  const start = canStart.value ? startPicture.value : undefined;
  const isTransparency = masksTransparency.value;
  const mask =
    start && canMask.value ? (isTransparency ? start : maskPicture.value) : undefined;
  const steering = takes("controls") ? controls.value : [];
  const looking = takes("image_prompts") ? imagePrompts.value : [];
  return [
    {
      ...requestOf(values, start !== undefined, mask !== undefined),
      ...(steering.length > 0
        ? { controls: steering.map(({ hint: _, ...control }) => control) }
        : {}),
      ...(looking.length > 0
        ? { image_prompts: looking.map(({ look: _, ...prompt }) => prompt) }
        : {}),
    },
    {
      start,
      mask,
      // One that lacks its picture is the server's to refuse.
      ...(steering.length > 0
        ? { hints: steering.map(({ hint }) => hint ?? new Blob()) }
        : {}),
      ...(looking.length > 0
        ? { looks: looking.map(({ look }) => look ?? new Blob()) }
        : {}),
    },
  ];
}

// How much of the start is painted anew, and whether it begins at its own noise.
// Borders alone are painted whole.
function startOf(values: Draft, hasMask: boolean): GenerateRequest["image_to_image"] {
  return {
    ...((hasMask || !borders.value) && takes("image_to_image.strength", true)
      ? { strength: values.strength }
      : {}),
    ...(values.resizeMode ? { resize_mode: values.resizeMode } : {}),
    ...(inverts.value ? { inversion: { prompt: values.source } } : {}),
  };
}

// What is undefined hides nothing that it is laid over.
const said = <T extends object>(values: T): T =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;

function requestOf(values: Draft, hasStart: boolean, hasMask: boolean): GenerateRequest {
  const of = model.value;
  const { seed, strength } = values.variation;
  const secondPass = said(values.secondPass);
  return {
    prompt: values.prompt,
    ...(values.negative ? { negative_prompt: values.negative } : {}),
    ...(of ? { model: of.id, ...ownWithin(of, hasStart) } : {}),
    ...(values.sampler ? { sampler: values.sampler } : {}),
    ...(values.schedule ? { schedule: values.schedule } : {}),
    ...(values.steps !== undefined ? { steps: values.steps } : {}),
    ...(values.guidance !== undefined ? { guidance_scale: values.guidance } : {}),
    ...(values.width !== undefined ? { width: values.width } : {}),
    ...(values.height !== undefined ? { height: values.height } : {}),
    ...(values.seed ? { seed: values.seed } : {}),
    image_count: values.count,
    preview: previewPlan(stepsOf(values)),
    ...(hasStart ? { image_to_image: startOf(values, hasMask) } : {}),
    ...(borders.value ? { outpainting: borders.value } : {}),
    ...(hasStart && values.imageGuidance !== undefined && takes("image_guidance_scale")
      ? { image_guidance_scale: values.imageGuidance }
      : {}),
    ...(hasStart && values.noiseLevel !== undefined && takes("noise_level")
      ? { noise_level: values.noiseLevel }
      : {}),
    ...(hasMask
      ? {
          inpainting: {
            ...(values.fill ? { fill: values.fill } : {}),
            ...(values.maskBlur ? { mask_blur: values.maskBlur } : {}),
            ...(values.onlyMasked && !borders.value
              ? { only_masked: true, padding: values.maskPadding }
              : {}),
            ...(values.invertMask ? { invert_mask: true } : {}),
            ...(masksTransparency.value ? { mask_is_transparency: true } : {}),
          },
        }
      : {}),
    ...(values.loras.length > 0 && takes("loras") ? { loras: values.loras } : {}),
    ...(values.weighted && takes("prompt_syntax")
      ? { prompt_syntax: "PROMPT_SYNTAX_WEIGHTED" }
      : {}),
    ...(chooses(values)
      ? { best_of: { draw: values.draw, ...(values.scorer ? { scorer: values.scorer } : {}) } }
      : {}),
    ...(values.hires && canPass.value
      ? { hires: { ...(ownFactor.value < 2 ? { factor: ownFactor.value } : {}), ...secondPass } }
      : {}),
    ...moreOf(values, stepsOf(values), takes),
    ...(strength && canVary.value
      ? { variation: { strength, ...(seed ? { seed } : {}) } }
      : {}),
  };
}

// The form as it would have to be for `request`.
export function draftOf(request: GenerateRequest): Draft {
  const { sampler = "", schedule = "" } = request;
  return {
    prompt: request.prompt,
    negative: request.negative_prompt ?? "",
    model: request.model ?? "",
    sampler: sampler.endsWith("_UNSPECIFIED") ? "" : sampler,
    schedule: schedule.endsWith("_UNSPECIFIED") ? "" : schedule,
    steps: request.steps,
    guidance: request.guidance_scale,
    width: request.width,
    height: request.height,
    count: request.image_count ?? 1,
    seed: request.seed ?? "",
    strength: request.image_to_image?.strength ?? EMPTY.strength,
    resizeMode: request.image_to_image?.resize_mode ?? "",
    fill: request.inpainting?.fill ?? "",
    onlyMasked: request.inpainting?.only_masked ?? false,
    invertMask: request.inpainting?.invert_mask ?? false,
    maskBlur: request.inpainting?.mask_blur,
    maskPadding: request.inpainting?.padding,
    extend: [
      request.outpainting?.left ?? 0,
      request.outpainting?.top ?? 0,
      request.outpainting?.right ?? 0,
      request.outpainting?.bottom ?? 0,
    ],
    source: request.image_to_image?.inversion?.prompt ?? "",
    imageGuidance: request.image_guidance_scale,
    noiseLevel: request.noise_level,
    draw: request.best_of?.draw ?? 0,
    hires: request.hires !== undefined,
    weighted: request.prompt_syntax === "PROMPT_SYNTAX_WEIGHTED",
    loras: (request.loras ?? []).map(({ name, weight, start, end }) => ({
      name,
      weight,
      ...(start ? { start } : {}),
      ...(end !== undefined && end < 1 ? { end } : {}),
    })),
    ...moreFrom(request),
  };
}

// The pictures that steered `request`, in the form again.
export function guideBy(request: GenerateRequest, { hints, looks }: Pictures): void {
  controls.value = (request.controls ?? []).map((one, i) => ({ ...one, hint: hints?.[i] }));
  imagePrompts.value = (request.image_prompts ?? []).map((one, i) => ({
    ...one,
    look: looks?.[i],
  }));
}

// "SAMPLER_DPMPP_2M" as people write it.
export function label(name: string): string {
  const words = name.replace(/^(SAMPLER|NOISE_SCHEDULE)_/, "").toLowerCase();
  const known: Record<string, string> = {
    ddim: "DDIM",
    pndm: "PNDM",
    lcm: "LCM",
    unipc: "UniPC",
    ddpm: "DDPM",
  };
  return (
    known[words] ??
    words
      .replace(/^dpmpp/, "DPM++")
      .replace(/_/g, " ")
      .replace(/^\w/, (c) => c.toUpperCase())
      .replace(/\b(\d)(m|s)\b/g, (_, n: string, c: string) => n + c.toUpperCase())
  );
}

// Square, portrait and landscape sides of about the model's own area; none if
// the door does not tell that.
export const shapes = computed((): Record<string, Sides> => {
  const [side, height] = ownSize.value ?? [];
  if (!model.value || !side || !height) return {};
  const [long, short] = [side * Math.sqrt(4 / 3), side * Math.sqrt(3 / 4)];
  return {
    square: [side, height],
    portrait: within(model.value, short, long),
    landscape: within(model.value, long, short),
  };
});
