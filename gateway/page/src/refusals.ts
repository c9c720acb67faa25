// What the server refuses, in the page's language: by the form of its sentence,
// else by its reason, else as the server says it. Its own language is English.

import { ApiError } from "./api";
import { language, t, type Word } from "./i18n";

// What the form calls fields that a sentence names, by their paths without
// indices.
const FIELDS: Record<string, Word> = {
  prompt: "prompt",
  negative_prompt: "negative",
  model: "model",
  sampler: "sampler",
  schedule: "schedule",
  steps: "steps",
  guidance_scale: "guidance",
  guidance_rescale: "rescale",
  "guidance.start": "guideFrom",
  "guidance.end": "guideUntil",
  "guidance.perturbed_attention_scale": "perturbed",
  "guidance.perturbed_layers": "perturbedLayers",
  "guidance.skip_layer_scale": "skipped",
  "guidance.skip_layers": "skippedLayers",
  "guidance.text_gate_step": "textGate",
  width: "width",
  height: "height",
  image_count: "pictures",
  seed: "seed",
  image_to_image: "startAlt",
  "image_to_image.image": "startAlt",
  "image_to_image.strength": "strength",
  "image_to_image.resize_mode": "resizeMode",
  "image_to_image.inversion": "source",
  "image_to_image.inversion.prompt": "source",
  image_guidance_scale: "imageGuidance",
  noise_level: "noiseLevel",
  inpainting: "mask",
  "inpainting.mask": "mask",
  "inpainting.fill": "fill",
  "inpainting.only_masked": "onlyMasked",
  "inpainting.padding": "maskPadding",
  "inpainting.mask_blur": "maskBlur",
  outpainting: "borders",
  hires: "secondPass",
  "hires.factor": "factor",
  "hires.width": "width",
  "hires.height": "height",
  "hires.upscaler": "upscaler",
  "hires.steps": "steps",
  "hires.strength": "strength",
  "hires.sampler": "sampler",
  loras: "loras",
  "loras.weight": "guideWeight",
  "loras.start": "guideFrom",
  "loras.end": "guideUntil",
  controls: "controls",
  "controls.picture": "guidePicture",
  "controls.preprocessor": "hint",
  "controls.weight": "guideWeight",
  "controls.start": "guideFrom",
  "controls.end": "guideUntil",
  "controls.guess_mode": "guessMode",
  "controls.canny_low": "cannyLow",
  "controls.canny_high": "cannyHigh",
  image_prompts: "imagePrompts",
  "image_prompts.pictures": "guidePicture",
  "image_prompts.weight": "guideWeight",
  "best_of.draw": "drawn",
  "best_of.scorer": "scorer",
  variation: "variation",
  "variation.strength": "variationStrength",
  "variation.seed": "variationSeed",
  "output.quality": "quality",
  "output.upscaler": "enlargeFinished",
  prompt_syntax: "weighted",
  safety_policy: "safety",
  reproducibility: "reproducible",
  keep_latents: "keepLatents",
};

// Undefined of those that the form has no name for.
function fieldName(path: string): string | undefined {
  const word = FIELDS[path.replace(/\[\d+\]/g, "").replace(/\.data$/, "")];
  return word && t(word);
}

// {name} is the field that the sentence is of, {other} one that it names.
type Sentence = [form: RegExp, said: string];

