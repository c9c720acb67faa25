import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

// The door sends NAME.gz for NAME to browsers that take it.
function zipped(): Plugin {
  return {
    name: "zipped",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        const bytes = file.type === "chunk" ? file.code : file.source;
        if (!/\.(js|css)$/.test(file.fileName)) continue;
        this.emitFile({
          type: "asset",
          fileName: `${file.fileName}.gz`,
          source: gzipSync(bytes, { level: 9 }),
        });
      }
    },
  };
}

// What the page calls while it is worked on.
const door = process.env.GENZO_DOOR ?? "http://127.0.0.1:8080";

export default defineConfig({
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  plugins: [zipped()],
  server: { proxy: { "/v1": door, "/sdapi": door } },
});
