import type { paths } from "@bitsleuth/billing-api-client";
import { createContext, useContext } from "react";
import type { Caller } from "../staff.js";

type Methods<Path extends keyof paths> = {
  [Method in "get" | "put" | "post" | "patch" | "delete"]: paths[Path][Method] extends undefined ? never : Uppercase<Method>;
}["get" | "put" | "post" | "patch" | "delete"];
type AdminPath = Extract<keyof paths, `/admin/${string}`>;
/** A call of the admin's, as the service names it in the list of what somebody may. */
export type AdminCall = { [Path in AdminPath]: `${Methods<Path>} ${Path}` }[AdminPath];

export const CallerContext = createContext<Caller>({ user_id: "", role: "", may: [] });

/** Whether the caller may make a call: what they may not is not offered. Only the service decides. */
export function useMay(): (call: AdminCall) => boolean {
  const { may } = useContext(CallerContext);
  return (call) => may.includes(call);
}
