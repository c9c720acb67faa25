// How a server is waited for that may come back.

// Milliseconds, doubled from one try to the next.
export const FIRST_DELAY = 500;
export const MAX_DELAY = 15_000;

// Until `delay` has passed, or the network is back, or there is another key.
export function pause(delay: number): Promise<void> {
  return new Promise((resolve) => {
    const events = ["online", "genzo-key"];
    const done = () => {
      clearTimeout(timer);
      for (const name of events) removeEventListener(name, done);
      resolve();
    };
    const timer = setTimeout(done, delay);
    for (const name of events) addEventListener(name, done);
  });
}
