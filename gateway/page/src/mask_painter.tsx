// Makes the mask over the picture to start from: by pointer, by keys, or out of
// a file.

import { useSignal, type Signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { maskPicture, masksTransparency } from "./draft";
import { Field, Toggle, described, fieldId, violations } from "./fields";
import { t } from "./i18n";
import { draw, flattened, markFrom, type Mark, type Point, type Stroke } from "./mask";
import { TYPES, isTransparent } from "./pictures";
import { MaskOptions } from "./start_options";

const MOVES: Record<string, Point> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const FILE = "inpainting.mask";

// The marks on a canvas, and the stroke that is being made.
function useMarks() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const marks = useSignal<Mark[]>([]);
  const stroke = useRef<Stroke | undefined>(undefined);
  const context = () => canvas.current!.getContext("2d")!;

  const change = async (next: Mark[]) => {
    marks.value = next;
    const { width, height } = canvas.current!;
    context().clearRect(0, 0, width, height);
    for (const mark of next) draw(context(), mark);
    const mask = await flattened(canvas.current!);
    if (marks.value === next) maskPicture.value = mask;
  };
  return {
    canvas,
    marks,
    begin: (at: Point, width: number, erases: boolean) => {
      stroke.current = { points: [at], width, erases };
      draw(context(), stroke.current);
    },
    // Nothing, unless one was begun.
    goOn: (at: Point) => {
      if (!stroke.current) return;
      stroke.current.points.push(at);
      draw(context(), { ...stroke.current, points: stroke.current.points.slice(-2) });
    },
    end: () => {
      if (!stroke.current) return;
      const made = stroke.current;
      stroke.current = undefined;
      void change([...marks.value, made]);
    },
    add: (mark: Mark) => change([...marks.value, mark]),
    undo: () => change(marks.value.slice(0, -1)),
    clear: () => change([]),
  };
}

function Tools({ brush, erases, canUndo, undo, clear }: {
  brush: Signal<number>;
  erases: Signal<boolean>;
  canUndo: boolean;
  undo: () => unknown;
  clear: () => unknown;
}) {
  return (
    <>
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
      <div class="mask-tools">
        <button
          type="button"
          class="quiet"
          aria-pressed={erases.value}
          onClick={() => {
            erases.value = !erases.value;
          }}
        >
          {t("eraser")}
        </button>
        <button
          type="button"
          class="quiet"
          disabled={!canUndo}
          onClick={undo}
        >
          {t("undo")}
        </button>
        {maskPicture.value && (
          <button type="button" class="quiet" onClick={clear}>
            {t("clearMask")}
          </button>
        )}
      </div>
    </>
  );
}

function MaskFile({ take }: { take: (file: Blob) => Promise<void> }) {
  const choose = async (file: Blob) => {
    const { [FILE]: _, ...others } = violations.value;
    violations.value = others;
    await take(file).catch(() => {
      violations.value = { ...others, [FILE]: () => t("noPicture") };
    });
  };
  return (
    <Field path={FILE} label={t("maskFile")}>
      <input
        type="file"
        class="unseen"
        accept={TYPES.join(",")}
        {...described(FILE)}
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          if (file) void choose(file);
          event.currentTarget.value = "";
        }}
      />
      <label for={fieldId(FILE)} class="choose">
        {t("choose")}
      </label>
      <p class="hint">{t("maskFileHint")}</p>
    </Field>
  );
}

export function MaskPainter({ url }: { url: string }) {
  const { canvas, marks, begin, goOn, end, add, undo, clear } = useMarks();
  const brush = useSignal(12); // percent of the width
  const erases = useSignal(false);
  const cursor = useSignal<Point>([0, 0]);
  const seesThrough = useSignal(false);

  const load = async (file: Blob) => add(await markFrom(file, canvas.current!));
  const width = () => (canvas.current!.width * brush.value) / 100;
  const moveTo = ([x, y]: Point) => {
    cursor.value = [
      Math.min(canvas.current!.width, Math.max(0, x)),
      Math.min(canvas.current!.height, Math.max(0, y)),
    ];
    goOn(cursor.value);
  };
  const follow = (event: PointerEvent) => {
    const box = canvas.current!.getBoundingClientRect();
    moveTo([
      ((event.clientX - box.left) / box.width) * canvas.current!.width,
      ((event.clientY - box.top) / box.height) * canvas.current!.height,
    ]);
  };
  const press = (event: KeyboardEvent) => {
    const move = MOVES[event.key];
    const isCommand = event.ctrlKey || event.metaKey;
    if (move) {
      // A brush covers the way that it goes at once.
      const step = width() * (event.shiftKey ? 1 : 0.25);
      moveTo([cursor.value[0] + move[0] * step, cursor.value[1] + move[1] * step]);
    } else if (event.key === " ") {
      if (!event.repeat) begin(cursor.value, width(), erases.value);
    } else if (event.key === "e" && !isCommand) {
      erases.value = !erases.value;
    } else if (event.key === "z" && isCommand) {
      void undo();
    } else {
      return;
    }
    event.preventDefault();
  };
  // In percent of the picture.
  const place = () => ({
    left: `${(cursor.value[0] / (canvas.current?.width || 1)) * 100}%`,
    top: `${(cursor.value[1] / (canvas.current?.height || 1)) * 100}%`,
    width: `${brush.value}%`,
  });

  return (
    <div class="mask">
      <div class="mask-stage">
        <img
          src={url}
          alt={t("startAlt")}
          onLoad={({ currentTarget: picture }) => {
            canvas.current!.width = picture.naturalWidth;
            canvas.current!.height = picture.naturalHeight;
            cursor.value = [picture.naturalWidth / 2, picture.naturalHeight / 2];
            seesThrough.value = isTransparent(picture);
            // What is masked already: by settings that were taken over, or
            // before the model was one that has no masks.
            if (maskPicture.value) void load(maskPicture.value);
          }}
        />
        <canvas
          ref={canvas}
          role="application"
          tabIndex={0}
          aria-label={t("mask")}
          aria-describedby="mask-hint"
          hidden={masksTransparency.value}
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            follow(event);
            begin(cursor.value, width(), erases.value);
          }}
          onPointerMove={(event) => event.buttons && follow(event)}
          onPointerUp={end}
          onPointerCancel={end}
          onKeyDown={press}
          onKeyUp={(event) => event.key === " " && end()}
          onBlur={end}
        />
        <div class="mask-cursor" aria-hidden="true" style={place()} />
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
          <p class="hint" id="mask-hint">
            {t("maskHint")} {t("maskKeys")}
          </p>
          <Tools {...{ brush, erases, undo, clear }} canUndo={marks.value.length > 0} />
          <MaskFile take={load} />
        </>
      )}
      {(maskPicture.value || masksTransparency.value) && <MaskOptions />}
    </div>
  );
}
