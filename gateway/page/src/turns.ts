// Whose turn it is, over all tabs of this page together: browsers open six
// connections to a server for all of them, and calls that are short need some.

type Hold = (name: string, signal: AbortSignal, work: () => Promise<void>) => Promise<void>;

// Only pages of https and of this machine have it.
const locks = navigator.locks as LockManager | undefined;
export const tabsAgree = locks !== undefined;

// Streams at once: of all tabs, or of each where they cannot agree.
const STREAMS = locks ? 4 : 2;

// By name, the end of what waits here.
const tails = new Map<string, Promise<void>>();

const holdHere: Hold = (name, signal, work) => {
  const before = tails.get(name) ?? Promise.resolve();
  const turn = before.then(() => {
    signal.throwIfAborted();
    return work();
  });
  tails.set(name, turn.catch(() => undefined));
  return turn;
};

const hold: Hold = locks
  ? async (name, signal, work) => await locks.request(name, { signal }, work)
  : holdHere;

// Runs `work` in one tab at a time: another goes on when it has ended, or when
// its tab is closed. Rejects once `signal` aborts the wait.
export function alone(key: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  return hold(`genzo-job-${key}`, signal, work);
}

// Runs `work`, which keeps a connection busy, when there is one for it. Waits
// for all of them, and takes the first that is free.
export function withStream<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const found = new AbortController();
  const wait = AbortSignal.any([signal, found.signal]);
  return new Promise((resolve, reject) => {
    for (let i = 0; i < STREAMS; i++) {
      hold(`genzo-stream-${i}`, wait, async () => {
        if (found.signal.aborted) return; // two were free
        found.abort();
        await work().then(resolve, reject);
      }).catch((error: unknown) => {
        if (!found.signal.aborted) reject(error);
      });
    }
  });
}
