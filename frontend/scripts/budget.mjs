// What a page has to load, measured (gzip, minified, React apart) and held to a budget. Builds what it measures.
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { build } from "vite";

const root = new URL("../", import.meta.url).pathname;
const kB = (text) => gzipSync(text, { level: 9 }).length / 1000;

/** The chunks of a build that loads with `entry`: itself and all that it imports statically. */
function loadedWith(entry, chunks) {
  const seen = new Set();
  const visit = (chunk) => {
    if (!chunk || seen.has(chunk)) return;
    seen.add(chunk);
    chunk.imports.forEach((name) => visit(chunks.find(({ fileName }) => fileName === name)));
  };
  visit(entry);
  return [...seen];
}

const size = (chunks) => chunks.reduce((sum, { code }) => sum + kB(code), 0);

async function library(entry) {
  const [{ output }] = await build({
    root: `${root}packages/billing-react`,
    configFile: false,
    logLevel: "silent",
    plugins: [react()],
    resolve: { conditions: ["@bitsleuth/source", "module", "browser", "production"] },
    define: { "process.env.NODE_ENV": '"production"' },
    build: {
      write: false,
      minify: true,
      lib: { entry, formats: ["es"] },
      rolldownOptions: { external: /^react(-dom)?($|\/)/ },
    },
  });
  const chunks = output.filter(({ type }) => type === "chunk");
  return size(loadedWith(chunks.find(({ isEntry }) => isEntry), chunks));
}

async function portal() {
  const [output] = [
    await build({ root: `${root}portal`, configFile: `${root}portal/vite.config.ts`, logLevel: "silent", build: { write: false } }),
  ].flat();
  const chunks = output.output.filter(({ type }) => type === "chunk");
  const first = loadedWith(chunks.find(({ moduleIds }) => moduleIds.some((id) => id.endsWith("/portal/src/main.tsx"))), chunks);
  const rest = (name) => {
    const chunk = chunks.find((candidate) => candidate.name === name);
    return size(loadedWith(chunk, chunks).filter((candidate) => !first.includes(candidate)));
  };
  const css = output.output.filter(({ fileName }) => fileName.endsWith(".css"));
  return {
    first: size(first),
    admin: rest("Admin"),
    invoice: rest("CryptoInvoice"),
    css: css.reduce((sum, { source }) => sum + kB(source), 0),
  };
}

const pages = await portal();
const measured = [
  ["gate (Protected and provider)", await library("src/gate.ts"), 8],
  ["notice, with what it shares with the gate", await library("src/notice.ts"), 6],
  ["billing-react, all of it", await library("src/index.ts"), 60],
  ["bitcoin invoice", pages.invoice, 8],
  ["portal, first load", pages.first, 120],
  ["portal, admin pages", pages.admin, 60],
  ["portal, styles", pages.css, 12],
];
const { version } = JSON.parse(await readFile(`${root}node_modules/react/package.json`, "utf8"));
console.log(`gzip kB; the packages without React ${version}, the portal with it`);
for (const [name, actual, budget] of measured) {
  console.log(`${actual <= budget ? "ok  " : "OVER"} ${name.padEnd(44)} ${actual.toFixed(1).padStart(6)} of ${budget}`);
}
if (measured.some(([, actual, budget]) => actual > budget)) process.exit(1);
