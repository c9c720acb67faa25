// Fields of the form: a label, a control, and what is wrong with it.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { t } from "./i18n";
import { Icon } from "./icons";

// In the page's language, which may change.
type Said = (label: string) => string;

// By the field's path in GenerateRequest.
export const violations = signal<Record<string, Said>>({});

// What was said of a field is of the value that it had.
export function drop(...paths: string[]): void {
  if (!paths.some((path) => path in violations.value)) return;
  violations.value = Object.fromEntries(
    Object.entries(violations.value).filter(([path]) => !paths.includes(path)),
  );
}

export const fieldId = (path: string): string => `field-${path.replace(/\./g, "-")}`;

// What a control says of itself besides its value.
export function described(path: string) {
  const bad = violations.value[path] !== undefined;
  return {
    id: fieldId(path),
    name: path,
    "aria-invalid": bad || undefined,
    "aria-describedby": bad ? `${fieldId(path)}-error` : undefined,
  };
}

// Goes to the field, wherever it is folded away. Whether there is one.
export function goTo(path: string): boolean {
  const control = document.getElementById(fieldId(path));
  control?.closest("details")?.setAttribute("open", "");
  control?.focus();
  return control !== null;
}

const LARGEST_SEED = 2n ** 64n - 1n;

const isSeed = (text: string): boolean => /^\d{1,20}$/.test(text) && BigInt(text) <= LARGEST_SEED;

// What is wrong with a number as it was typed; empty is left to the server. A
// browser does not tell what it cannot read as one, unless it is text: a seed.
function complaintOf(input: HTMLInputElement): Said | undefined {
  const { validity, step, inputMode } = input;
  const value = input.value.trim();
  const isText = inputMode === "numeric";
  if (isText ? value === "" || isSeed(value) : validity.valid) return undefined;
  const [least, most] = isText ? ["0", String(LARGEST_SEED)] : [input.min, input.max];
  const word =
    isText || step === "1" ? "notWhole" : step === "any" ? "notNumber" : "notMultiple";
  return (name) =>
    t(word, {
      name,
      typed: value && t("typed", { value }),
      range: most ? t("range", { least, most }) : t("rangeFrom", { least }),
      step,
    });
}

function judge(input: HTMLInputElement): void {
  const said = complaintOf(input);
  if (said !== undefined) violations.value = { ...violations.value, [input.name]: said };
}

// As soon as no press is under way: what is said moves what is below it, and a
// click belongs where it began.
function judgeSoon(input: HTMLInputElement): void {
  if (document.querySelector(":active") === null) return judge(input);
  addEventListener("mouseup", () => setTimeout(judge, 0, input), { once: true });
}

// Says what is wrong with the form's numbers, and goes to the first. Whether
// anything is.
export function findWrong(form: HTMLFormElement): boolean {
  const inputs = form.querySelectorAll<HTMLInputElement>("[type=number], [inputmode=numeric]");
  const wrong = [...inputs].filter((input) => complaintOf(input) !== undefined);
  wrong.forEach(judge);
  return wrong.length > 0 && goTo(wrong[0]!.name);
}

function Complaint({ path, label }: { path: string; label: string }) {
  const said = violations.value[path];
  if (said === undefined) return null;
  return (
    <p class="error" id={`${fieldId(path)}-error`}>
      {said(label)}
    </p>
  );
}

export function Field(props: {
  path: string;
  label: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <div
      class="field"
      onInput={() => drop(props.path)}
      onChange={({ target }) => {
        // Not while it is typed: "1" is on its way to "128".
        if (target instanceof HTMLInputElement && target.name === props.path) judgeSoon(target);
      }}
    >
      <div class="field-head">
        <label for={fieldId(props.path)}>{props.label}</label>
        {props.aside}
      </div>
      {props.children}
      <Complaint path={props.path} label={props.label} />
    </div>
  );
}

// A number, to be typed or dragged. Empty means `undefined`. What may be typed
// has `limits`, the second of which may be unknown; else those of dragging.
export function Slider(props: {
  path: string;
  label: string;
  value: number | undefined;
  fallback: number;
  min: number;
  max: number;
  step: number;
  limits?: [least: number, most?: number];
  onChange: (value: number | undefined) => void;
}) {
  const { value, fallback, min, max, step } = props;
  const [least, most] = props.limits ?? [min, max];
  // As it was typed: "0.0" is on its way to "0.05".
  const typed = useRef("");
  const take = (event: Event) => {
    const input = event.currentTarget as HTMLInputElement;
    typed.current = input.value;
    const number = input.valueAsNumber;
    props.onChange(Number.isNaN(number) ? undefined : number);
  };
  const isTyped = typed.current !== "" && Number(typed.current) === value;
  return (
    <Field
      path={props.path}
      label={props.label}
      aside={
        <input
          type="number"
          class="number"
          {...described(props.path)}
          value={isTyped ? typed.current : (value ?? "")}
          placeholder={String(fallback)}
          min={least}
          max={most}
          step={Number.isInteger(step) ? 1 : "any"}
          onInput={take}
        />
      }
    >
      <input
        type="range"
        aria-label={props.label}
        min={min}
        max={max}
        step={step}
        value={value ?? fallback}
        onInput={take}
      />
    </Field>
  );
}

// The seed of some noise. Empty means that it is drawn.
export function Seed(props: {
  path: string;
  label: string;
  value: string;
  onChange: (seed: string) => void;
}) {
  return (
    <Field path={props.path} label={props.label}>
      <div class="row">
        <input
          type="text"
          inputMode="numeric"
          autocomplete="off"
          {...described(props.path)}
          value={props.value}
          placeholder={t("seedHint")}
          onInput={(event) => props.onChange(event.currentTarget.value.trim())}
        />
        <button
          type="button"
          class="tool"
          aria-label={t("draw")}
          title={t("draw")}
          onClick={() => {
            props.onChange("");
            drop(props.path);
          }}
        >
          <Icon name="die" />
        </button>
      </div>
    </Field>
  );
}

export function Select(props: {
  path: string;
  label: string;
  value: string;
  choices: [value: string, text: string][];
  onChange: (value: string) => void;
}) {
  return (
    <Field path={props.path} label={props.label}>
      <select
        {...described(props.path)}
        value={props.value}
        onChange={(event) => props.onChange(event.currentTarget.value)}
      >
        {props.choices.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </Field>
  );
}

export function Toggle(props: {
  path: string;
  label: string;
  value: boolean;
  onChange: (value: boolean) => void;
}) {
  return (
    <div class="field toggle" onInput={() => drop(props.path)}>
      <label>
        <input
          type="checkbox"
          {...described(props.path)}
          checked={props.value}
          onChange={(event) => props.onChange(event.currentTarget.checked)}
        />
        {props.label}
      </label>
      <Complaint path={props.path} label={props.label} />
    </div>
  );
}

// What few need. It opens by itself when what is in it is used.
export function Fold(props: {
  summary: string;
  isUsed: boolean;
  children: ComponentChildren;
}) {
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    if (props.isUsed) details.current!.open = true;
  }, [props.isUsed]);
  return (
    <details ref={details}>
      <summary>{props.summary}</summary>
      {props.children}
    </details>
  );
}
