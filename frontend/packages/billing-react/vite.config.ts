import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import manifest from "./package.json" with { type: "json" };

const packages = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)];

export default defineConfig({
  plugins: [react()],
  build: {
    lib: {
      entry: {
        index: "src/index.ts",
        gate: "src/gate.ts",
        "signers/index": "src/signers/index.ts",
        "messages/en": "src/messages/en.ts",
        "messages/de": "src/messages/de.ts",
        "messages/es": "src/messages/es.ts",
      },
      formats: ["es"],
    },
    rolldownOptions: { external: (id) => packages.some((name) => id === name || id.startsWith(`${name}/`)) },
    minify: false,
    sourcemap: true,
  },
});