const JA_SENTENCES: Sentence[] = [
  [
    /^\S+ (?<value>\S+) is not between (?<least>\S+) and (?<most>\S+)$/,
    "{name}「{value}」は{least}から{most}までの範囲にありません",
  ],
  [
    /^\S+ (?<value>\S+) is not a multiple of (?<step>\d+)$/,
    "{name}「{value}」は{step}の倍数ではありません",
  ],
  [
    /^\S+ (?<value>\S+) is not over (?<other>[\w.[\]]+) (?<least>\S+)$/,
    "{name}「{value}」は{other}「{least}」より大きくありません",
  ],
  [
    /^the picture has (?<pixels>\d+) pixels, the key's limit is (?<most>\d+)$/,
    "画像は{pixels}画素で、このキーの上限の{most}画素を超えています",
  ],
  [
    /^the picture has (?<pixels>\d+) pixels, the limit is (?<most>\d+)$/,
    "画像は{pixels}画素で、上限の{most}画素を超えています",
  ],
  [
    /^\S+ (?<value>\d+) is over the key's limit, (?<most>\d+)$/,
    "{name}「{value}」はこのキーの上限の{most}を超えています",
  ],
  [
    /^steps (?<value>\d+) is below (?<least>\d+), the fewest of sampler (?<sampler>\S+)$/,
    "{name}「{value}」はサンプラー{sampler}の下限の{least}に足りません",
  ],
  [
    /^\S+ has (?<count>\d+) entries, the limit is (?<most>\d+)$/,
    "{name}は{count}個で、上限の{most}個を超えています",
  ],
  [
    /^\S+ has (?<bytes>\d+) bytes, the limit is (?<most>\d+)$/,
    "{name}は{bytes}バイトで、上限の{most}バイトを超えています",
  ],
  [/^\S+: model "(?<model>.*)" does not (take it|offer)\b/, "モデル「{model}」では{name}を使えません"],
  [
    /^\S+ "(?<value>.*)" is none that fits model "(?<model>[^"]*)"/,
    "{name}「{value}」はモデル「{model}」に合いません",
  ],
  [
    /^\S+ "(?<value>.*)" has no attention in model/,
    "モデルの「{value}」にはアテンションがありません（{name}）",
  ],
  [
    /^\S+ (?<value>\d+) is not below (?<most>\d+), the model's layers$/,
    "{name}「{value}」はモデルの層の数{most}より小さくありません",
  ],
  [
    /^\S+ is (?<size>\d+x\d+), not (?<of>\d+x\d+)/,
    "{name}の大きさ{size}が画像の大きさ{of}と異なります",
  ],
  [
    /^\S+ \d+ in all leave of (width|height) \d+ less than (?<least>\d+) pixels/,
    "描き足す幅が大きすぎて、元の画像が{least}画素より小さくなります",
  ],
  [/^\S+ is (empty|missing)$/, "{name}がありません"],
  [/\bneeds inpainting\.mask or outpainting$/, "{name}にはマスクか描き足す幅が必要です"],
  [/\bneeds an? (?<other>[\w.[\]]+)$/, "{name}には{other}が必要です"],
  [/ does not go with (?<other>[\w.[\]]+)$/, "{name}は{other}と一緒に使えません"],
  [/^the key has (?<count>\d+) jobs, its limit\b/, "このキーで同時に処理できる{count}件に達しています"],
  [/^the key has (?<count>\d+) jobs waiting, its limit\b/, "このキーで待機できる{count}件に達しています"],
  [
    /^the queue is full: (?<count>\d+) jobs wait\b/,
    "サーバーが混み合っています（{count}件が待機中）。しばらくしてからもう一度お試しください",
  ],
  [
    /^model "(?<model>.*)" is not one of the key's: (?<known>.*)$/,
    "このキーではモデル「{model}」を使えません。使えるモデル：{known}",
  ],
];

const JA_REASONS: Record<string, string> = {
  CREDENTIALS_MISSING: "キーが必要です",
  DEADLINE_EXCEEDED: "制限時間内に終わりませんでした",
  DEADLINE_UNREACHABLE: "制限時間内に終わる見込みがありません",
  DOES_NOT_FIT: "サーバーのメモリが足りません。画像を小さくするか、しばらくしてからお試しください",
  DRAINING: "サーバーは停止の準備中です",
  JOB_EXPIRED: "この処理の結果はもう残っていません",
  JOB_LOST: "サーバーの障害で処理が失われました",
  JOB_UNKNOWN: "サーバーはこの処理を知りません",
  KEY_EXPIRED: "このキーは期限が切れています",
  KEY_INVALID: "このキーは使えません",
  LATENTS_NOT_FOUND: "この画像の潜在表現はもう残っていません",
  MODEL_FAILED: "モデルを読み込めませんでした",
  MODEL_LOADING: "モデルを読み込んでいます。しばらくしてからもう一度お試しください",
  MODEL_NOT_ALLOWED: "このキーではこのモデルを使えません",
  MODEL_NOT_FOUND: "このモデルはサーバーにありません",
  NOT_FINITE: "計算の途中で値があふれました。ガイダンスなどを下げてみてください",
  QUEUE_FULL: "サーバーが混み合っています。しばらくしてからもう一度お試しください",
  QUOTA_EXCEEDED: "このキーの利用上限に達しました。しばらくしてからもう一度お試しください",
  SCOPE_MISSING: "このキーではこの操作はできません",
  TOKEN_EXPIRED: "このトークンは期限が切れています",
  TOKEN_INVALID: "このトークンは使えません",
  UNAUTHENTICATED: "キーがないか、使えません",
  TOO_MANY_STREAMS: "同時に見られる数の上限に達しています",
};

function filled(text: string, values: Record<string, string | undefined>): string {
  return text.replace(/\{(\w+)\}/g, (_, key: string) => values[key] ?? "");
}

// A sentence of the server's, which may be said beside a field with that label.
export function told(sentence: string, reason = "", label = ""): string {
  if (language.value !== "ja") return sentence;
  const [path = ""] = /^[\w.[\]]+/.exec(sentence) ?? [];
  const name = fieldName(path) ?? (label || path);
  for (const [form, said] of JA_SENTENCES) {
    const found = form.exec(sentence);
    if (!found) continue;
    const { other = "" } = found.groups ?? {};
    return filled(said, { ...found.groups, name, other: fieldName(other) ?? other });
  }
  return JA_REASONS[reason] ?? sentence;
}

// Why a call failed.
export function whyOf(error: unknown): string {
  if (!(error instanceof ApiError)) {
    return error instanceof TypeError ? t("unreachable") : String(error);
  }
  const { violations, message, reason } = error;
  if (violations.length === 0) return told(message, reason);
  return violations.map(({ description }) => told(description, reason)).join("; ");
}
