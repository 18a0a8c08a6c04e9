import { createGate, type Gate } from "@bitsleuth/entitlements/next";
import { cookies } from "next/headers";
import { after } from "next/server";
import { required } from "./env";

let made: Gate | undefined;

/** The one gate of this host, made with the first call: its address comes from the environment in which the server runs. */
export function gate(): Gate {
  return (made ??= createGate({
    apiUrl: required("BILLING_API_URL"),
    upgradeUrl: "/pricing",
    cookies,
    after,
    secure: process.env.INSECURE_COOKIES !== "1",
  }));
}
