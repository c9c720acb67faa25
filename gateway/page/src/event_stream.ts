// What the door streams: server-sent events.

import { createParser, type EventSourceMessage } from "eventsource-parser";

// A door says something every 15 s. One that is silent for so long, in
// milliseconds, is not there any more, whatever the browser believes.
const SILENCE = 50_000;

export const isEventStream = (response: Response): boolean =>
  (response.headers.get("content-type") ?? "").startsWith("text/event-stream");

// What is read, if it comes before a silence.
async function heard<T>(read: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TypeError("nothing is heard")), SILENCE);
  });
  try {
    return await Promise.race([read, silence]);
  } finally {
    clearTimeout(timer);
  }
}

// Tells the events until the stream ends, by whatever. Rejects if it cannot be
// read, and with what `tell` throws.
export async function readEvents(
  response: Response,
  tell: (event: EventSourceMessage) => void,
): Promise<void> {
  const parser = createParser({ onEvent: tell });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await heard(reader.read());
      if (done) return;
      parser.feed(value);
    }
  } finally {
    // Else the connection stays open behind whoever gives up.
    void reader.cancel().catch(() => undefined);
  }
}
