// Looks at one picture, which clears up.

import { useEffect, useRef, useState } from "preact/hooks";

// The newest look at a picture fades in over the one before.
export function Layers({ picture, alt, progress }: {
  picture: Blob | undefined;
  alt: string;
  progress: number; // 0 to 1
}) {
  const [urls, setUrls] = useState<string[]>([]);
  const all = useRef<string[]>([]);
  useEffect(() => {
    if (!picture) return;
    const url = URL.createObjectURL(picture);
    all.current.push(url);
    setUrls((old) => [...old.slice(-2), url]);
  }, [picture]);
  useEffect(() => () => all.current.forEach((url) => URL.revokeObjectURL(url)), []);
  // What lies below the newest is not seen any more.
  const uncover = (url: string) => {
    const below = all.current.splice(0, all.current.indexOf(url));
    below.forEach((old) => URL.revokeObjectURL(old));
    setUrls((old) => old.filter((other) => !below.includes(other)));
  };
  return (
    <>
      {urls.map((url, i) => (
        <img
          key={url}
          src={url}
          class="layer"
          alt={i === urls.length - 1 ? alt : ""}
          style={{ "--rough": String(1 - progress) }}
          onAnimationEnd={() => uncover(url)}
        />
      ))}
    </>
  );
}
