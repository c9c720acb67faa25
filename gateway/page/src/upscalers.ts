// What the server enlarges pictures with, by name: networks and a filter.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { listUpscalers } from "./api";

const names = signal<string[]>([]);

async function read(): Promise<void> {
  names.value = await listUpscalers().catch(() => names.value);
}

// Asks anew whenever something that shows them appears.
export function useUpscalers(): string[] {
  useEffect(() => void read(), []);
  return names.value;
}
