import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["@bitsleuth/source"] },
  ssr: { resolve: { conditions: ["@bitsleuth/source"] } },
  test: {
    include: ["packages/**/*.test.{ts,tsx}", "portal/**/*.test.{ts,tsx}", "examples/**/*.test.ts"],
    environment: "node",
    pool: "threads",
    restoreMocks: true,
    // Generous: how fast a busy machine is proves nothing.
    testTimeout: 30_000,
    setupFiles: ["./vitest.setup.ts"],
  },
});
