// What can be done with a finished picture, besides what a dialog asks about.

import { canStart, change, draftOf, guideBy, modelOf } from "./draft";
import type { Word } from "./i18n";
import type { Icon } from "./icons";
import type { GenerateRequest } from "./protocol";
import { requestOf, type Frame, type JobRecord } from "./records";
import { startWith, startWithNothing } from "./start_picture";
import { paint } from "./store";

export interface Action {
  word: Word;
  hint?: Word; // what the word alone does not say
  icon: Parameters<typeof Icon>[0]["name"];
  run: () => unknown;
}

export function actionsOf(job: JobRecord, frame: Frame, index: number): Action[] {
  const picture = frame.picture!;
  const request = requestOf(job, index);
  const { start, mask, hints, looks } = job;
  const model = modelOf(request);
  const takes = (field: string) => model?.request_fields?.includes(field) ?? false;
  const again = (values: Partial<GenerateRequest> = {}) =>
    paint({ ...request, ...values }, { start, mask, hints, looks });
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture);
    const kind = picture.type.split("/")[1]?.replace("jpeg", "jpg") ?? "png";
    link.download = `genzo-${job.created}-${index + 1}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  // The same noise, moved towards another. A request moves it between two seeds
  // alone: what was moved can but go further.
  const varyNoise = () => {
    const drawn = { seed: String(Math.floor(Math.random() * 2 ** 32)), strength: 0 };
    const from = request.variation ?? drawn;
    return again({ variation: { ...from, strength: Math.min(1, from.strength + 0.25) } });
  };
  // Without what made it larger or went before it.
  const { seed: _, variation: __, best_of: ___, ...seedless } = request;
  const { inpainting, outpainting, hires, start_latents, ...rest } = seedless;
  const over = { ...rest, image_count: 1, image_to_image: { strength: 0.5 } };
  // The picture itself, where it was masked there alone.
  const paintOver = () => {
    const isMasked = inpainting && mask && !outpainting;
    return paint(
      {
        ...over,
        ...(hires?.width ? { width: hires.width, height: hires.height } : {}),
        ...(isMasked ? { inpainting } : {}),
      },
      { start: picture, mask: isMasked ? mask : undefined, hints, looks },
    );
  };
  // Without a size, it has theirs.
  const paintOverLatents = () => {
    const { width: _, height: __, ...unsized } = over;
    return paint({ ...unsized, start_latents: frame.latents }, { hints, looks });
  };
  const paintsOver = model?.tasks?.includes("TASK_IMAGE_TO_IMAGE") ?? true;
  const isVaried = request.variation !== undefined;
  const movesNoise =
    takes("variation") && !request.image_to_image?.inversion && !(isVaried && paintsOver);
  const drawAnew = () => again({ seed: undefined });
  const vary: Action = {
    word: "vary",
    icon: "vary",
    ...(movesNoise
      ? { hint: isVaried ? "varyFurther" : undefined, run: varyNoise }
      : paintsOver
        ? { hint: "varyOver", run: paintOver }
        : { run: drawAnew }),
  };
  const isPainted = !job.upscaling;
  const canEnlarge =
    isPainted && takes("hires") && !start && !start_latents && !hires && !request.best_of;
  return [
    { word: "save", icon: "save", run: save },
    ...(isPainted
      ? [{ word: "reproduce" as const, icon: "again" as const, run: () => again() }, vary]
      : []),
    ...(frame.latents && takes("start_latents")
      ? [
          {
            word: "overLatents" as const,
            icon: "vary" as const,
            run: paintOverLatents,
          },
        ]
      : []),
    ...(canEnlarge
      ? [
          {
            word: "enlarge" as const,
            icon: "enlarge" as const,
            run: () => again({ hires: { factor: 2 } }),
          },
        ]
      : []),
    ...(canStart.value
      ? [{ word: "useStart" as const, icon: "start" as const, run: () => startWith(picture) }]
      : []),
    {
      word: "useSettings",
      icon: "settings",
      run: () => {
        change(draftOf(request));
        if (isPainted) {
          startWithNothing();
          const seesThrough = request.inpainting?.mask_is_transparency;
          if (start) startWith(start, seesThrough ? undefined : mask, seesThrough);
        }
        guideBy(request, job);
        document.getElementById("field-prompt")?.focus();
      },
    },
  ];
}
