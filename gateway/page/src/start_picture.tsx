// The picture to start from, and the mask that is painted over it.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { canMask, maskPicture, masksTransparency, model, startPicture } from "./draft";
import { Field, Toggle, described, fieldId, violations } from "./fields";
import { t } from "./i18n";
import { Icon } from "./icons";
import { MaskOptions, StartOptions } from "./start_options";

export const TYPES = ["image/png", "image/jpeg", "image/webp"];

// Takes a file as the start, or says what is wrong with it.
export function startWith(file: Blob): void {
  const limit = Number(model.value?.limits?.max_image_bytes ?? 20 << 20);
  const path = "image_to_image.image";
  const { [path]: _, ...others } = violations.value;
  const why = !TYPES.includes(file.type)
    ? t("noPicture")
    : file.size > limit
      ? t("tooLarge", { mb: Math.floor(limit / (1 << 20)) })
      : undefined;
  violations.value = why === undefined ? others : { ...others, [path]: why };
  if (why !== undefined) return;
  startPicture.value = file;
  maskPicture.value = undefined;
  masksTransparency.value = false;
}

// Whether some of a picture can be seen through. Looks at it in small.
function isTransparent(picture: HTMLImageElement): boolean {
  const canvas = document.createElement("canvas");
  canvas.width = Math.min(256, picture.naturalWidth);
  canvas.height = Math.min(256, picture.naturalHeight);
  const context = canvas.getContext("2d")!;
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, i) => i % 4 === 3 && value < 128);
}

export function useObjectUrl(blob: Blob | undefined): string | undefined {
  const url = useSignal<string | undefined>(undefined);
  useEffect(() => {
    const made = blob && URL.createObjectURL(blob);
    url.value = made;
    return () => {
      if (made) URL.revokeObjectURL(made);
    };
  }, [blob]);
  return url.value;
}

// As it is shown; snow is white too.
const STROKE = "#e8694e";

// White where the picture is painted anew, black elsewhere, of its own size.
function MaskPainter({ url }: { url: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const last = useRef<[number, number] | undefined>(undefined);
  const brush = useSignal(12); // percent of the width
  const seesThrough = useSignal(false);

  const draw = (event: PointerEvent) => {
    const target = canvas.current!;
    const box = target.getBoundingClientRect();
    const at: [number, number] = [
      ((event.clientX - box.left) / box.width) * target.width,
      ((event.clientY - box.top) / box.height) * target.height,
    ];
    const context = target.getContext("2d")!;
    context.strokeStyle = STROKE;
    context.lineCap = "round";
    context.lineWidth = (target.width * brush.value) / 100;
    context.beginPath();
    context.moveTo(...(last.current ?? at));
    context.lineTo(...at);
    context.stroke();
    last.current = at;
  };
  const finish = () => {
    if (last.current === undefined) return;
    last.current = undefined;
    const target = canvas.current!;
    const flat = document.createElement("canvas");
    flat.width = target.width;
    flat.height = target.height;
    const context = flat.getContext("2d")!;
    context.drawImage(target, 0, 0);
    // Whatever was painted becomes white, and black lies below it.
    for (const [how, colour] of [
      ["source-in", "#fff"],
      ["destination-over", "#000"],
    ] as const) {
      context.globalCompositeOperation = how;
      context.fillStyle = colour;
      context.fillRect(0, 0, flat.width, flat.height);
    }
    flat.toBlob((blob) => {
      maskPicture.value = blob ?? undefined;
    }, "image/png");
  };
  const clear = () => {
    const target = canvas.current!;
    target.getContext("2d")!.clearRect(0, 0, target.width, target.height);
    maskPicture.value = undefined;
  };

  return (
    <div class="mask">
      <div class="mask-stage">
        <img
          src={url}
          alt={t("startAlt")}
          onLoad={(event) => {
            canvas.current!.width = event.currentTarget.naturalWidth;
            canvas.current!.height = event.currentTarget.naturalHeight;
            seesThrough.value = isTransparent(event.currentTarget);
          }}
        />
        <canvas
          ref={canvas}
          role="img"
          aria-label={`${t("mask")}. ${t("maskHint")}`}
          hidden={masksTransparency.value}
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            draw(event);
          }}
          onPointerMove={(event) => event.buttons && draw(event)}
          onPointerUp={finish}
          onPointerCancel={finish}
        />
      </div>
      {seesThrough.value && (
        <Toggle
          path="inpainting.mask_is_transparency"
          label={t("transparency")}
          value={masksTransparency.value}
          onChange={(on) => {
            masksTransparency.value = on;
          }}
        />
      )}
      {!masksTransparency.value && (
        <>
          <p class="hint">{t("maskHint")}</p>
          <label class="brush">
            {t("brush")}
            <input
              type="range"
              min="2"
              max="40"
              value={brush.value}
              onInput={(event) => {
                brush.value = event.currentTarget.valueAsNumber;
              }}
            />
          </label>
        </>
      )}
      {(maskPicture.value || masksTransparency.value) && <MaskOptions />}
      {maskPicture.value && !masksTransparency.value && (
        <button type="button" class="quiet" onClick={clear}>
          {t("clearMask")}
        </button>
      )}
    </div>
  );
}

export function StartPicture() {
  const url = useObjectUrl(startPicture.value);
  const path = "image_to_image.image";
  return (
    <div class="start">
      <Field path={path} label={t("startFrom")}>
        <input
          type="file"
          class="unseen"
          accept={TYPES.join(",")}
          {...described(path)}
          onChange={(event) => {
            const [file] = event.currentTarget.files ?? [];
            if (file) startWith(file);
            event.currentTarget.value = "";
          }}
        />
        <label for={fieldId(path)} class="choose">
          {t("choose")}
        </label>
        {url === undefined && <p class="hint">{t("startHint")}</p>}
      </Field>
      {url !== undefined && (
        <>
          <div class="start-picture">
            {canMask.value ? (
              <MaskPainter url={url} key={url} />
            ) : (
              <img src={url} alt={t("startAlt")} />
            )}
            <button
              type="button"
              class="tool"
              aria-label={t("removeStart")}
              title={t("removeStart")}
              onClick={() => {
                startPicture.value = undefined;
                maskPicture.value = undefined;
                masksTransparency.value = false;
              }}
            >
              <Icon name="close" />
            </button>
          </div>
          <StartOptions />
        </>
      )}
    </div>
  );
}
