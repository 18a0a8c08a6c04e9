import { ask } from "../../../lib/ai";
import { gate } from "../../../lib/gate";

/** Streams, and is refused before the question is even read. */
export const POST = (request: Request): Response | Promise<Response> =>
  gate().withFeature(
    "ai.chat",
    async (asked: Request) => new Response(await ask(await asked.text()), { headers: { "content-type": "text/plain" } }),
    { meter: "after" },
  )(request, undefined);
