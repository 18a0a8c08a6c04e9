import { ask } from "../../../lib/ai";
import { withFeature } from "../../../lib/gate";

export const POST = withFeature("tax.enhanced", async () => new Response(await ask("report")));
