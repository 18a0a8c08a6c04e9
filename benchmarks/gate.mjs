// The Node half of gate.py: the gate of the entitlements package next to jose without a cache.
import { generateKeyPairSync, sign } from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const packages = path.join(import.meta.dirname, "..", "frontend", "packages", "entitlements");
const { createVerifier, can } = await import(pathToFileURL(path.join(packages, "dist", "node.js")));
const { jwtVerify, importJWK } = createRequire(path.join(packages, "package.json"))("jose");

const ROUNDS = 15;
const CALLS = 300;
const now = Math.floor(Date.now() / 1000);
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = { ...publicKey.export({ format: "jwk" }), kid: "k1", alg: "ES256", use: "sig" };
const imported = await importJWK(jwk, "ES256");

function token(sub) {
  const f = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`feature.${n}`, true]));
  const claims = { iss: "bitsleuth-billing", aud: "bitsleuth-analyzer", sub, plan: "plus", ver: 1, f, iat: now, nbf: now, exp: now + 300 };
  const signed = [{ alg: "ES256", typ: "entitlements+jwt", kid: "k1" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${signed}.${sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

const tokens = Array.from({ length: CALLS }, (_, n) => token(`usr_${n}`));
const options = { issuer: "bitsleuth-billing", audience: "bitsleuth-analyzer", algorithms: ["ES256"] };
const warm = createVerifier({ keys: { keys: [jwk] } });
await warm.verify(tokens[0]);

async function microseconds(call) {
  const began = process.cpuUsage();
  for (let n = 0; n < CALLS; n++) await call(n);
  const { user, system } = process.cpuUsage(began);
  return (user + system) / CALLS;
}

const rows = {};
for (let round = 0; round < ROUNDS; round++) {
  const fresh = createVerifier({ keys: { keys: [jwk] } });
  const variants = {
    "jose, no cache (the usual)": (n) => jwtVerify(tokens[n], imported, options),
    "token verified, first sight": async (n) => can(await fresh.verify(tokens[n]), "feature.1", now),
    "token seen before": async () => can(await warm.verify(tokens[0]), "feature.1", now),
  };
  for (const [name, call] of Object.entries(variants)) (rows[name] ??= []).push(await microseconds(call));
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const usual = rows["jose, no cache (the usual)"];
console.log("Node gate, per request");
for (const [name, values] of Object.entries(rows)) {
  const ratio = median(values.map((value, round) => value / usual[round]));
  console.log(`  ${name.padEnd(32)} ${median(values).toFixed(2).padStart(9)} µs   × ${ratio.toFixed(4)}`);
}
const began = performance.now();
await createVerifier({ keys: { keys: [jwk] } }).verify(token("usr_cold"));
console.log(`  cold: keys and first token ${(performance.now() - began).toFixed(1)} ms`);
