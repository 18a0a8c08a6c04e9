import type { NextRequest } from "next/server";
import { ask } from "../../../lib/ai";
import { withFeature } from "../../../lib/gate";

/** Streams, and is refused before the question is even read. */
export const POST = withFeature(
  "ai.chat",
  async (request: NextRequest) => new Response(await ask(await request.text()), { headers: { "content-type": "text/plain" } }),
  { meter: "after" },
);
