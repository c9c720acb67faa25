// The picture to start from.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { canMask, maskPicture, masksTransparency, model, startPicture } from "./draft";
import { Field, described, drop, fieldId, violations } from "./fields";
import { t } from "./i18n";
import { Icon } from "./icons";
import { MaskPainter } from "./mask_painter";
import { TYPES } from "./pictures";
import { StartOptions } from "./start_options";

export function startWithNothing(): void {
  startPicture.value = undefined;
  maskPicture.value = undefined;
  masksTransparency.value = false;
}

// Takes a file as the start, with a mask or its own transparency as one, or says
// what is wrong with it.
export function startWith(file: Blob, mask?: Blob, isTransparency = false): void {
  const limit = Number(model.value?.limits?.max_image_bytes ?? 20 << 20);
  const path = "image_to_image.image";
  const why = !TYPES.includes(file.type)
    ? () => t("noPicture")
    : file.size > limit
      ? () => t("tooLarge", { mb: Math.floor(limit / (1 << 20)) })
      : undefined;
  drop(path);
  if (why !== undefined) {
    violations.value = { ...violations.value, [path]: why };
    return;
  }
  // Another one, should it be the same: what was painted over it goes.
  startPicture.value = file.slice(0, file.size, file.type);
  maskPicture.value = mask;
  masksTransparency.value = isTransparency;
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
              onClick={startWithNothing}
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
