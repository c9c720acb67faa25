// Pictures that steer: hints for control networks, looks for image prompt
// adapters. Each is shown where the model has such a network.

import type { ComponentChildren } from "preact";
import { controls, imagePrompts, maskPicture, model, takes } from "./draft";
import { Field, Select, Slider, Toggle, described, fieldId } from "./fields";
import { t, type Word } from "./i18n";
import { Icon } from "./icons";
import { TYPES } from "./pictures";
import { useObjectUrl } from "./start_picture";

const MAX_WEIGHT = 2;
const MAX_EDGE = 2000;
const PREPROCESSORS: Record<string, Word> = {
  PREPROCESSOR_NONE: "hintNone",
  PREPROCESSOR_CANNY: "hintCanny",
  PREPROCESSOR_TILE: "hintTile",
  PREPROCESSOR_INPAINT: "hintInpaint",
};

// What the network is called that fits a photograph by itself.
function preprocessorOf(name: string): string {
  if (/canny/i.test(name)) return "PREPROCESSOR_CANNY";
  if (/tile/i.test(name)) return "PREPROCESSOR_TILE";
  return "PREPROCESSOR_NONE";
}

// One picture with what it does, and a way to be rid of it.
function Guide(props: {
  path: string; // of the entry's picture
  name: string;
  picture: Blob | undefined;
  choose: (file: File) => void;
  remove: () => void;
  children: ComponentChildren;
}) {
  const url = useObjectUrl(props.picture);
  return (
    <fieldset class="guide">
      <legend>{props.name}</legend>
      <button
        type="button"
        class="tool"
        aria-label={t("guideRemove", { name: props.name })}
        title={t("guideRemove", { name: props.name })}
        onClick={props.remove}
      >
        <Icon name="close" />
      </button>
      <Field path={props.path} label={t("guidePicture")}>
        <input
          type="file"
          class="unseen"
          accept={TYPES.join(",")}
          {...described(props.path)}
          onChange={(event) => {
            const [file] = event.currentTarget.files ?? [];
            if (file) props.choose(file);
            event.currentTarget.value = "";
          }}
        />
        <label for={fieldId(props.path)} class="choose">
          {url === undefined ? (
            t("choose")
          ) : (
            <img src={url} alt={t("guideAlt", { name: props.name })} />
          )}
        </label>
      </Field>
      {props.children}
    </fieldset>
  );
}

// "Add one" of `names`.
function Adder(props: {
  path: string;
  label: string;
  names: string[];
  add: (name: string) => void;
}) {
  return (
    <Select
      path={props.path}
      label={props.label}
      value=""
      choices={[["", t("add")], ...props.names.map((n): [string, string] => [n, n])]}
      onChange={(name) => name && props.add(name)}
    />
  );
}

function Controls({ names }: { names: string[] }) {
  const all = controls.value;
  const set = (at: number, change: Partial<(typeof all)[number]>) => {
    controls.value = all.map((control, i) => (i === at ? { ...control, ...change } : control));
  };
  return (
    <>
      {all.map((control, i) => {
        const path = `controls[${i}]`;
        const share = (end: "start" | "end", fallback: number) => (
          <Slider
            path={`${path}.${end}`}
            label={t(end === "start" ? "guideFrom" : "guideUntil")}
            value={control[end]}
            fallback={fallback}
            min={0}
            max={1}
            step={0.05}
            onChange={(value) => set(i, { [end]: value })}
          />
        );
        const edge = (name: "canny_low" | "canny_high", word: Word, fallback: number) => (
          <Slider
            path={`${path}.${name}`}
            label={t(word)}
            value={control[name]}
            fallback={fallback}
            min={0}
            max={500}
            step={1}
            limits={[0, MAX_EDGE]}
            onChange={(value) => set(i, { [name]: value })}
          />
        );
        return (
          <Guide
            key={path}
            path={`${path}.picture`}
            name={control.name}
            picture={control.hint}
            choose={(hint) => set(i, { hint })}
            remove={() => {
              controls.value = all.filter((_, other) => other !== i);
            }}
          >
            <Select
              path={`${path}.preprocessor`}
              label={t("hint")}
              value={control.preprocessor ?? "PREPROCESSOR_NONE"}
              choices={Object.entries(PREPROCESSORS)
                .filter(([value]) => !value.endsWith("INPAINT") || maskPicture.value)
                .map(([value, word]) => [value, t(word)])}
              onChange={(preprocessor) => set(i, { preprocessor })}
            />
            {control.preprocessor === "PREPROCESSOR_CANNY" && (
              <div class="pair">
                {edge("canny_low", "cannyLow", 100)}
                {edge("canny_high", "cannyHigh", 200)}
              </div>
            )}
            <Slider
              path={`${path}.weight`}
              label={t("guideWeight")}
              value={control.weight}
              fallback={1}
              min={0}
              max={MAX_WEIGHT}
              step={0.05}
              onChange={(weight) => set(i, { weight })}
            />
            <div class="pair">
              {share("start", 0)}
              {share("end", 1)}
            </div>
            {takes("controls.guess_mode") && (
              <Toggle
                path={`${path}.guess_mode`}
                label={t("guessMode")}
                value={control.guess_mode ?? false}
                onChange={(guess_mode) => set(i, { guess_mode })}
              />
            )}
          </Guide>
        );
      })}
      <Adder
        path="controls"
        label={t("controls")}
        names={names}
        add={(name) => {
          controls.value = [...all, { name, preprocessor: preprocessorOf(name) }];
        }}
      />
    </>
  );
}

function ImagePrompts({ names }: { names: string[] }) {
  const all = imagePrompts.value;
  const set = (at: number, change: Partial<(typeof all)[number]>) => {
    imagePrompts.value = all.map((one, i) => (i === at ? { ...one, ...change } : one));
  };
  return (
    <>
      {all.map((prompt, i) => {
        const path = `image_prompts[${i}]`;
        return (
          <Guide
            key={path}
            path={`${path}.pictures[0]`}
            name={prompt.name}
            picture={prompt.look}
            choose={(look) => set(i, { look })}
            remove={() => {
              imagePrompts.value = all.filter((_, other) => other !== i);
            }}
          >
            <Slider
              path={`${path}.weight`}
              label={t("guideWeight")}
              value={prompt.weight}
              fallback={1}
              min={0}
              max={MAX_WEIGHT}
              step={0.05}
              onChange={(weight) => set(i, { weight })}
            />
          </Guide>
        );
      })}
      <Adder
        path="image_prompts"
        label={t("imagePrompts")}
        names={names}
        add={(name) => {
          imagePrompts.value = [...all, { name }];
        }}
      />
    </>
  );
}

export function Guides() {
  const { controlnets = [], ip_adapters = [] } = model.value ?? {};
  return (
    <>
      {takes("controls") && controlnets.length > 0 && <Controls names={controlnets} />}
      {takes("image_prompts") && ip_adapters.length > 0 && <ImagePrompts names={ip_adapters} />}
    </>
  );
}
