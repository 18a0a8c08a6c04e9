import path from "node:path";
import type { NextConfig } from "next";

const config: NextConfig = {
  turbopack: { root: path.join(import.meta.dirname, "..", "..") },
  poweredByHeader: false,
  // `npm run types` checks them, together with everything else.
  typescript: { ignoreBuildErrors: true },
};

export default config;
