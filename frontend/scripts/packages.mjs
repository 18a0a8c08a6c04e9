// Packs what hosts install, each alone: nothing of this workspace is needed to install it. Run by `make packages`.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";

const frontend = new URL("../", import.meta.url).pathname;
const [out = path.join(frontend, "..", ".local", "packages")] = process.argv.slice(2);
const NAMES = ["api-client", "entitlements", "billing-react"];
const SPECIFIER = /(\b(?:from|import)\s*\(?\s*)"([@\w./-]+)"/g;
const folderOf = (name) => path.join(frontend, "packages", name);
const manifest = (folder) => JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
const files = (folder) => readdirSync(folder, { recursive: true }).map((file) => path.join(folder, file)).filter((file) => /\.(js|d\.ts)$/.test(file));

/** Puts the workspace's own packages inside, in place of a dependency that no registry has. */
function inline(stage, packed) {
  const own = Object.keys(packed.dependencies ?? {}).filter((name) => name.startsWith("@bitsleuth/"));
  const places = new Map();
  for (const name of own) {
    const source = NAMES.map(folderOf).find((folder) => manifest(folder).name === name);
    const place = path.join(stage, "dist", "inlined", path.basename(source));
    cpSync(path.join(source, "dist"), place, { recursive: true });
    places.set(name, path.join(place, "index.js"));
    Object.assign(packed.dependencies, manifest(source).dependencies);
  }
  packed.dependencies = Object.fromEntries(Object.entries(packed.dependencies ?? {}).filter(([name]) => !places.has(name)));
  for (const file of files(path.join(stage, "dist"))) {
    const text = readFileSync(file, "utf8").replace(SPECIFIER, (whole, before, specifier) => {
      const place = places.get(specifier);
      return place ? `${before}"./${path.relative(path.dirname(file), place)}"` : whole;
    });
    writeFileSync(file, text);
  }
  // What is not reached from the index (adapters with peers of their own) stays out.
  for (const place of places.values()) {
    const kept = reached(place);
    for (const file of files(path.dirname(place))) if (!kept.has(file.replace(/\.d\.ts$/, ".js"))) rmSync(file);
  }
}

function reached(entry, seen = new Set()) {
  if (seen.has(entry) || !existsSync(entry)) return seen;
  seen.add(entry);
  const text = [entry, entry.replace(/\.js$/, ".d.ts")].filter(existsSync).map((file) => readFileSync(file, "utf8")).join("\n");
  for (const [, , specifier] of text.matchAll(SPECIFIER)) {
    if (specifier.startsWith(".")) reached(path.join(path.dirname(entry), specifier), seen);
  }
  return seen;
}

/** Whatever is imported has to be asked for: here it would be found in the workspace all the same. */
function undeclared(stage, packed) {
  const declared = new Set([...Object.keys(packed.dependencies ?? {}), ...Object.keys(packed.peerDependencies ?? {})]);
  const bare = files(path.join(stage, "dist")).flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(SPECIFIER)].map(([, , specifier]) => specifier),
  );
  const names = bare
    .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:") && !builtinModules.includes(specifier))
    .map((specifier) => specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/"));
  return [...new Set(names)].filter((name) => !declared.has(name));
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
for (const name of NAMES) {
  const folder = folderOf(name);
  const stage = path.join(out, name);
  const packed = { ...manifest(folder), scripts: undefined, devDependencies: undefined };
  for (const part of ["dist", "README.md"]) cpSync(path.join(folder, part), path.join(stage, part), { recursive: true });
  cpSync(path.join(frontend, "..", "LICENSE"), path.join(stage, "LICENSE"));
  for (const entry of Object.values(packed.exports)) delete entry["@bitsleuth/source"];
  inline(stage, packed);
  const missing = undeclared(stage, packed);
  if (missing.length > 0) throw new Error(`${packed.name} imports what it does not ask for: ${missing.join(", ")}`);
  writeFileSync(path.join(stage, "package.json"), `${JSON.stringify(packed, null, 2)}\n`);
  execFileSync("npm", ["pack", "--silent", "--pack-destination", out], { cwd: stage, stdio: "inherit" });
  rmSync(stage, { recursive: true });
}
