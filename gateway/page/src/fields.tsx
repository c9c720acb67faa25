// Fields of the form: a label, a control, and what the server said of it.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

// By the field's path in GenerateRequest.
export const violations = signal<Record<string, string>>({});

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
    "aria-invalid": bad || undefined,
    "aria-describedby": bad ? `${fieldId(path)}-error` : undefined,
  };
}

export function Field(props: {
  path: string;
  label: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}) {
  const error = violations.value[props.path];
  return (
    <div class="field" onInput={() => drop(props.path)}>
      <div class="field-head">
        <label for={fieldId(props.path)}>{props.label}</label>
        {props.aside}
      </div>
      {props.children}
      {error !== undefined && (
        <p class="error" id={`${fieldId(props.path)}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}

// A number, to be typed or dragged. Empty means `undefined`.
export function Slider(props: {
  path: string;
  label: string;
  value: number | undefined;
  fallback: number;
  min: number;
  max: number;
  step: number;
  onChange: (value: number | undefined) => void;
}) {
  const { value, fallback, min, max, step } = props;
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
          step="any"
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
  const error = violations.value[props.path];
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
      {error !== undefined && (
        <p class="error" id={`${fieldId(props.path)}-error`}>
          {error}
        </p>
      )}
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
