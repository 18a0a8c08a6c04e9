import { readFileSync } from "node:fs";
import { configDefaults, defineConfig } from "vitest/config";

/** Tests that need a window, or modules, that nobody used before. */
const ALONE = ["packages/api-client/src/index.test.ts", "portal/src/identity-provider.test.ts", "portal/src/router.test.ts", "portal/src/admin/sign-in.test.tsx"];

export default defineConfig({
  resolve: { conditions: ["@bitsleuth/source"] },
  ssr: { resolve: { conditions: ["@bitsleuth/source"] } },
  test: {
    environment: "node",
    pool: "threads",
    restoreMocks: true,
    unstubGlobals: true,
    // What tests/pages/test_billing_page.py made; without it that one test is left out.
    provide: { histories: process.env.HISTORIES ? JSON.parse(readFileSync(process.env.HISTORIES, "utf8")) : [] },
    // Generous: how fast a busy machine is proves nothing.
    testTimeout: 30_000,
    setupFiles: ["./vitest.setup.ts"],
    // To load React, the pages and a window anew for each file took two thirds of the time.
    projects: [
      {
        extends: true,
        test: {
          name: "shared",
          include: ["packages/**/*.test.{ts,tsx}", "portal/**/*.test.{ts,tsx}", "examples/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...ALONE],
          isolate: false,
        },
      },
      { extends: true, test: { name: "alone", include: ALONE } },
    ],
  },
});
