import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where `npm run dev` finds the API: `make run` serves it there. */
const API = "http://127.0.0.1:8000";
const isPage = (request: { headers: { accept?: string | undefined } }) => request.headers.accept?.includes("text/html");

export default defineConfig({
  plugins: [react(), tailwind()],
  resolve: { conditions: ["@bitsleuth/source", "module", "browser", "development|production"] },
  build: { target: "es2022", assetsInlineLimit: 0 },
  server: {
    proxy: Object.fromEntries(
      ["/billing", "/auth", "/admin", "/.well-known", "/mock"].map((path) => [
        path,
        { target: API, bypass: (request) => (path === "/admin" && isPage(request) ? "/index.html" : undefined) },
      ]),
    ),
  },
});
