"use client";

import { ApiError } from "@bitsleuth/billing-api-client";
import { errorText, useT } from "../text.js";

/** The refusal, if it is about one field; `codes` are those that are. */
export function faultOf(error: unknown, codes: readonly string[]): ApiError | null {
  return error instanceof ApiError && codes.includes(error.code) ? error : null;
}

/** What is wrong with a field, under it; the field is described by this id. */
export function FieldFault({ id, of }: { id: string; of: ApiError | null }) {
  const t = useT();
  return (
    of && (
      <p className="bsb-error" id={id} role="alert">
        {errorText(of, t)}
      </p>
    )
  );
}
