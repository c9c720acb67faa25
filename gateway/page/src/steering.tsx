// What steers a picture besides its prompt: LoRAs, weights in the prompt, a
// choice, a second pass. Each is shown where the model takes it.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { listLoras } from "./api";
import { canPass, change, draft, model, takes } from "./draft";
import { Field, Fold, Slider, Toggle, described } from "./fields";
import { t } from "./i18n";
import { Icon } from "./icons";
import type { LoraUse } from "./protocol";

const MAX_WEIGHT = 2;

const loraNames = signal<string[]>([]);

// None of another model are offered meanwhile, nor by an answer that comes late.
async function readLoras(of: string): Promise<void> {
  loraNames.value = [];
  const names = await listLoras(of).catch(() => []);
  if (of === model.value?.id) loraNames.value = names;
}

// When a LoRA is at work: the share of the steps after which it begins, and ends.
function LoraPart({ path, lora, set }: {
  path: string;
  lora: LoraUse;
  set: (values: Partial<LoraUse>) => void;
}) {
  const { start, end } = lora;
  const share = { min: 0, max: 1, step: 0.05 };
  return (
    <Fold summary={t("loraPart")} isUsed={start !== undefined || end !== undefined}>
      <div class="pair">
        <Slider
          path={`${path}.start`}
          label={t("guideFrom")}
          value={start}
          fallback={0}
          {...share}
          onChange={(value) => set({ start: value })}
        />
        <Slider
          path={`${path}.end`}
          label={t("guideUntil")}
          value={end}
          fallback={1}
          {...share}
          onChange={(value) => set({ end: value })}
        />
      </div>
    </Fold>
  );
}

// Of each LoRA its name, its weight, a way to be rid of it, and when it works.
function Loras() {
  const { loras } = draft.value;
  const of = model.value?.id ?? "";
  useEffect(() => void readLoras(of), [of]);
  const known = loraNames.value;
  const rest = known.filter((name) => !loras.some((lora) => lora.name === name));
  if (known.length === 0 && loras.length === 0) return null;
  const set = (at: number, values: Partial<LoraUse>) =>
    change({ loras: loras.map((lora, i) => (i === at ? { ...lora, ...values } : lora)) });
  return (
    <Field path="loras" label={t("loras")}>
      {loras.map((lora, i) => (
        <div role="group" aria-label={lora.name} key={lora.name}>
          <div class="row lora">
            <span>{lora.name}</span>
            <input
              type="range"
              aria-label={t("loraWeight", { name: lora.name })}
              min={-MAX_WEIGHT}
              max={MAX_WEIGHT}
              step={0.05}
              value={lora.weight ?? 1}
              onInput={(event) => set(i, { weight: event.currentTarget.valueAsNumber })}
            />
            <output>{(lora.weight ?? 1).toFixed(2)}</output>
            <button
              type="button"
              class="tool"
              aria-label={t("guideRemove", { name: lora.name })}
              title={t("guideRemove", { name: lora.name })}
              onClick={() => change({ loras: loras.filter((_, other) => other !== i) })}
            >
              <Icon name="close" />
            </button>
          </div>
          <LoraPart path={`loras[${i}]`} lora={lora} set={(values) => set(i, values)} />
        </div>
      ))}
      {rest.length > 0 && (
        <select
          {...described("loras")}
          value=""
          onChange={(event) => {
            const name = event.currentTarget.value;
            if (name) change({ loras: [...loras, { name, weight: 1 }] });
          }}
        >
          <option value="">{t("add")}</option>
          {rest.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function Steering() {
  return (
    <>
      {takes("loras") && <Loras />}
      {takes("prompt_syntax") && (
        <Toggle
          path="prompt_syntax"
          label={t("weighted")}
          value={draft.value.weighted}
          onChange={(weighted) => change({ weighted })}
        />
      )}
      {takes("best_of") && (
        <Slider
          path="best_of.draw"
          label={t("drawn")}
          value={draft.value.draw || undefined}
          fallback={draft.value.count}
          min={draft.value.count}
          max={model.value?.limits?.max_image_count ?? 8}
          step={1}
          onChange={(draw) => change({ draw: draw ?? 0 })}
        />
      )}
      {canPass.value && (
        <Toggle
          path="hires"
          label={t("hires")}
          value={draft.value.hires}
          onChange={(hires) => change({ hires })}
        />
      )}
    </>
  );
}
