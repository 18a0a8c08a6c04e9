import { ask } from "../../../lib/ai";
import { gate } from "../../../lib/gate";

export const POST = (request: Request): Response | Promise<Response> =>
  gate().withFeature("tax.enhanced", async () => new Response(await ask("report")))(request, undefined);
