import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Where `npm run dev` finds the API: `make run` serves it there. */
const API = "http://127.0.0.1:8000";
const isPage = (request: { headers: { accept?: string | undefined } }) => request.headers.accept?.includes("text/html");

/** Has the page's font asked for at once: by the styles alone it is asked for when the first text is there. */
const preloadFont: Plugin = {
  name: "preload-font",
  transformIndexHtml: (_, { bundle }) =>
    Object.keys(bundle ?? {})
      .filter((file) => file.endsWith(".woff2"))
      .map((file) => ({
        tag: "link",
        attrs: { rel: "preload", as: "font", type: "font/woff2", crossorigin: true, href: `/${file}` },
        injectTo: "head-prepend",
      })),
};

export default defineConfig({
  plugins: [react(), tailwind(), preloadFont],
  resolve: { conditions: ["@bitsleuth/source", "module", "browser", "development|production"] },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    // What every page needs is two files, not one for each part that a page loaded later also uses.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "libraries", test: /node_modules/, tags: ["$initial"], priority: 1 },
            { name: "first", tags: ["$initial"] },
          ],
        },
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ["/billing", "/auth", "/admin", "/.well-known", "/mock"].map((path) => [
        path,
        { target: API, bypass: (request) => (path === "/admin" && isPage(request) ? "/index.html" : undefined) },
      ]),
    ),
  },
});
