// Line drawings for buttons that have a name of their own.

const PATHS = {
  sun: "M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10M12 1.5v2M12 20.5v2M1.5 12h2M20.5 12h2M4.6 4.6 6 6M18 18l1.4 1.4M4.6 19.4 6 18M18 6l1.4-1.4",
  key: "M14.5 9.5a4.5 4.5 0 1 1-2-3.7 4.5 4.5 0 0 1 2 3.7M13.4 12.2 21 20M17.5 16.4l2.3-2.3",
  close: "M5 5l14 14M19 5 5 19",
  save: "M12 3v12M7 10.5l5 5 5-5M4 20.5h16",
  again: "M4 12a8 8 0 1 0 2.6-5.9M4 3.5v4h4",
  vary: "M4 17c4 0 4-10 8-10s4 10 8 10M4 7c4 0 4 10 8 10s4-10 8-10",
  start: "M3.5 5h17v14h-17zM3.5 16l5-5 4 4 3-3 5 5M15.5 9.5h.01",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  enlarge: "M4 13v7h7M20 11V4h-7M4 20l7-7M20 4l-7 7",
  die: "M4.5 4.5h15v15h-15zM8.5 8.5h.01M15.5 15.5h.01M12 12h.01M15.5 8.5h.01M8.5 15.5h.01",
};

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg viewBox="0 0 24 24" class="icon" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
