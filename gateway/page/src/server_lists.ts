// What the server has, by name, besides models.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { listScorers, listUpscalers } from "./api";

// Asks anew whenever something that shows them appears, or there is another key.
function namesFrom(list: () => Promise<string[]>): () => string[] {
  const names = signal<string[]>([]);
  const read = async () => {
    names.value = await list().catch(() => names.value);
  };
  return () => {
    useEffect(() => {
      void read();
      addEventListener("genzo-key", read);
      return () => removeEventListener("genzo-key", read);
    }, []);
    return names.value;
  };
}

// What it enlarges pictures with: networks and a filter.
export const useUpscalers = namesFrom(listUpscalers);

// Who scores besides the model's own.
export const useScorers = namesFrom(listScorers);
