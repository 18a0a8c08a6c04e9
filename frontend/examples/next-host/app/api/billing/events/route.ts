import { onBillingEvent } from "../../../../lib/gate";

/** The billing service tells whose access changed: the gate closes with the next call, not with the end of a token. */
export const POST = onBillingEvent();
