import { useSignal, useSignalEffect, type Signal } from "@preact/signals";
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ApiError, apiKey, listModels } from "./api";
import { Composer, type Saying } from "./composer";
import { canStart, models } from "./draft";
import { Gallery, stateText } from "./gallery";
import { language, speak, t, type Word } from "./i18n";
import { Icon } from "./icons";
import { hasEnded } from "./records";
import { whyOf } from "./refusals";
import { startWith } from "./start_picture";
import { isLost, isUnkept, jobs, news, restore, wantsKey } from "./store";
import "./style.css";
import { FIRST_DELAY, MAX_DELAY, pause } from "./waiting";

const THEME = "genzo.theme";
const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];

function useTheme() {
  const theme = useSignal((localStorage.getItem(THEME) as Theme | null) ?? "auto");
  useSignalEffect(() => {
    document.documentElement.dataset.theme = theme.value;
    localStorage.setItem(THEME, theme.value);
  });
  return theme;
}

let readings = 0; // of the models; the latest counts

// Until they are there, or the server says that they will not be.
async function readModels(problem: Signal<Saying | undefined>): Promise<void> {
  const reading = ++readings;
  for (let delay = FIRST_DELAY; ; delay = Math.min(MAX_DELAY, 2 * delay)) {
    try {
      const list = await listModels();
      if (reading !== readings) return;
      models.value = list;
      problem.value = undefined;
      return;
    } catch (error) {
      if (reading !== readings) return;
      problem.value = () => whyOf(error);
      if (error instanceof ApiError && error.http === 401) wantsKey.value = true;
      if (error instanceof ApiError && !error.passes) return;
    }
    await pause(delay);
    if (reading !== readings) return;
  }
}

function KeyDialog({ refused }: { refused: Saying | undefined }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const input = useRef<HTMLInputElement>(null);
  useSignalEffect(() => {
    if (wantsKey.value && !dialog.current!.open) {
      input.current!.value = apiKey.get();
      dialog.current!.showModal();
    }
  });
  return (
    <dialog
      ref={dialog}
      class="key"
      aria-labelledby="key-title"
      onClose={() => {
        wantsKey.value = false;
      }}
    >
      <form
        method="dialog"
        onSubmit={() => apiKey.set(input.current!.value.trim())}
      >
        <h2 id="key-title">{t("keyTitle")}</h2>
        <label for="key">{t("key")}</label>
        <input id="key" ref={input} type="password" autocomplete="off" />
        {refused !== undefined && apiKey.get() !== "" && (
          <p class="error" role="alert">
            {refused()}
          </p>
        )}
        <p class="hint">{t("keyHint")}</p>
        <div class="row">
          <button type="submit" class="primary">
            {t("keySave")}
          </button>
          <button type="button" class="quiet" onClick={() => dialog.current!.close()}>
            {t("close")}
          </button>
        </div>
      </form>
    </dialog>
  );
}

// A picture that is dropped or pasted anywhere on the page. Text is the
// browser's, also where programs copy a picture of it beside it.
function useArrivals() {
  const isOver = useSignal(false);
  useEffect(() => {
    const isOfFiles = (data: DataTransfer | null) => data?.types.includes("Files") ?? false;
    const take = (data: DataTransfer | null) => {
      const file = [...(data?.files ?? [])].find((f) => f.type.startsWith("image/"));
      if (file && canStart.value) startWith(file);
    };
    const over = (event: DragEvent) => {
      if (!canStart.value || !isOfFiles(event.dataTransfer)) return;
      event.preventDefault();
      isOver.value = true;
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) isOver.value = false;
    };
    const drop = (event: DragEvent) => {
      if (!isOfFiles(event.dataTransfer)) return;
      event.preventDefault();
      isOver.value = false;
      take(event.dataTransfer);
    };
    const paste = ({ clipboardData: data, target }: ClipboardEvent) => {
      const isWritten = target instanceof Element && target.matches("input, textarea");
      if (isWritten && data?.types.includes("text/plain")) return;
      take(data);
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    addEventListener("paste", paste);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
      removeEventListener("paste", paste);
    };
  }, []);
  return isOver;
}

function App() {
  const theme = useTheme();
  const isOver = useArrivals();
  const problem = useSignal<Saying | undefined>(undefined);
  useEffect(() => {
    const read = () => void readModels(problem);
    read();
    void restore();
    addEventListener("genzo-key", read);
    return () => removeEventListener("genzo-key", read);
  }, []);
  useSignalEffect(() => {
    document.documentElement.lang = language.value;
  });
  const isLit = jobs.value.some((job) => !hasEnded(job.value));
  return (
    <>
      <header class="top">
        <h1>
          <span class={`lamp ${isLit ? "lit" : ""}`} aria-hidden="true" />
          Genzo <span lang="ja">現像</span>
        </h1>
        <p class="tagline">{t("tagline")}</p>
        <nav>
          <button
            type="button"
            class="quiet"
            lang={language.value === "en" ? "ja" : "en"}
            onClick={() => speak(language.value === "en" ? "ja" : "en")}
          >
            {t("language")}
          </button>
          <label class="theme" title={t("theme")}>
            <Icon name="sun" />
            <select
              aria-label={t("theme")}
              value={theme.value}
              onChange={(event) => {
                theme.value = event.currentTarget.value as Theme;
              }}
            >
              {THEMES.map((name) => (
                <option key={name} value={name}>
                  {t(`theme${name[0]!.toUpperCase()}${name.slice(1)}` as Word)}
                </option>
              ))}
            </select>
          </label>
          <button
            type="button"
            class="tool"
            aria-label={t("key")}
            title={t("key")}
            onClick={() => {
              wantsKey.value = true;
            }}
          >
            <Icon name="key" />
          </button>
        </nav>
      </header>
      {isLost.value && (
        <p class="banner" role="status">
          {t("lost")}
        </p>
      )}
      {isUnkept.value && (
        <p class="banner" role="status">
          {t("unkept")}
        </p>
      )}
      {problem.value !== undefined && (
        <p class="banner error" role="alert">
          {t("noModels", { why: problem.value() })}
        </p>
      )}
      <main>
        <Composer />
        <Gallery />
      </main>
      <p class="unseen" role="status">
        {news.value && `${news.value.request.prompt}: ${stateText({ ...news.value, timeLeft: undefined })}`}
      </p>
      <KeyDialog refused={problem.value} />
      {isOver.value && <div class="drop">{t("dropHere")}</div>}
    </>
  );
}

document.querySelector("noscript")?.remove();
render(<App />, document.body);
