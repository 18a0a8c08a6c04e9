import path from "node:path";
import type { NextConfig } from "next";

/** Inline scripts are Next's own, in pages that are cached for everybody. The billing components need none, nor inline styles. */
const POLICY = `
  default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self'; img-src 'self' data:;
  connect-src 'self' ${process.env.NEXT_PUBLIC_BILLING_API_URL ?? ""};
  base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'
`.replace(/\s+/g, " ");

const config: NextConfig = {
  turbopack: { root: path.join(import.meta.dirname, "..", "..") },
  poweredByHeader: false,
  // `npm run types` checks them, together with everything else.
  typescript: { ignoreBuildErrors: true },
  // Next's development server does need more.
  headers: () =>
    Promise.resolve(
      process.env.NODE_ENV === "production"
        ? [{ source: "/:path*", headers: [{ key: "content-security-policy", value: POLICY.trim() }] }]
        : [],
    ),
};

export default config;
