import { createGate, type Gate } from "@bitsleuth/entitlements/next";
import { cookies } from "next/headers";
import { after } from "next/server";

/** The one gate of this host. Its addresses come from the environment, read when the server runs. */
function make(): Gate {
  const apiUrl = required("BILLING_API_URL");
  return createGate({
    apiUrl,
    upgradeUrl: `${process.env.BILLING_PORTAL_URL ?? apiUrl}/pricing`,
    cookies,
    after,
    secure: process.env.INSECURE_COOKIES !== "1",
  });
}

let made: Gate | undefined;

export function gate(): Gate {
  return (made ??= make());
}

export function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
