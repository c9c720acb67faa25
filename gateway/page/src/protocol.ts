// The messages of the door's job API: the proto's, in proto3 JSON with the
// proto's names. 64-bit numbers are strings, bytes are base64, times are "1.5s".

export interface GenerateRequest {
  request_id?: string;
  model?: string;
  prompt: string;
  negative_prompt?: string;
  seed?: string;
  image_count?: number;
  width?: number;
  height?: number;
  steps?: number;
  guidance_scale?: number;
  guidance_rescale?: number;
  guidance?: GuidanceOptions;
  sampler?: string;
  schedule?: string;
  preview?: { every?: number; format?: string; longest_side?: number };
  image_to_image?: {
    image?: string;
    strength?: number;
    resize_mode?: string;
    inversion?: { prompt?: string; guidance_scale?: number; steps?: number };
  };
  inpainting?: {
    mask?: InputPicture;
    mask_blur?: number;
    fill?: string;
    only_masked?: boolean;
    padding?: number;
    invert_mask?: boolean;
    mask_is_transparency?: boolean;
  };
  outpainting?: { left?: number; top?: number; right?: number; bottom?: number };
  image_guidance_scale?: number;
  noise_level?: number;
  controls?: ControlInput[];
  image_prompts?: ImagePrompt[];
  best_of?: { draw: number; scorer?: string };
  loras?: LoraUse[];
  prompt_syntax?: string;
  hires?: HiresPass;
  output?: OutputOptions;
  variation?: Variation;
  keep_latents?: boolean;
  start_latents?: string; // in place of a start, as an image's `latents`
  safety_policy?: string;
  reproducibility?: string;
}

// Of several varied pictures, all have the request's seed, and each the next one
// of these.
export interface Variation {
  seed?: string;
  strength: number;
}

export interface GuidanceOptions {
  start?: number;
  end?: number;
  perturbed_attention_scale?: number;
  perturbed_layers?: string[];
  skip_layer_scale?: number;
  skip_layers?: number[];
  text_gate_step?: number;
}

export interface HiresPass {
  factor?: number;
  upscale?: string;
  upscaler?: string;
  sampler?: string;
  steps?: number;
  strength?: number;
  width?: number; // in place of `factor` once resolved, with `height`
  height?: number;
}

export interface OutputOptions {
  format?: string;
  quality?: number;
  upscaler?: string;
  watermark?: boolean;
}

export interface InputPicture {
  data: string;
}

export interface ControlInput {
  name: string;
  picture?: InputPicture;
  preprocessor?: string;
  weight?: number;
  start?: number;
  end?: number;
  guess_mode?: boolean;
  canny_low?: number; // changes of brightness, 0 to 2,000
  canny_high?: number;
}

export interface ImagePrompt {
  name: string;
  pictures?: InputPicture[];
  weight?: number;
}

export interface LoraUse {
  name: string;
  weight?: number;
  start?: number; // share of the steps after which it begins, or ends
  end?: number;
}

export interface Picture {
  data: string;
  media_type: string;
  width: number;
  height: number;
}

export interface Status {
  code: number;
  message: string;
  details?: { reason?: string }[]; // the reason is in one of them
}

export interface JobEvent {
  job_id: string;
  sequence: string;
  queued?: { position: number; time_left?: string };
  started?: { resolved: GenerateRequest };
  progress?: {
    image_index: number;
    step: number;
    steps: number;
    time_left?: string;
  };
  preview?: { image_index: number; step: number; picture: Picture };
  image?: { image_index: number; seed: string; picture: Picture; latents?: string };
  image_withheld?: { image_index: number; safety: string };
  image_failed?: { image_index: number; status: Status };
  ended?: { state: string; status?: Status };
}

export interface Upscaling {
  upscaler: string;
  factor: number;
}

export interface Job {
  id: string;
}

export interface Model {
  id: string;
  is_default?: boolean;
  tasks?: string[];
  request_fields?: string[]; // that not every model takes
  controlnets?: string[];
  ip_adapters?: string[];
  samplers?: { sampler: string; schedules?: string[]; min_steps?: number }[];
  default_sampler?: string;
  default_steps?: number;
  default_guidance_scale?: number;
  default_width?: number;
  default_height?: number;
  sizes?: { width: number; height: number }[];
  limits?: {
    size_multiple?: number;
    min_side?: number;
    max_side?: number;
    max_pixels?: string;
    max_steps?: number;
    max_image_count?: number;
    max_image_bytes?: string;
  };
}

// "1.5s" in seconds.
export function seconds(duration: string | undefined): number | undefined {
  return duration === undefined ? undefined : parseFloat(duration);
}

export function pictureBlob(picture: Pick<Picture, "data" | "media_type">): Blob {
  const bytes = Uint8Array.from(atob(picture.data), (c) => c.charCodeAt(0));
  return new Blob([bytes], { type: picture.media_type });
}

export async function base64(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve((reader.result as string).split(",", 2)[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
